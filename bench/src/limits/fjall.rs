//! fjall by itself: the embedded store whose tables are ours, too, with its own journal.

use crate::numbers::spread;
use crate::setting::{Commits, Until};
use fjall::config::{HashRatioPolicy, RestartIntervalPolicy};
use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use std::path::Path;
use std::time::{Duration, Instant};

/// How many different keys are written.
const KEYS: u64 = 300_000;
const KEY_BYTES: usize = 40;
/// How many batches are made ready at a time, so that making them is not measured and memory stays small.
const READY: usize = 64;
/// With larger ones fjall stalls for 0.3 s when a memtable is full.
const MEMTABLE: u64 = 4 << 20;

/// Memory for blocks, as much as ours has.
const CACHE: u64 = 64 << 20;
const ROWS: &str = "rows";

/// Opens one with the options that were best for it.
pub fn open(path: &Path) -> anyhow::Result<(Database, fjall::Keyspace)> {
    let database = Database::builder(path).open()?;
    let keyspace = database.keyspace(ROWS, || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE))?;
    Ok((database, keyspace))
}

/// With blocks in which single keys are found fast, as ours have them. To be written, they take somewhat longer.
fn for_reading() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .data_block_hash_ratio_policy(HashRatioPolicy::all(1.0))
        .data_block_restart_interval_policy(RestartIntervalPolicy::all(4))
}

/// Batches of so many records of so many bytes, each batch on disk before the next.
pub fn batches(path: &Path, records: usize, bytes: usize, until: Until) -> anyhow::Result<Commits> {
    let (database, keyspace) = open(path)?;
    let (mut number, mut count) = (0u64, 0u64);
    let (mut spent, mut worst) = (Duration::ZERO, Duration::ZERO);
    while until.goes_on(spent, count) {
        let mut ready = Vec::with_capacity(READY);
        for _ in 0..READY {
            let mut batch = database.batch().durability(Some(PersistMode::SyncData));
            for _ in 0..records {
                let key = spread(number, KEYS);
                batch.insert(&keyspace, format!("{key:0width$}", width = KEY_BYTES), vec![0x5a; bytes - KEY_BYTES]);
                number += 1;
            }
            ready.push(batch);
        }
        for batch in ready {
            let begun = Instant::now();
            batch.commit()?;
            let took = begun.elapsed();
            (spent, worst, count) = (spent + took, worst.max(took), count + 1);
        }
    }
    Ok(Commits::new(count, spent, worst))
}

/// A filled one, with all entries in tables. The database must stay as long as its rows are used.
pub struct Filled {
    pub rows: fjall::Keyspace,
    _database: Database,
}

/// Fills one with texts as JSON, merges its tables, and opens it again.
pub fn filled(path: &Path, entries: impl Iterator<Item = (String, String)>) -> anyhow::Result<Filled> {
    let database = Database::builder(path).open()?;
    let rows = database.keyspace(ROWS, for_reading)?;
    for (key, text) in entries {
        rows.insert(key, format!("\"{text}\""))?;
    }
    rows.rotate_memtable_and_wait()?;
    rows.major_compact()?;
    drop((rows, database));
    let database = Database::builder(path).cache_size(CACHE).open()?;
    let rows = database.keyspace(ROWS, for_reading)?;
    Ok(Filled { rows, _database: database })
}
