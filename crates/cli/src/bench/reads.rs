//! Point reads through the library, beside the store's own look-up of the same row.

use super::report::Row;
use super::{Setting, writes};
use anabranch::Database;
use anabranch_engine::store::{Read, Space};
use anabranch_store::DiskStore;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

const FILL: u64 = 100_000;

pub(super) fn measure(setting: &Setting) -> anyhow::Result<Row> {
    let dir = tempfile::tempdir_in(&setting.dir)?;
    let path = dir.path().join("ours");
    let db = Database::open(&path)?;
    writes::fill(&db, 0..FILL)?;
    let registers = db.lww::<String>("bench")?;
    let keys: Vec<String> = db.view().scan("bench", "", None, 10_000)?.entries.into_iter().map(|e| e.key).collect();
    let ours = repeat(setting.length, keys.len(), |at| found(registers.get(&keys[at])?))?;
    db.close();
    drop(db);
    let raw = store_alone(&path, setting.length)?;
    Ok(Row { ours, raw, beside: "store alone, get of one row", unit: "reads", worst_ms: None })
}

fn store_alone(path: &std::path::Path, length: Duration) -> anyhow::Result<f64> {
    let store = DiskStore::open(path)?;
    let mut rows = Vec::new();
    store.scan(Space::Rows, &[], &[], &mut |key, _| {
        rows.push(key.to_vec());
        if rows.len() < 10_000 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    repeat(length, rows.len(), |at| found(store.get(Space::Rows, &rows[at])?))
}

/// How often per second `read` can be done, over `count` places in a scattered order.
fn repeat(length: Duration, count: usize, mut read: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut done = 0usize;
    while start.elapsed() < length {
        for _ in 0..100 {
            read(done.wrapping_mul(7_919) % count)?;
            done += 1;
        }
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}

fn found<T>(value: Option<T>) -> anyhow::Result<()> {
    anyhow::ensure!(value.is_some(), "a key that was written is not there");
    Ok(())
}
