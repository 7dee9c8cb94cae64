//! Remote transactions applied in memory, beside what libraries for shared documents do with the same entries.

use crate::ours::local;
use crate::ours::replica::{Replica, Stream, writes};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch_store::MemoryStore;
use std::time::Instant;

const COUNT: u64 = 300_000;
/// How many writes are in one message, one update.
const TOGETHER: usize = 64;

/// What a peer imports.
pub struct Entries {
    /// Keys and texts, in the order in which they were written: each key about three times.
    pub list: Vec<(String, String)>,
    /// How many of them one message brings.
    pub together: usize,
}

/// Makes messages of all entries with one document, not measured, then has another document import them, message by
/// message, from the bytes. Returns entries per second. Must look that the other document has the last text of each key.
pub type Import = fn(&Entries) -> anyhow::Result<f64>;

/// Who else imports, by the name in the report.
fn peers() -> Vec<(&'static str, Import)> {
    Vec::new()
}

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "remote-apply-memory",
        title: "Remote transactions applied in memory, one core",
        what: "300,000 transactions, each a `put` of a 32-byte key and a value of 100 bytes among 100,000 keys, in messages \
               of 64 as the engine of their writer made them: decoded, ordered, applied to rows, digest and index, and kept \
               in the log of a store in memory, one batch a message, by one thread. Peers import the same entries into a map, \
               one update for 64 entries, decoded from bytes; they keep no log and no digest. Of all, only the import is \
               measured. `local` is the same engine and store that take the same writes from a client.",
        unit: "transactions/s",
        goals: vec![Goal::new(Of::Ratio("Anabranch", "yrs"), Bound::AtLeast(0.4)).stretch(Bound::AtLeast(1.0))],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let count = setting.scaled(COUNT);
    let mut figures = vec![Figure::new("Anabranch", remote(count)?), Figure::new("Anabranch, local", local(count)?)];
    let entries = Entries { list: (0..count).map(local::entry).collect(), together: TOGETHER };
    for (name, import) in peers() {
        figures.push(Figure::new(name, import(&entries)?));
    }
    Ok(figures)
}

fn remote(count: u64) -> anyhow::Result<f64> {
    let stream = Stream::of(count, TOGETHER)?;
    let mut receiver = Replica::receiver(MemoryStore::new())?;
    let start = Instant::now();
    for frame in &stream.frames {
        receiver.receive(frame)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    anyhow::ensure!(receiver.state() == stream.state, "the receiver has not what the writer has");
    Ok(count as f64 / seconds)
}

fn local(count: u64) -> anyhow::Result<f64> {
    let (mut writer, writes) = (Replica::writer(MemoryStore::new())?, writes(count));
    let start = Instant::now();
    for batch in writes.chunks(TOGETHER) {
        writer.write(batch)?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
