//! Remote transactions applied in memory, beside what libraries for shared documents do with the same entries.

use crate::ours::replica::{Replica, Stream, writes};
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch_store::MemoryStore;
use std::time::Instant;

const COUNT: u64 = 300_000;
const COUNT_SINGLE: u64 = 100_000;
/// How many writes are in one message, one update.
const TOGETHER: usize = 64;

pub fn workloads() -> Vec<Workload> {
    vec![
        Workload {
            name: "remote-apply-memory",
            title: "Remote transactions applied in memory, one core",
            what: "300,000 transactions, each a `put` of a 32-byte key and a value of 100 bytes among 100,000 keys, in messages \
                   of 64 as the engine of their writer made them: decoded, ordered, applied to rows, digest and index, and kept \
                   in the log of a store in memory, one batch a message, by one thread. Peers import the same entries into a map, \
                   64 at a time, decoded from bytes; they keep no digest. yrs: 64 updates of one entry each, merged; automerge: \
                   64 changes of one entry each, and only 15,000 in all, for it slows down as they grow; loro: one export of 64 \
                   commits; crdts: 64 operations on a `Map` of `MVReg`, as postcard makes bytes of them. Of all, only the import \
                   is measured. `local` is the same engine and store that take the same writes from a client.",
            unit: "transactions/s",
            goals: vec![Goal::new(Of::Ratio("Anabranch", "yrs"), Bound::AtLeast(0.4)).stretch(Bound::AtLeast(1.0))],
            measure: |setting| measure(setting.scaled(COUNT), TOGETHER),
        },
        Workload {
            name: "remote-apply-memory-1",
            title: "Remote transactions applied in memory one by one, one core",
            what: "The same with a message, an update, a change, an export for each of 100,000 entries (automerge: 5,000).",
            unit: "transactions/s",
            goals: vec![Goal::new(Of::Ratio("Anabranch", "yrs"), Bound::AtLeast(0.4)).stretch(Bound::AtLeast(1.0))],
            measure: |setting| measure(setting.scaled(COUNT_SINGLE), 1),
        },
    ]
}

fn measure(count: u64, together: usize) -> anyhow::Result<Vec<Figure>> {
    let ours = Figure::new("Anabranch", remote(count, together)?);
    let mut figures = vec![ours, Figure::new("Anabranch, local", local(count, together)?)];
    figures.extend(peers(count, together)?);
    Ok(figures)
}

#[cfg(feature = "peers")]
fn peers(count: u64, together: usize) -> anyhow::Result<Vec<Figure>> {
    crate::peers::documents::imports(count, together)
}

#[cfg(not(feature = "peers"))]
fn peers(_: u64, _: usize) -> anyhow::Result<Vec<Figure>> {
    Ok(Vec::new())
}

fn remote(count: u64, together: usize) -> anyhow::Result<f64> {
    let stream = Stream::of(count, together)?;
    let mut receiver = Replica::receiver(MemoryStore::new())?;
    let start = Instant::now();
    for frame in &stream.frames {
        receiver.receive(frame)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    anyhow::ensure!(receiver.state() == stream.state, "the receiver has not what the writer has");
    Ok(count as f64 / seconds)
}

fn local(count: u64, together: usize) -> anyhow::Result<f64> {
    let (mut writer, writes) = (Replica::writer(MemoryStore::new())?, writes(count));
    let start = Instant::now();
    for batch in writes.chunks(together) {
        writer.write(batch)?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}
