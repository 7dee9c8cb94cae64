//! Rows and log records: what was put is there, in order.

use std::ops::ControlFlow;

use anabranch_engine::store::{Batch, Read, Space, Store};

use super::{Harness, all, batch, log, ok, range, some};
use crate::limits::KEY_MAX;

pub(super) fn put_get_delete<H: Harness>(harness: &mut H) {
    let store = harness.store();
    assert_eq!(ok(store.get(Space::Rows, b"a")), None);
    ok(store.commit(&batch(Space::Rows, [(b"a", Some(b"1")), (b"b", Some(b""))])));
    assert_eq!(ok(store.get(Space::Rows, b"a")).as_deref(), Some(&b"1"[..]));
    assert_eq!(ok(store.get(Space::Rows, b"b")).as_deref(), Some(&b""[..]), "an empty value is a value");
    assert_eq!(ok(store.get(Space::Rows, b"aa")), None);
    ok(store.commit(&batch(Space::Rows, [(b"a", Some(b"2")), (b"c", None)])));
    assert_eq!(ok(store.get(Space::Rows, b"a")).as_deref(), Some(&b"2"[..]));
    ok(store.commit(&batch(Space::Rows, [(b"a", None)])));
    assert_eq!(ok(store.get(Space::Rows, b"a")), None);
    assert_eq!(range(store, Space::Rows, &[], &[]), [(b"b".to_vec(), Vec::new())]);
    ok(store.commit(&batch(Space::Rows, [(b"a", Some(b"3"))])));
    assert_eq!(ok(store.get(Space::Rows, b"a")).as_deref(), Some(&b"3"[..]), "put again after a deletion");
    ok(store.commit(&Batch::default()));
}

pub(super) fn spaces_are_separate<H: Harness>(harness: &mut H) {
    let store = harness.store();
    let mut puts = Batch::default();
    for space in Space::ALL {
        puts.rows.insert((space, b"same".to_vec()), Some(vec![space as u8]));
    }
    puts.log.push((1, b"log".to_vec()));
    ok(store.commit(&puts));
    ok(store.commit(&batch(Space::Actors, [(b"same", None)])));
    for space in Space::ALL {
        let expected = (space != Space::Actors).then(|| vec![space as u8]);
        assert_eq!(ok(store.get(space, b"same")), expected, "{space:?}");
        assert_eq!(range(store, space, &[], &[]).len(), usize::from(expected.is_some()), "{space:?}");
    }
    assert_eq!(log(store, 0), [(1, b"log".to_vec())]);
}

pub(super) fn scan_order_and_bounds<H: Harness>(harness: &mut H) {
    let store = harness.store();
    let keys: [&[u8]; 7] = [b"a", b"a\x00", b"a\xff", b"b", b"ba", b"c", b"\xff\xff"];
    let reversed = keys.iter().rev().map(|key| ((Space::Index, key.to_vec()), Some(key.to_vec())));
    ok(store.commit(&Batch { log: Vec::new(), rows: reversed.collect() }));
    let bounds: [&[u8]; 12] =
        [b"", b"a", b"a\x00", b"a\x00\x00", b"a\xff", b"b", b"ba", b"bb", b"c", b"d", b"\xff\xff", b"\xff\xff\xff"];
    for from in bounds {
        for to in bounds {
            let found: Vec<_> = range(store, Space::Index, from, to).into_iter().map(|(key, _)| key).collect();
            let expected: Vec<_> = keys.iter().filter(|key| **key >= from && (to.is_empty() || **key < to)).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "from {from:?} to {to:?}");
        }
    }
    let long = vec![b'a'; KEY_MAX + 1];
    assert_eq!(range(store, Space::Index, &long, b"b").len(), 1, "a bound may be longer than any key");
    assert_eq!(range(store, Space::Index, b"", &long).len(), 2);
    assert!(range(store, Space::Index, &long, &long).is_empty());
}

pub(super) fn break_ends_a_scan<H: Harness>(harness: &mut H) {
    let store = harness.store();
    let rows = (0..300u16).map(|n| ((Space::Rows, n.to_be_bytes().to_vec()), Some(Vec::new())));
    let records = (1..=300).map(|index| (index, Vec::new()));
    ok(store.commit(&Batch { log: records.collect(), rows: rows.collect() }));
    let first = |back| some(store, Space::Rows, &5u16.to_be_bytes(), &290u16.to_be_bytes(), back, 2);
    let numbers = |back| first(back).into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(numbers(false), [5u16.to_be_bytes(), 6u16.to_be_bytes()]);
    assert_eq!(numbers(true), [289u16.to_be_bytes(), 288u16.to_be_bytes()]);
    let mut seen = Vec::new();
    ok(store.log(7, &mut |index, _| {
        seen.push(index);
        if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }));
    assert_eq!(seen, [7, 8, 9]);
}

pub(super) fn bytes_of_all_kinds<H: Harness>(harness: &mut H) {
    let mut puts = Batch::default();
    for first in [0x00, 0x01, 0x7f, 0x80, 0xfe, 0xff] {
        for length in 1..5 {
            for last in [0x00, 0xff] {
                let mut key = vec![first; length];
                key.push(last);
                puts.rows.insert((Space::Meta, key.clone()), Some(key));
            }
        }
    }
    puts.rows.insert((Space::Meta, vec![0]), Some(vec![0]));
    puts.rows.insert((Space::Meta, vec![0xff; KEY_MAX]), Some(vec![0xff]));
    ok(harness.store().commit(&puts));
    for _ in 0..2 {
        let found = range(harness.store(), Space::Meta, &[], &[]);
        let expected = puts.rows.iter().map(|((_, key), value)| (key.clone(), value.clone().unwrap_or_default()));
        assert!(found.into_iter().eq(expected), "keys in byte order");
        harness.reopen();
    }
}

pub(super) fn limits<H: Harness>(harness: &mut H) {
    let store = harness.store();
    let long = vec![1; KEY_MAX + 1];
    for key in [&b""[..], &long] {
        assert!(store.commit(&batch(Space::Rows, [(key, Some(b"x")), (b"ok", Some(b"x"))])).is_err());
        assert_eq!(ok(store.get(Space::Rows, key)), None);
    }
    assert_eq!(all(store), all(&store.snapshot()));
    assert!(range(store, Space::Rows, &[], &[]).is_empty(), "a refused batch leaves nothing");
    ok(store.commit(&batch(Space::Rows, [(b"ok", Some(b"x"))])));
}

pub(super) fn large_values<H: Harness>(harness: &mut H) {
    // Neither compressible nor all alike.
    let large = |seed: u32| -> Vec<u8> {
        let mut state = seed;
        let next = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        next.take(1 << 20).collect()
    };
    for n in 1..=6u8 {
        let mut puts = batch(Space::Rows, [(&[n], Some(&large(n.into()))), (&[n, 0], Some(b"small"))]);
        puts.log.push((n.into(), large(u32::from(n) + 100)));
        ok(harness.store().commit(&puts));
    }
    for _ in 0..2 {
        for n in 1..=6u8 {
            assert!(ok(harness.store().get(Space::Rows, &[n])) == Some(large(n.into())), "value {n}");
        }
        let records = log(harness.store(), 6);
        assert!(records == [(6, large(106))], "log record");
        harness.reopen();
    }
}

pub(super) fn log_reads_from_an_index<H: Harness>(harness: &mut H) {
    let store = harness.store();
    assert!(log(store, 0).is_empty());
    let record = |index: u64| (index, index.to_string().into_bytes());
    for first in (1..=901).step_by(100) {
        ok(store.commit(&Batch { log: (first..first + 100).map(record).collect(), rows: Default::default() }));
    }
    for from in [0, 1, 2, 255, 256, 257, 1_000, 1_001, u64::MAX] {
        assert!(log(store, from).into_iter().eq((from.max(1)..=1_000).map(record)), "from {from}");
    }
    harness.reopen();
    assert!(log(harness.store(), 0).into_iter().eq((1..=1_000).map(record)));
    ok(harness.store().commit(&Batch { log: vec![record(1_001)], rows: Default::default() }));
    assert_eq!(log(harness.store(), 1_001), [record(1_001)]);
}
