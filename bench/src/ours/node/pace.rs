//! Writes that carry when they were made.

use crate::ours::clock;
use anabranch::{Change, Database, Kind, Operation, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The collection that they are in.
pub const COLLECTION: &str = "timed";

/// A thread that writes.
pub struct Pace {
    halt: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Pace {
    pub fn start(db: &Database, gap: Duration, open_loop: bool) -> Self {
        let (db, halt) = (db.clone(), Arc::new(AtomicBool::new(false)));
        let halted = halt.clone();
        let thread = std::thread::spawn(move || write(&db, gap, open_loop, &halted));
        Self { halt, thread }
    }

    /// Returns when no write is under way that was waited for.
    pub fn halt(self) -> anyhow::Result<()> {
        self.halt.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the writing thread panicked")))
    }
}

fn write(db: &Database, gap: Duration, open_loop: bool, halted: &AtomicBool) -> anyhow::Result<()> {
    let mut due = Instant::now();
    while !halted.load(Ordering::Relaxed) {
        if open_loop {
            // Those that fall due while it sleeps follow at once: the rate holds.
            due += gap;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            db.submit(timed(clock::nanos()), |_| {});
        } else {
            std::thread::sleep(gap);
            db.apply(timed(clock::nanos()))?;
        }
    }
    Ok(())
}

fn timed(nanos: u64) -> Write {
    let (collection, key) = (COLLECTION.to_owned(), format!("{nanos:032}"));
    let operation = Operation::Put(format!("{nanos:098}").into());
    Write {
        changes: vec![Change::Operate { collection, kind: Kind::REGISTER, key, operation, context: None }],
        key: None,
    }
}
