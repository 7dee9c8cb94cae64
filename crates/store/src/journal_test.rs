use std::fs;
use std::ops::ControlFlow;

use anabranch_engine::store::{Batch, Read as _, Space, Store, StoreErrorKind};

use super::*;
use crate::FjallStore;
use crate::synced::SYNCED;

/// A data directory whose journal holds batches 1 to `last`, the last one of about 60 KiB.
fn written(last: u64) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path()).unwrap();
    for n in 1..=last {
        let value = vec![0xA5; if n == last { 15_000 } else { 20 }];
        let rows = Space::ALL.iter().map(|space| ((*space, n.to_be_bytes().to_vec()), Some(value.clone())));
        store.commit(&Batch { log: vec![(n, b"record".to_vec())], rows: rows.collect() }).unwrap();
    }
    drop(store);
    let journal = dir.path().join("store/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    (dir, journal, bytes)
}

/// Opens what a crash left: what was torn was never synced, and of what was, nothing need be known.
fn open_torn(dir: &Path) -> FjallStore {
    let _ = fs::remove_file(dir.join("store").join(SYNCED));
    FjallStore::open(dir).unwrap()
}

/// How many batches are there; checks that they are whole.
fn batches(store: &FjallStore) -> u64 {
    let mut last = 0;
    store
        .log(0, &mut |index, _| {
            last += 1;
            assert_eq!(index, last);
            ControlFlow::Continue(())
        })
        .unwrap();
    for space in Space::ALL {
        let mut rows = 0;
        store
            .scan(space, &[], &[], &mut |_, _| {
                rows += 1;
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(rows, last, "{space:?}");
    }
    last
}

#[test]
fn a_journal_cut_anywhere_keeps_a_prefix() {
    let (dir, journal, bytes) = written(4);
    let mut kept = 0;
    let steps = (1..600).step_by(7).chain((600..bytes.len()).step_by(4_999)).chain(bytes.len() - 30..=bytes.len());
    for cut in steps {
        for preallocated in [false, true] {
            let mut torn = bytes[..cut].to_vec();
            torn.resize(if preallocated { bytes.len() + 100_000 } else { cut }, 0);
            fs::write(&journal, torn).unwrap();
            let mut store = open_torn(dir.path());
            let found = batches(&store);
            assert!(found >= kept, "cut {cut}");
            kept = found;
            // What is written after the repair survives the next one.
            let next = Batch { log: vec![(found + 1, Vec::new())], ..Batch::default() };
            store.commit(&next).unwrap();
            drop(store);
            let mut last = 0;
            let each = &mut |index, _: &[u8]| {
                last = index;
                ControlFlow::Continue(())
            };
            FjallStore::open(dir.path()).unwrap().log(0, each).unwrap();
            assert_eq!(last, found + 1);
        }
    }
    assert_eq!(kept, 4);
}

#[test]
fn a_hole_in_the_last_batch_is_a_torn_write() {
    let (dir, journal, bytes) = written(3);
    for page in [1, 5, 14] {
        let mut torn = bytes.clone();
        torn[page * 4096..][..4096.min(bytes.len() - page * 4096)].fill(0);
        fs::write(&journal, torn).unwrap();
        assert_eq!(batches(&open_torn(dir.path())), 2, "page {page}");
    }
}

#[test]
fn damage_before_the_last_batch_is_told() {
    let (dir, journal, bytes) = written(4);
    for at in [0, 3, 40, 200, 700] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        fs::write(&journal, &damaged).unwrap();
        let error = FjallStore::open(dir.path()).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "byte {at}");
        assert!(error.what.contains("0.jnl"), "{error}");
        assert!(fs::read(&journal).unwrap() == damaged, "nothing is lost by looking");
    }
}

#[test]
fn a_sealed_journal_cannot_be_torn() {
    let (dir, journal, bytes) = written(2);
    fs::write(journal.with_file_name("1.jnl"), []).unwrap();
    fs::write(&journal, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(repair(&dir.path().join("store"), None).err().unwrap().kind, StoreErrorKind::Corrupt);
}

#[test]
fn a_journal_that_lost_what_was_synced_is_refused() {
    let (dir, journal, bytes) = written(4);
    for cut in [0, 1, 200, 600, bytes.len() / 2, bytes.len() - 1] {
        for preallocated in [false, true] {
            let mut short = bytes[..cut].to_vec();
            short.resize(if preallocated { bytes.len() + 100_000 } else { cut }, 0);
            fs::write(&journal, short).unwrap();
            let error = FjallStore::open(dir.path()).unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Corrupt, "cut {cut}");
            assert!(error.what.contains("lost its end"), "{error}");
        }
    }
    fs::write(&journal, &bytes).unwrap();
    assert_eq!(batches(&FjallStore::open(dir.path()).unwrap()), 4);
}

/// What is known is older than the journal: a power loss can do that.
#[test]
fn a_journal_may_hold_more_than_is_known() {
    let (dir, journal, _) = written(2);
    let synced = journal.with_file_name(SYNCED);
    let before = fs::read(&synced).unwrap();
    let mut store = FjallStore::open(dir.path()).unwrap();
    store.commit(&Batch { log: vec![(3, Vec::new())], ..Batch::default() }).unwrap();
    drop(store);
    assert_ne!(fs::read(&synced).unwrap(), before);
    for older in [before, Vec::new(), vec![0; 5]] {
        fs::write(&synced, older).unwrap();
        drop(FjallStore::open(dir.path()).unwrap());
    }
}

/// Tables took over what the first journals held, and those are gone: nothing is missing.
#[test]
fn journals_that_are_no_more_are_not_missed() {
    let dir = tempfile::tempdir().unwrap();
    let options = crate::Options { memtable_bytes: 1 << 20, min_free_bytes: 0, ..crate::Options::default() };
    let mut store = FjallStore::open_with(dir.path(), options).unwrap();
    let path = dir.path().join("store");
    let mut index = 0_u64;
    // Some 64 MB make another journal; when, is up to work in the background.
    while newest(&path).unwrap() == 0 {
        assert!(index < 400, "no other journal was begun");
        let rows = Space::ALL.iter().map(|space| ((*space, vec![1]), Some(index.to_be_bytes().to_vec())));
        let log = vec![(index, vec![index as u8; 1 << 20])];
        store.commit(&Batch { log, rows: rows.collect() }).unwrap();
        index += 1;
    }
    for _ in 0..3 {
        drop(store);
        store = FjallStore::open_with(dir.path(), options).unwrap();
        store.commit(&Batch { log: vec![(index, vec![])], ..Batch::default() }).unwrap();
        index += 1;
    }
    drop(store);
    let known = crate::synced::known(&path).unwrap();
    assert_eq!(known.journal, newest(&path).unwrap());
    fs::write(path.join(format!("{}.jnl", known.journal)), []).unwrap();
    let error = FjallStore::open_with(dir.path(), options).unwrap_err();
    assert!(error.what.contains("lost its end"), "{error}");
}
