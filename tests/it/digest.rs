//! A replica that holds the same transactions but other rows is found out.

use crate::support::{Cluster, Node, equal, eventually, mesh};
use anabranch::Database;
use anabranch_engine::store::{Batch, Read, Space, Store};
use anabranch_store::DiskStore;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Changes a value behind the engine's back, as a bug or a bad disk would.
fn tamper(dir: &Path) {
    let mut store = DiskStore::open(dir).expect("a store");
    let mut found = None;
    store
        .scan(Space::Rows, &[], &[], &mut |key, value| {
            if value.ends_with(b"\"right\"") {
                found = Some((key.to_vec(), value.to_vec()));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })
        .expect("rows");
    let (key, mut value) = found.expect("the value");
    let start = value.len() - b"\"right\"".len();
    value[start..].copy_from_slice(b"\"wrong\"");
    let mut batch = Batch::default();
    batch.rows.insert((Space::Rows, key), Some(value));
    store.commit(&batch).expect("a commit");
}

fn mismatches(node: &Node) -> u64 {
    node.db.status().map_or(0, |status| status.counters.digest_mismatches)
}

fn plant(dir: &Path, cluster: &Cluster) -> (Node, Node) {
    let open = |name: &str| Database::open(dir.join(name)).expect("a database");
    let (a, b) = (cluster.join(open("a"), "a"), cluster.join(open("b"), "b"));
    mesh(&[("a", &a), ("b", &b)]);
    a.db.lww::<String>("c").expect("c").put("k", &"right".to_owned()).expect("a write");
    eventually("both have it", || equal(&[&a.db, &b.db]));
    drop(b.network);
    b.db.close();
    drop(b.db);
    tamper(&dir.join("b"));
    let b = cluster.join(open("b"), "b");
    mesh(&[("a", &a), ("b", &b)]);
    (a, b)
}

#[test]
fn different_rows_at_equal_vectors_raise_the_alarm() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = plant(dir.path(), &Cluster::new("shop"));
    // The digest is kept as rows come and go: the wrong row is noticed when it goes.
    a.db.lww::<String>("c").expect("c").put("k", &"next".to_owned()).expect("a write");
    eventually("an alarm on both sides", || mismatches(&a) > 0 && mismatches(&b) > 0);
    assert!(!equal(&[&a.db, &b.db]));
}

#[test]
fn the_alarm_comes_also_while_everybody_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let (a, b) = plant(dir.path(), &Cluster::new("shop"));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for node in [&a, &b] {
            let counter = node.db.pn_counter("busy").expect("busy");
            let stop = &stop;
            scope.spawn(move || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    counter.add(&format!("k{}", n % 1_000), 1).expect("a write");
                    n += 1;
                }
            });
        }
        a.db.lww::<String>("c").expect("c").put("k", &"next".to_owned()).expect("a write");
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("an alarm under load", || mismatches(&a) > 0 || mismatches(&b) > 0);
        }));
        stop.store(true, Ordering::Relaxed);
        found.expect("an alarm");
    });
}

#[test]
fn equal_replicas_raise_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::open(dir.path().join(name)).expect("a database");
    let (a, b) = (cluster.join(open("a"), "a"), cluster.join(open("b"), "b"));
    mesh(&[("a", &a), ("b", &b)]);
    std::thread::scope(|scope| {
        for node in [&a, &b] {
            let sets = node.db.or_set("s").expect("s");
            scope.spawn(move || {
                for n in 0..2_000i64 {
                    sets.add(&format!("k{}", n % 50), n % 7).expect("a write");
                }
            });
        }
    });
    eventually("both are equal", || equal(&[&a.db, &b.db]));
    // Two rounds of heartbeats later all buckets near the writes have been compared.
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!((mismatches(&a), mismatches(&b)), (0, 0));
}
