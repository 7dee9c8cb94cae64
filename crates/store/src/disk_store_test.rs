use std::collections::BTreeMap;

use super::*;
use crate::conformance::{self, Harness};
use crate::room::Free;

struct OnDisk {
    dir: tempfile::TempDir,
    options: Options,
    /// Whether the disk is full for the next use of the store.
    full: bool,
    store: Option<DiskStore>,
}

impl OnDisk {
    fn new(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Some(DiskStore::open_with(dir.path(), options).unwrap());
        Self { dir, options, full: false, store }
    }

    /// Small enough that the checks reach memtables that go to disk, and merges of tables.
    fn small() -> Self {
        Self::new(Options { memtable_bytes: 4 << 10, ..Options::default() })
    }
}

impl Harness for OnDisk {
    type Store = DiskStore;

    fn store(&mut self) -> &mut DiskStore {
        let store = self.store.as_mut().unwrap();
        store.room.pretend = std::mem::take(&mut self.full).then_some(Free { available: 0, total: 0 });
        store
    }

    fn reopen(&mut self) {
        self.store = None;
        self.store = Some(DiskStore::open_with(self.dir.path(), self.options).unwrap());
    }

    fn fail_next_commit(&mut self, kind: StoreErrorKind) -> bool {
        match kind {
            StoreErrorKind::Full => self.full = true,
            _ => self.store().fail_next = true,
        }
        true
    }
}

#[test]
fn conforms() {
    conformance::run(&mut || OnDisk::new(Options::default()));
}

#[test]
fn conforms_with_tiny_memtables() {
    conformance::run(&mut OnDisk::small);
}

#[test]
fn agrees_with_the_model() {
    conformance::random(&mut OnDisk::small, 1_000, 15);
}

#[test]
fn the_directory_stays_in_use_while_a_snapshot_exists() {
    let mut harness = OnDisk::new(Options::default());
    let snapshot = harness.store().snapshot();
    harness.store = None;
    assert_eq!(DiskStore::open(harness.dir.path()).unwrap_err().kind, StoreErrorKind::InUse);
    drop(snapshot);
    harness.reopen();
}

#[test]
fn a_creation_that_ended_early_starts_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(DataDir::open(dir.path()).unwrap());
    std::fs::create_dir(dir.path().join("store.new")).unwrap();
    std::fs::write(dir.path().join("store.new/half"), b"half a log").unwrap();
    let mut store = DiskStore::open(dir.path()).unwrap();
    store.commit(&Batch { log: vec![(1, vec![1])], rows: BTreeMap::new() }).unwrap();
    assert!(!dir.path().join("store.new").exists());
    assert!(store.disk_bytes() > 0);
    assert!(format!("{store:?} {:?}", store.snapshot()).contains("poisoned: None"));
}

#[test]
fn damage_is_told() {
    let mut harness = OnDisk::new(Options::default());
    harness.store = None;
    std::fs::write(harness.dir.path().join("store/rows/current"), b"nonsense").unwrap();
    assert_eq!(DiskStore::open(harness.dir.path()).unwrap_err().kind, StoreErrorKind::Corrupt);
}

/// While one thread commits, others read states of theirs, new and old.
#[test]
fn what_readers_of_all_states_are_shown_is_of_their_state() {
    const KEYS: u8 = 20;
    let mut harness = OnDisk::small();
    let store = harness.store();
    let commit = |store: &mut DiskStore, n: u64| {
        let row = |key| ((Space::Rows, vec![key]), Some(n.to_be_bytes().to_vec()));
        store.commit(&Batch { log: vec![(n, vec![1])], rows: (0..KEYS).map(row).collect() }).unwrap();
        store.snapshot()
    };
    std::thread::scope(|scope| {
        let readers = [(); 2].map(|()| {
            let (sender, states) = std::sync::mpsc::sync_channel::<(u64, DiskSnapshot)>(2);
            scope.spawn(move || {
                let mut past = Vec::new();
                for state in states {
                    past.push(state);
                    for (n, state) in &past {
                        let expected = Some(n.to_be_bytes().to_vec());
                        assert!((0..KEYS).all(|key| state.get(Space::Rows, &[key]).unwrap() == expected));
                    }
                    past.drain(..past.len().saturating_sub(3));
                }
            });
            sender
        });
        for n in 1..500 {
            let state = commit(store, n);
            assert_eq!(store.get(Space::Rows, &[3]).unwrap(), Some(n.to_be_bytes().to_vec()));
            readers.iter().for_each(|reader| reader.send((n, state.clone())).unwrap());
        }
    });
}
