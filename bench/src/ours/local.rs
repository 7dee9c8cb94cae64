//! Writes to a database in this process.

use super::disk;
use crate::numbers::{STEP, mixed, spread};
use crate::setting::{Commits, Until};
use anabranch::{Change, Database, Kind, Operation, Write};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How many different keys are written.
pub const KEYS: u64 = 100_000;

/// How many writes are under way while a database is filled.
const FILLING: usize = 2_048;
const ZEROS: &str = match std::str::from_utf8(&[b'0'; 128]) {
    Ok(zeros) => zeros,
    Err(_) => "",
};
/// The collection that is written to.
pub const COLLECTION: &str = "bench";

/// Key and text of the write with that number: 32 and 98 bytes.
pub fn entry(number: u64) -> (String, String) {
    let key = spread(number, KEYS);
    (padded(key, 32), padded(number, 98))
}

/// A number with zeros before it. Formatting would take a third as long as the write that is measured.
fn padded(number: u64, length: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(length);
    text.push_str(&ZEROS[..length.saturating_sub(digits.len())]);
    text + &digits
}

/// The write with that number: a 32-byte key, a value of 100 bytes (the text, as JSON).
pub fn write(number: u64) -> Write {
    let (key, text) = entry(number);
    put(key, text)
}

/// A write of one value.
pub fn put(key: String, value: impl Into<serde_json::Value>) -> Write {
    let (collection, operation) = (COLLECTION.to_owned(), Operation::Put(value.into()));
    Write {
        changes: vec![Change::Operate { collection, kind: Kind::REGISTER, key, operation, context: None }],
        key: None,
    }
}

/// A number below `count`, another one for each number below it where `count` has no large prime factor, in no order.
pub fn scattered(number: u64, count: u64) -> u64 {
    (number % count) * 2_654_435_761 % count
}

/// As [`entry`], each number with a key of its own, which looks random, and with a text that cannot be compressed.
pub fn distinct(number: u64) -> (String, String) {
    (digits(number, 32), digits(!number, 98))
}

/// So many hexadecimal digits that look random.
pub fn digits(number: u64, count: usize) -> String {
    let mut state = number;
    let mut digits = String::with_capacity(count + 16);
    while digits.len() < count {
        digits += &format!("{:016x}", mixed(state));
        state = state.wrapping_add(STEP);
    }
    digits.truncate(count);
    digits
}

/// A database with those entries, all of them in merged tables.
pub fn filled(path: &Path, entries: &[(String, String)]) -> anyhow::Result<Database> {
    let db = Database::open(path)?;
    fill(&db, entries.iter().map(|(key, text)| put(key.clone(), text.clone())))?;
    db.close();
    drop(db);
    disk::settle(path)?;
    Ok(Database::open(path)?)
}

/// Keeps `writers` writes under way, by number from 0 on; what those took that were acknowledged.
pub fn drive(db: &Database, writers: usize, until: Until, write: impl Fn(u64) -> Write) -> anyhow::Result<Commits> {
    let (sender, acknowledged) = mpsc::channel();
    let submit = |number: u64| {
        let (sender, write, begun) = (sender.clone(), write(number), Instant::now());
        db.submit(write, move |answer| {
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
    while until.goes_on(start.elapsed(), done) {
        worst = worst.max(acknowledged.recv()??);
        done += 1;
        submit(number);
        number += 1;
    }
    let commits = Commits::new(done, start.elapsed(), worst);
    for _ in 0..writers {
        acknowledged.recv()??;
    }
    Ok(commits)
}

/// Makes all those writes, many at a time.
pub fn fill(db: &Database, writes: impl Iterator<Item = Write>) -> anyhow::Result<()> {
    let (sender, acknowledged) = mpsc::channel();
    let mut under_way = 0;
    for write in writes {
        let sender = sender.clone();
        // Nobody listens when another write failed.
        db.submit(write, move |answer| drop(sender.send(answer.map(drop))));
        under_way += 1;
        if under_way == FILLING {
            acknowledged.recv()??;
            under_way -= 1;
        }
    }
    for _ in 0..under_way {
        acknowledged.recv()??;
    }
    Ok(())
}
