//! Whether a store holds what it must after a crash.

use crate::replica::Replica;
use crate::writer::options;
use anabranch_causality::{Origin, Transaction};
use anabranch_engine::Role;
use anabranch_engine::record::Record;
use anabranch_engine::store::{Read, Space};
use anabranch_protocol::Message;
use anabranch_store::{DiskStore, MemoryStore};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

/// The highest acknowledged sequence number of each origin.
pub(crate) type Acks = BTreeMap<u64, u64>;

/// Reads what the writer noted. The last line may be half there.
pub(crate) fn acks(bytes: &[u8]) -> Acks {
    let text = String::from_utf8_lossy(bytes);
    let mut acks = Acks::new();
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let (origin, seq) = line.split_once(' ').expect("two numbers");
        let seq: u64 = seq.parse().expect("a number");
        let known = acks.entry(origin.parse().expect("a number")).or_default();
        *known = seq.max(*known);
    }
    acks
}

/// Opens the store in `dir` and compares it with what was acknowledged and with itself; then writes once more.
///
/// # Errors
/// What is wrong.
pub(crate) fn judge(dir: &Path, memtable: u64, acks: &Acks) -> Result<(), String> {
    let opened = std::panic::catch_unwind(|| DiskStore::open_with(dir, options(memtable)));
    let store = opened.map_err(|_| "opening panics")?.map_err(|error| format!("it does not open: {error}"))?;
    let mut replica = Replica::open(store, 1).map_err(|error| format!("the engine does not open: {error}"))?;
    let total = compare(&replica, acks)?;
    replica
        .write("after", 10)
        .and_then(|()| replica.commit())
        .map_err(|error| format!("it takes no write: {error}"))?;
    match replica.counted()?.0 {
        count if count == total + 1 => Ok(()),
        count => Err(format!("{total} transactions and one more are {count}")),
    }
}

fn compare(replica: &Replica<DiskStore>, acks: &Acks) -> Result<u64, String> {
    let vector = replica.engine.durable_full();
    for (origin, seq) in acks {
        let has = vector.get(Origin(*origin));
        if has < *seq {
            return Err(format!("{origin:016x} was acknowledged up to {seq}, there is {has}"));
        }
    }
    let transactions = log(&replica.store)?;
    let total: u64 = vector.iter().map(|(_, seq)| seq).sum();
    if total != transactions.len() as u64 {
        return Err(format!("the vector names {total} transactions, the log holds {}", transactions.len()));
    }
    let mut seen = Acks::new();
    for transaction in &transactions {
        let dot = Transaction::decode(transaction).map_err(|error| error.to_string())?.dot;
        let last = seen.insert(dot.origin.0, dot.seq).unwrap_or(0);
        if dot.seq != last + 1 {
            return Err(format!("{:016x} has {} after {last}", dot.origin.0, dot.seq));
        }
    }
    let (count, names) = replica.counted()?;
    let mut expected: Vec<_> = vector.iter().flat_map(|(origin, seq)| names_of(origin, seq)).collect();
    expected.sort();
    if count != total || names != expected {
        return Err(format!("{total} transactions, counted {count}, named {}", names.len()));
    }
    again(replica, &transactions)?;
    Ok(total)
}

fn names_of(origin: Origin, last: u64) -> impl Iterator<Item = String> {
    (1..=last).map(move |seq| format!("{:016x}-{seq}", origin.0))
}

/// The transactions of the log, which must have no gap.
fn log(store: &DiskStore) -> Result<Vec<Vec<u8>>, String> {
    let mut found: Vec<(u64, Vec<u8>)> = Vec::new();
    let read = store.log(0, &mut |index, record| {
        found.push((index, record.to_vec()));
        ControlFlow::Continue(())
    });
    read.map_err(|error| error.to_string())?;
    if let Some(gap) = found.windows(2).find(|pair| pair[0].0 + 1 != pair[1].0) {
        return Err(format!("the log has {} after {}", gap[1].0, gap[0].0));
    }
    let transaction = |(_, record): &(u64, Vec<u8>)| Ok(Record::decode(record)?.transaction.to_vec());
    found.iter().map(transaction).collect::<Result<_, anabranch_engine::store::StoreError>>().map_err(|e| e.to_string())
}

/// Applies the log to an empty replica: rows, vector and digest must come out the same.
fn again(replica: &Replica<DiskStore>, transactions: &[Vec<u8>]) -> Result<(), String> {
    let mut fresh = Replica::open(MemoryStore::new(), 2).map_err(|error| error.to_string())?;
    fresh.time = replica.time;
    fresh.engine.handle_connected(fresh.time, "us", "us", Role::Leader, Origin(3));
    for part in transactions.chunks(64) {
        let message = Message::Transactions(part.to_vec());
        let handled = fresh.engine.handle_message(&fresh.store, fresh.time, "us", message);
        handled.and_then(|()| fresh.commit()).map_err(|error| format!("applied anew: {error}"))?;
    }
    if fresh.engine.durable_full() != replica.engine.durable_full() {
        return Err("the log applied anew has another vector".into());
    }
    let digest = |digest: u64| format!("{digest:016x}");
    let (now, anew) = (replica.engine.status(replica.time).digest, fresh.engine.status(fresh.time).digest);
    if now != anew {
        return Err(format!("the digest is {}, computed anew {}", digest(now), digest(anew)));
    }
    if rows(&replica.store)? != rows(&fresh.store)? {
        return Err("the log applied anew has other rows".into());
    }
    Ok(())
}

fn rows(store: &dyn Read) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, String> {
    let mut rows = BTreeMap::new();
    let scanned = store.scan(Space::Rows, &[], &[], &mut |key, value| {
        rows.insert(key.to_vec(), value.to_vec());
        ControlFlow::Continue(())
    });
    scanned.map_err(|error| error.to_string())?;
    Ok(rows)
}
