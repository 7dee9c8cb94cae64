//! Atomic, isolated, durable.

use anabranch_engine::store::{Batch, Read, Space, Store, StoreErrorKind};

use super::{Harness, all, batch, log, ok, range};

/// A batch that touches everything, different for each `n`: later ones replace and delete rows of earlier ones.
fn mixed(n: u64) -> Batch {
    let mut batch = Batch { log: vec![(n, n.to_be_bytes().to_vec())], rows: Default::default() };
    for space in Space::ALL {
        batch.rows.insert((space, b"latest".to_vec()), Some(n.to_be_bytes().to_vec()));
        batch.rows.insert((space, n.to_be_bytes().to_vec()), Some(vec![space as u8; (n % 50) as usize]));
        if n > 3 {
            batch.rows.insert((space, (n - 3).to_be_bytes().to_vec()), None);
        }
    }
    batch
}

pub(super) fn a_batch_becomes_visible_whole<H: Harness>(harness: &mut H) {
    let store = harness.store();
    for n in 1..=20u64 {
        ok(store.commit(&mixed(n)));
        for space in Space::ALL {
            assert_eq!(ok(store.get(space, b"latest")), Some(n.to_be_bytes().to_vec()));
            assert_eq!(range(store, space, &[], &[]).len() as u64, n.min(3) + 1);
        }
        assert_eq!(log(store, n).len(), 1);
    }
}

pub(super) fn snapshots_stay<H: Harness>(harness: &mut H) {
    let store = harness.store();
    let mut snapshots = vec![(all(store), store.snapshot())];
    for n in 1..=40u64 {
        ok(store.commit(&mixed(n)));
        snapshots.push((all(store), store.snapshot()));
    }
    for (expected, snapshot) in &snapshots {
        assert_eq!(&all(snapshot), expected, "a snapshot does not change");
        let latest = expected.1.last().map(|(index, _)| index.to_be_bytes().to_vec());
        for space in Space::ALL {
            assert_eq!(ok(snapshot.get(space, b"latest")), latest, "all spaces are of the same state as the log");
        }
    }
}

pub(super) fn snapshots_cross_threads<H: Harness>(harness: &mut H) {
    let store = harness.store();
    ok(store.commit(&mixed(1)));
    let snapshot = store.snapshot();
    let expected = all(&snapshot);
    let readers: Vec<_> = std::iter::repeat_with(|| {
        let snapshot = store.snapshot();
        std::thread::spawn(move || (0..20).map(|_| all(&snapshot)).collect::<Vec<_>>())
    })
    .take(2)
    .collect();
    for n in 2..=20 {
        ok(store.commit(&mixed(n)));
    }
    for reader in readers {
        match reader.join() {
            Ok(seen) => assert!(seen.iter().all(|seen| *seen == expected)),
            Err(_) => panic!("reading a snapshot on another thread panicked"),
        }
    }
}

pub(super) fn reopening_keeps_everything<H: Harness>(harness: &mut H) {
    for n in 1..=60u64 {
        ok(harness.store().commit(&mixed(n)));
        if n % 13 == 0 {
            let before = all(harness.store());
            harness.reopen();
            assert_eq!(all(harness.store()), before, "after batch {n}");
            assert_eq!(all(&harness.store().snapshot()), before, "in a snapshot, after batch {n}");
        }
    }
    harness.reopen();
    harness.reopen();
    assert_eq!(log(harness.store(), 0).len(), 60);
}

pub(super) fn failures<H: Harness>(harness: &mut H) {
    ok(harness.store().commit(&mixed(1)));
    let before = all(harness.store());
    if harness.fail_next_commit(StoreErrorKind::Full) {
        let error = harness.store().commit(&mixed(2)).err();
        assert_eq!(error.map(|error| error.kind), Some(StoreErrorKind::Full));
        assert_eq!(all(harness.store()), before);
        harness.fail_next_commit(StoreErrorKind::Full);
        assert!(harness.store().commit(&mixed(2)).is_err());
        ok(harness.store().commit(&batch(Space::Meta, [(b"room", Some(b"again"))])));
    }
    let before = all(harness.store());
    if harness.fail_next_commit(StoreErrorKind::Io) {
        let error = harness.store().commit(&mixed(2)).err();
        assert_eq!(error.map(|error| error.kind), Some(StoreErrorKind::Io));
        for n in [2, 3] {
            let error = harness.store().commit(&mixed(n)).err();
            assert_eq!(error.map(|error| error.kind), Some(StoreErrorKind::Poisoned), "a sync is not retried");
            assert_eq!(all(harness.store()), before, "nothing of a failed batch is visible");
        }
        harness.reopen();
        ok(harness.store().commit(&mixed(4)));
        assert_eq!(ok(harness.store().get(Space::Rows, b"latest")), Some(4u64.to_be_bytes().to_vec()));
    }
}
