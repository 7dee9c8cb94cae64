//! What lies on disk, byte by byte: a change here without a new format version would make old data unreadable.

use crate::replica::{Replica, add, keyed, one, operate, put};
use anabranch_causality::Kind;
use anabranch_engine::store::{Read, Space};
use anabranch_engine::{Change, Write};
use anabranch_resolvers::{Member, Operation};
use std::fmt::Write as _;
use std::ops::ControlFlow;

const GOLDEN: &str = include_str!("golden.txt");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every row and log record, in order.
fn dump(replica: &Replica) -> String {
    let mut out = String::new();
    for space in Space::ALL {
        let scanned = replica.store.scan(space, &[], &[], &mut |key, value| {
            writeln!(out, "{space:?} {} {}", hex(key), hex(value)).expect("a string takes all");
            ControlFlow::Continue(())
        });
        scanned.expect("a scan");
    }
    let read = replica.store.log(0, &mut |index, record| {
        writeln!(out, "Log {index} {}", hex(record)).expect("a string takes all");
        ControlFlow::Continue(())
    });
    read.expect("a log");
    out
}

#[test]
fn the_rows_and_the_log_are_what_they_were() {
    let mut replica = Replica::new("eu", 0x1122_3344_5566_7788);
    let seen_nothing = Some(anabranch_causality::Context::default());
    let concurrent = match put("k", "b") {
        Change::Operate { collection, kind, key, operation, .. } => {
            Change::Operate { collection, kind, key, operation, context: seen_nothing }
        }
        other => other,
    };
    let members = Operation::AddMembers(vec![Member::Bool(true), Member::Integer(-1), Member::String("x".into())]);
    let declare = Change::Declare { collection: "kept".into(), kind: Kind::REGISTER, resolver: "keep-all".into() };
    for write in [
        one(put("k", "a")),
        one(concurrent),
        keyed(add("p", 5), 70),
        one(operate("tags", Kind::OR_SET, "s", members)),
        Write { changes: vec![declare], key: None },
    ] {
        replica.write(&write).expect("a write");
    }
    replica.engine.request_checkpoint();
    replica.settle();
    let found = dump(&replica);
    assert!(found == GOLDEN, "the bytes on disk changed; they are now:\n{found}");
}

#[test]
fn old_bytes_are_still_read() {
    read_again(|_| true);
}

/// Made before there was an index of conflicts: it is made when the directory is opened.
#[test]
fn older_bytes_without_the_index_of_conflicts_are_still_read() {
    let marker = "Meta 636f6e666c69637473 ";
    read_again(|line| !line.starts_with("Conflicts ") && !line.starts_with(marker));
}

fn read_again(is_there: impl Fn(&str) -> bool) {
    let mut store = anabranch_store::MemoryStore::new();
    let mut batch = anabranch_engine::store::Batch::default();
    let unhex = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16).expect("a digit") as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    };
    for line in GOLDEN.lines().filter(|line| is_there(line)) {
        let [space, key, value] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        match Space::ALL.into_iter().find(|known| format!("{known:?}") == space) {
            Some(space) => drop(batch.rows.insert((space, unhex(key)), Some(unhex(value)))),
            None => batch.log.push((key.parse().expect("a number"), unhex(value))),
        }
    }
    anabranch_engine::store::Store::commit(&mut store, &batch).expect("a commit");
    let mut replica = Replica::open("eu", 9, store, anabranch_resolvers::Registry::builtin());
    replica.settle();
    for line in GOLDEN.lines().filter(|line| line.starts_with("Conflicts ")) {
        let key = unhex(line.split(' ').nth(1).expect("a key"));
        let found = anabranch_engine::store::Read::get(&replica.store, Space::Conflicts, &key);
        assert_eq!(found, Ok(Some(Vec::new())), "{line}");
    }
    assert_eq!(replica.value("names", "k"), Some("b".into()));
    assert_eq!(replica.value("likes", "p"), Some(5.into()));
    assert_eq!(replica.value("tags", "s"), Some(serde_json::json!([true, -1, "x"])));
    assert_eq!(replica.engine.catalog().find("kept").map(|found| found.resolver.as_str()), Some("keep-all"));
}
