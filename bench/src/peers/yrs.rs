//! yrs, the Rust side of Yjs: one transaction and one update for each entry, updates merged for messages of several.

use super::documents::Entries;
use anyhow::Context as _;
use std::time::Instant;
use yrs::updates::decoder::Decode as _;
use yrs::{Doc, Map as _, MapRef, Transact as _, Update};

const MAP: &str = "bench";

pub fn import(entries: &Entries) -> anyhow::Result<f64> {
    let messages = messages(entries)?;
    let (doc, map) = open();
    let start = Instant::now();
    for message in &messages {
        let update = Update::decode_v1(message)?;
        doc.transact_mut().apply_update(update)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let txn = doc.transact();
    entries.check(|key| Ok(map.get(&txn, key).map(|value| value.to_string(&txn))))?;
    Ok(entries.list.len() as f64 / seconds)
}

fn open() -> (Doc, MapRef) {
    let doc = Doc::new();
    let map = doc.get_or_insert_map(MAP);
    (doc, map)
}

fn messages(entries: &Entries) -> anyhow::Result<Vec<Vec<u8>>> {
    let (doc, map) = open();
    let mut updates = entries.list.iter().map(|(key, text)| {
        let mut txn = doc.transact_mut();
        map.insert(&mut txn, key.as_str(), text.as_str());
        txn.encode_update_v1()
    });
    let mut messages = Vec::new();
    loop {
        let some: Vec<Vec<u8>> = updates.by_ref().take(entries.together).collect();
        if some.is_empty() {
            return Ok(messages);
        }
        messages.push(yrs::merge_updates_v1(some).context("merging updates")?);
    }
}
