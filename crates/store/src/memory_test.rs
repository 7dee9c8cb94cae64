use super::*;
use crate::conformance::{self, Harness};

impl Harness for MemoryStore {
    type Store = Self;

    fn store(&mut self) -> &mut Self {
        self
    }

    fn reopen(&mut self) {
        self.crash();
    }

    fn fail_next_commit(&mut self, kind: StoreErrorKind) -> bool {
        Self::fail_next_commit(self, kind);
        true
    }
}

fn put(key: u8, value: u8) -> Batch {
    Batch { log: vec![(key.into(), vec![value])], rows: [((Space::Rows, vec![key]), Some(vec![value]))].into() }
}

fn value(store: &impl Read, key: u8) -> Option<u8> {
    store.get(Space::Rows, &[key]).unwrap().map(|value| value[0])
}

#[test]
fn conforms() {
    conformance::run(&mut MemoryStore::new);
}

#[test]
fn agrees_with_the_model() {
    conformance::random(&mut MemoryStore::new, 1, 200);
}

#[test]
fn a_crash_forgets_what_was_not_synced() {
    let mut store = MemoryStore::new();
    store.commit(&put(1, 10)).unwrap();
    store.write(&put(1, 11)).unwrap();
    store.write(&put(2, 20)).unwrap();
    let seen = store.snapshot();
    assert_eq!((value(&store, 1), value(&store, 2)), (Some(11), Some(20)));
    store.crash();
    assert_eq!((value(&store, 1), value(&store, 2)), (Some(10), None));
    assert_eq!((value(&seen, 1), value(&seen, 2)), (Some(11), Some(20)), "what was read was read");
    store.write(&put(2, 21)).unwrap();
    store.sync().unwrap();
    store.crash();
    assert_eq!(value(&store, 2), Some(21));
}

#[test]
fn an_image_is_what_was_synced_and_can_come_back() {
    let mut store = MemoryStore::new();
    store.commit(&put(1, 10)).unwrap();
    store.write(&put(1, 11)).unwrap();
    let image = store.image();
    assert_eq!(value(&store, 1), Some(11));
    store.sync().unwrap();
    store.commit(&put(2, 20)).unwrap();
    assert_ne!(store.image(), image);
    store.roll_back(image.clone());
    assert_eq!((value(&store, 1), value(&store, 2)), (Some(10), None));
    assert_eq!(store.image(), image);
    store.commit(&put(3, 30)).unwrap();
    assert_eq!((value(&store, 3), store.len(Space::Rows)), (Some(30), 2));
}

#[test]
fn a_failed_commit_may_be_on_disk_all_the_same() {
    for on_disk in [false, true] {
        let mut store = MemoryStore::new();
        store.write(&put(1, 10)).unwrap();
        if on_disk {
            store.fail_next_commit_on_disk(StoreErrorKind::Io);
        } else {
            store.fail_next_commit(StoreErrorKind::Io);
        }
        assert_eq!(store.commit(&put(2, 20)).unwrap_err().kind, StoreErrorKind::Io);
        assert_eq!(store.sync().unwrap_err().kind, StoreErrorKind::Poisoned);
        assert_eq!((value(&store, 1), value(&store, 2)), (Some(10), None));
        store.crash();
        let expected = if on_disk { (Some(10), Some(20)) } else { (None, None) };
        assert_eq!((value(&store, 1), value(&store, 2)), expected);
        store.commit(&put(3, 30)).unwrap();
    }
}

#[test]
fn counts_what_was_done() {
    let mut store = MemoryStore::new();
    for key in 1..=9 {
        store.commit(&put(key, key)).unwrap();
    }
    store.write(&put(1, 0)).unwrap();
    store.reset_counts();
    store.commit(&put(10, 10)).unwrap();
    let snapshot = store.snapshot();
    let mut left = 3;
    snapshot
        .scan(Space::Rows, &[], &[], &mut |_, _| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    store.log(9, &mut |_, _| ControlFlow::Continue(())).unwrap();
    value(&snapshot, 1);
    assert_eq!(store.counts(), Counts { commits: 1, syncs: 1, gets: 1, rows: 5 });
}
