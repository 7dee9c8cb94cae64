//! Sessions, tokens and operation ids, in the library.

use crate::support::{Cluster, eventually, mesh};
use anabranch::{Database, ReadError, Refusal, Token, WaitError, WriteError};
use std::time::{Duration, Instant};

#[test]
fn a_token_makes_another_replica_wait_until_it_has_the_write() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::open(dir.path().join(name)).expect("a database");
    let (a, b) = (cluster.join(open("a"), "a"), cluster.join(open("b"), "b"));
    let (likes_a, likes_b) = (a.db.pn_counter("likes").expect("likes"), b.db.pn_counter("likes").expect("likes"));
    let writer = a.db.session();
    writer.write(|tx| likes_a.in_tx(tx).add("p", 1)).expect("a write");
    let reader = b.db.session().wait(Duration::from_millis(200));
    reader.join(&writer.token()).expect("a token");
    let begun = Instant::now();
    let refused = reader.view().map(|_| ());
    assert!(matches!(refused, Err(ReadError::Wait(WaitError::NotReached { .. }))), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "a wait ends at its deadline");
    mesh(&[("a", &a), ("b", &b)]);
    let view = b.db.view_at(&Token::decode(&writer.token(), "shop").expect("a token"), Duration::from_secs(10));
    assert_eq!(likes_b.get_in(&view.expect("a view"), "p"), Ok(1));
    let other = Cluster::new("bank");
    let c = other.join(open("c"), "c");
    assert!(reader.join(&c.db.session().token()).is_err(), "another cluster's token is refused");
}

#[test]
fn a_write_repeated_at_another_leader_counts_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::open(dir.path().join(name)).expect("a database");
    let (a, b) = (cluster.join(open("a"), "a"), cluster.join(open("b"), "b"));
    let (likes_a, likes_b) = (a.db.pn_counter("likes").expect("likes"), b.db.pn_counter("likes").expect("likes"));
    // The same request reaches both leaders while they do not know each other.
    let id = a.db.session().id();
    let write = |db: &Database, n: i64, counter: u64| {
        let operation = anabranch::Operation::Add(n);
        let (collection, key, kind) = ("likes".to_owned(), "p".to_owned(), anabranch::Kind::PN_COUNTER);
        let change = anabranch::Change::Operate { collection, kind, key, operation, context: None };
        db.apply(anabranch::Write { changes: vec![change], key: Some((id, counter)) })
    };
    assert!(!write(&a.db, 5, 1).expect("a write").repeated);
    assert!(write(&a.db, 5, 1).expect("a repeat").repeated);
    assert!(!write(&b.db, 5, 1).expect("a write").repeated);
    assert_eq!(write(&b.db, 6, 1), Err(WriteError::Refused(Refusal::IdempotencyKeyReused)));
    mesh(&[("a", &a), ("b", &b)]);
    eventually("both know both copies", || crate::support::equal(&[&a.db, &b.db]));
    assert_eq!((likes_a.get("p"), likes_b.get("p")), (Ok(5), Ok(5)));
    assert!(write(&b.db, 5, 1).expect("a repeat").repeated);
    // Far below the highest counter seen nothing new is taken; what was applied still answers.
    write(&a.db, 1, 5_000).expect("a write");
    assert!(matches!(write(&a.db, 1, 2), Err(WriteError::Refused(Refusal::BadIdempotencyKey(_)))));
    assert!(write(&a.db, 5, 1).expect("a repeat").repeated);
}
