//! loro: one commit for each entry, an export of what is new for each message.

use super::documents::Entries;
use loro::{ExportMode, LoroDoc};
use std::time::Instant;

const MAP: &str = "bench";

pub fn import(entries: &Entries) -> anyhow::Result<f64> {
    let messages = messages(entries)?;
    let doc = LoroDoc::new();
    let start = Instant::now();
    for message in &messages {
        doc.import(message)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let map = doc.get_map(MAP);
    entries.check(|key| {
        let value = map.get(key).and_then(|value| value.into_value().ok());
        Ok(value.and_then(|value| value.into_string().ok()).map(|text| text.to_string()))
    })?;
    Ok(entries.list.len() as f64 / seconds)
}

fn messages(entries: &Entries) -> anyhow::Result<Vec<Vec<u8>>> {
    let doc = LoroDoc::new();
    let map = doc.get_map(MAP);
    let mut messages = Vec::new();
    for some in entries.list.chunks(entries.together) {
        let known = doc.oplog_vv();
        for (key, text) in some {
            map.insert(key, text.as_str())?;
            doc.commit();
        }
        messages.push(doc.export(ExportMode::updates(&known))?);
    }
    Ok(messages)
}
