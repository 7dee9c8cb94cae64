//! fjall by itself: the embedded store whose tables are ours, too, with its own journal.

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

/// Opens one with the options that were best for it.
pub fn open(path: &Path) -> anyhow::Result<(Database, fjall::Keyspace)> {
    let database = Database::builder(path).open()?;
    let keyspace = database.keyspace("rows", || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE))?;
    Ok((database, keyspace))
}

/// Batches per second of so many records of so many bytes, each batch on disk before the next.
pub fn batches(path: &Path, records: usize, bytes: usize, length: Duration) -> anyhow::Result<f64> {
    let (database, keyspace) = open(path)?;
    let (mut number, mut count, mut spent) = (0u64, 0u64, Duration::ZERO);
    while spent < length {
        let mut ready = Vec::with_capacity(READY);
        for _ in 0..READY {
            let mut batch = database.batch().durability(Some(PersistMode::SyncData));
            for _ in 0..records {
                let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS;
                batch.insert(&keyspace, format!("{key:0width$}", width = KEY_BYTES), vec![0x5a; bytes - KEY_BYTES]);
                number += 1;
            }
            ready.push(batch);
        }
        let start = Instant::now();
        for batch in ready {
            batch.commit()?;
            count += 1;
        }
        spent += start.elapsed();
    }
    Ok(count as f64 / spent.as_secs_f64())
}
