//! automerge: one change for each entry, changes one behind the other in messages of several.

use super::documents::Entries;
use anyhow::Context as _;
use automerge::transaction::Transactable as _;
use automerge::{AutoCommit, ROOT, ReadDoc as _};
use std::time::Instant;

pub fn import(entries: &Entries) -> anyhow::Result<f64> {
    let messages = messages(entries)?;
    let mut doc = AutoCommit::new();
    let start = Instant::now();
    for message in &messages {
        doc.load_incremental(message)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    entries.check(|key| {
        let found = doc.get(ROOT, key)?;
        Ok(found.and_then(|(value, _)| value.as_str().map(str::to_owned)))
    })?;
    Ok(entries.list.len() as f64 / seconds)
}

fn messages(entries: &Entries) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut doc = AutoCommit::new();
    let mut messages = Vec::new();
    for some in entries.list.chunks(entries.together) {
        let mut message = Vec::new();
        for (key, text) in some {
            doc.put(ROOT, key, text.as_str())?;
            doc.commit();
            message.extend(doc.get_last_local_change().context("a change was made")?.raw_bytes());
        }
        messages.push(message);
    }
    Ok(messages)
}
