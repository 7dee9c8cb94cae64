//! Durable local writes, from call to acknowledgement, beside the store alone with the same bytes and syncs.

use super::Setting;
use super::report::Row;
use anabranch::resolvers::Registry;
use anabranch::{Change, Database, Kind, Operation, Origin, Write};
use anabranch_engine::mutant::Planted;
use anabranch_engine::store::{Batch, Store};
use anabranch_engine::{Config, Engine, Time};
use anabranch_store::{DiskStore, MemoryStore};
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How many different keys are written.
pub(super) const KEYS: u64 = 100_000;
/// How many raw batches are made ready at a time, so that memory stays small.
const READY: usize = 64;

pub(super) fn measure(setting: &Setting, writers: usize) -> anyhow::Result<Row> {
    let dir = tempfile::tempdir_in(&setting.dir)?;
    let db = Database::open(dir.path().join("ours"))?;
    let (ours, worst) = drive(&db, writers, setting.length)?;
    db.close();
    let raw = store_alone(&dir.path().join("raw"), writers, setting.length)?;
    let beside = "store alone, same bytes and syncs";
    Ok(Row { ours, raw, beside, unit: "writes", worst_ms: Some(worst.as_secs_f64() * 1e3) })
}

/// The write with that number: a 32-byte key, a value of 100 bytes.
pub(super) fn write(number: u64) -> Write {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS;
    let (collection, key) = ("bench".to_owned(), format!("{key:032}"));
    let operation = Operation::Put(format!("{number:098}").into());
    Write {
        changes: vec![Change::Operate { collection, kind: Kind::REGISTER, key, operation, context: None }],
        key: None,
    }
}

/// Makes those writes.
pub(super) fn fill(db: &Database, numbers: Range<u64>) -> anyhow::Result<()> {
    let pending: Vec<_> = numbers.map(write).collect();
    for chunk in pending.chunks(1_000) {
        let (sender, done) = mpsc::channel();
        for write in chunk {
            let sender = sender.clone();
            db.submit(write.clone(), move |answer| {
                // The measurement is over when nobody listens.
                let _ = sender.send(answer);
            });
        }
        for _ in chunk {
            done.recv()??;
        }
    }
    Ok(())
}

/// Keeps `writers` writes under way; the rate and the longest a single one took.
pub(super) fn drive(db: &Database, writers: usize, length: Duration) -> anyhow::Result<(f64, Duration)> {
    let (sender, acknowledged) = mpsc::channel();
    let submit = |number: u64| {
        let (sender, begun) = (sender.clone(), Instant::now());
        db.submit(write(number), move |answer| {
            // The measurement is over when nobody listens.
            let _ = sender.send(answer.map(|_| begun.elapsed()));
        });
    };
    let start = Instant::now();
    let mut number = 0;
    for _ in 0..writers {
        submit(number);
        number += 1;
    }
    let (mut done, mut worst) = (0u64, Duration::ZERO);
    while start.elapsed() < length {
        worst = worst.max(acknowledged.recv()??);
        done += 1;
        submit(number);
        number += 1;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    for _ in 0..writers {
        acknowledged.recv()??;
    }
    Ok((rate, worst))
}

/// The batches that an engine makes of such writes, `writers` in each, committed to the store alone.
fn store_alone(dir: &std::path::Path, writers: usize, length: Duration) -> anyhow::Result<f64> {
    let mut source = Batches::new(writers)?;
    let mut store = DiskStore::open(dir)?;
    let (mut writes, mut spent) = (0, Duration::ZERO);
    while spent < length {
        let ready: Vec<Batch> = (0..READY).map(|_| source.next()).collect::<Result<_, _>>()?;
        let start = Instant::now();
        for batch in &ready {
            store.commit(batch)?;
        }
        spent += start.elapsed();
        writes += ready.len() * writers;
    }
    Ok(writes as f64 / spent.as_secs_f64())
}

/// An engine without a disk, as a source of batches.
struct Batches {
    engine: Engine,
    store: MemoryStore,
    writers: usize,
    number: u64,
}

impl Batches {
    fn new(writers: usize) -> anyhow::Result<Self> {
        let store = MemoryStore::new();
        let config = Config::new("bench", "bench", "bench");
        let engine = Engine::open(config, Arc::new(Registry::builtin()), &store, Origin(1), Planted::none())?;
        Ok(Self { engine, store, writers, number: 0 })
    }

    fn next(&mut self) -> anyhow::Result<Batch> {
        let time = Time { wall_ms: 1_700_000_000_000 + self.number, mono_ms: self.number };
        for _ in 0..self.writers {
            self.engine.handle_write(&self.store, time, self.number, &write(self.number))?;
            self.number += 1;
        }
        self.engine.seal();
        let batch = self.engine.batch().clone();
        self.store.commit(&batch)?;
        self.engine.committed(&self.store, time)?;
        while self.engine.poll_output().is_some() {}
        Ok(batch)
    }
}
