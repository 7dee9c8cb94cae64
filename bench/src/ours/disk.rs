//! Data directories between openings.

use anabranch_store::{DiskStore, Options};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// So long nothing may change in the tables before they count as merged.
const QUIET: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(300);

/// Writes what is only in the log to the tables, and waits until they are merged as far as the store ever merges them. Nobody
/// may have the database open.
pub fn settle(data: &Path) -> anyhow::Result<()> {
    // Each batch that is replayed fills such a memtable, so that none of it stays out of the tables.
    let store = DiskStore::open_with(data, Options { memtable_bytes: 0, ..Options::default() })?;
    let (start, mut quiet) = (Instant::now(), Instant::now());
    let mut before = rows_bytes(data)?;
    while quiet.elapsed() < QUIET {
        anyhow::ensure!(start.elapsed() < MOST, "tables are still merged after {} s", MOST.as_secs());
        std::thread::sleep(Duration::from_millis(20));
        let now = rows_bytes(data)?;
        if now != before {
            (before, quiet) = (now, Instant::now());
        }
    }
    drop(store);
    Ok(())
}

/// Bytes of the tables of rows.
pub fn rows_bytes(data: &Path) -> anyhow::Result<u64> {
    bytes(&data.join("store").join("rows"))
}

/// Bytes of the log, with what of it is written in advance.
pub fn log_bytes(data: &Path) -> anyhow::Result<u64> {
    bytes(&data.join("store").join("log"))
}

/// Bytes of all files in a folder. Those that go meanwhile do not count.
fn bytes(dir: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        sum += match entry.metadata() {
            Ok(found) if found.is_dir() => bytes(&entry.path())?,
            Ok(found) => found.len(),
            Err(_) => 0,
        };
    }
    Ok(sum)
}
