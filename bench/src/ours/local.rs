//! Writes to a database in this process.

use anabranch::{Change, Database, Kind, Operation, Write};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How many different keys are written.
pub const KEYS: u64 = 100_000;

/// The collection that is written to.
pub const COLLECTION: &str = "bench";

/// Key and text of the write with that number: 32 and 98 bytes.
pub fn entry(number: u64) -> (String, String) {
    let key = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % KEYS;
    (format!("{key:032}"), format!("{number:098}"))
}

/// The write with that number: a 32-byte key, a value of 100 bytes (the text, as JSON).
pub fn write(number: u64) -> Write {
    let (key, text) = entry(number);
    put(key, text)
}

/// A write of one text.
pub fn put(key: String, text: String) -> Write {
    let (collection, operation) = (COLLECTION.to_owned(), Operation::Put(text.into()));
    Write {
        changes: vec![Change::Operate { collection, kind: Kind::REGISTER, key, operation, context: None }],
        key: None,
    }
}

/// Keeps `writers` writes under way; acknowledged ones per second and the longest a single one took.
pub fn drive(db: &Database, writers: usize, length: Duration) -> anyhow::Result<(f64, Duration)> {
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
