//! Sessions, tokens and operation ids, in the library.

use crate::support::{Cluster, eventually, mesh};
use anabranch::{Database, Guarantees, ReadError, Refusal, Token, WaitError, WriteError};
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

#[test]
fn each_guarantee_waits_for_its_own_vector() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::open(dir.path().join(name)).expect("a database");
    let (a, b) = (cluster.join(open("a"), "a"), cluster.join(open("b"), "b"));
    let (likes_a, likes_b) = (a.db.pn_counter("likes").expect("likes"), b.db.pn_counter("likes").expect("likes"));
    let at_b = |saved: &str, guarantees: Guarantees| {
        let session =
            b.db.resume(saved).expect("a session").with_guarantees(guarantees).wait(Duration::from_millis(50));
        let read = session.view().is_ok();
        let written = session.write(|tx| likes_b.in_tx(tx).add("q", 1)).is_ok();
        (read, written)
    };
    // What it wrote is not at b.
    let writer = a.db.session();
    writer.write(|tx| likes_a.in_tx(tx).add("p", 1)).expect("a write");
    let saved = writer.save();
    assert_eq!(at_b(&saved, Guarantees::ALL), (false, false));
    assert_eq!(at_b(&saved, Guarantees::NONE), (true, true));
    assert_eq!(at_b(&saved, Guarantees::NONE.read_your_writes(true)), (false, true));
    assert_eq!(at_b(&saved, Guarantees::NONE.monotonic_reads(true)), (true, true));
    assert_eq!(at_b(&saved, Guarantees::NONE.monotonic_writes(true)), (true, false));
    assert_eq!(at_b(&saved, Guarantees::NONE.writes_follow_reads(true)), (true, true));
    // What it read is not at b.
    let reader = a.db.session();
    assert!(reader.get("likes", "p").expect("a read").is_some());
    let saved = reader.save();
    assert_eq!(at_b(&saved, Guarantees::NONE.read_your_writes(true)), (true, true));
    assert_eq!(at_b(&saved, Guarantees::NONE.monotonic_reads(true)), (false, true));
    assert_eq!(at_b(&saved, Guarantees::NONE.monotonic_writes(true)), (true, true));
    assert_eq!(at_b(&saved, Guarantees::NONE.writes_follow_reads(true)), (true, false));
    assert!(b.db.resume("nonsense").is_err());
    // The same for one call.
    let session = b.db.resume(&saved).expect("a session").wait(Duration::from_millis(50));
    assert!(session.view().is_err() && session.view_with(Guarantees::ALL.monotonic_reads(false)).is_ok());
    let write = |guarantees| session.write_with(guarantees, |tx| likes_b.in_tx(tx).add("q", 1)).is_ok();
    assert!(!write(Guarantees::ALL) && write(Guarantees::ALL.writes_follow_reads(false)));
}

#[test]
fn a_saved_session_goes_on_elsewhere_with_its_counter() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::open(dir.path().join(name)).expect("a database");
    let (a, b) = (cluster.join(open("a"), "a"), cluster.join(open("b"), "b"));
    let (likes_a, likes_b) = (a.db.pn_counter("likes").expect("likes"), b.db.pn_counter("likes").expect("likes"));
    mesh(&[("a", &a), ("b", &b)]);
    let session = a.db.session();
    session.write(|tx| likes_a.in_tx(tx).add("p", 1)).expect("a write");
    let moved = b.db.resume(&session.save()).expect("a session").wait(Duration::from_secs(10));
    assert_eq!((moved.id(), moved.counter()), (session.id(), 1));
    assert_eq!(likes_b.get_in(&moved.view().expect("what it wrote"), "p"), Ok(1));
    // The answer to the first write was lost, say: repeated here, it takes effect once.
    let (_, repeated) = moved.write_as(1, |tx| likes_b.in_tx(tx).add("p", 1)).expect("a repeat");
    assert!(repeated.repeated);
    moved.write(|tx| likes_b.in_tx(tx).add("p", 1)).expect("a write");
    assert_eq!((moved.counter(), likes_b.get("p")), (2, Ok(2)));
}

#[test]
fn a_session_carries_all_that_a_clearing_took() {
    let db = Database::builder().names("shop", "eu", "eu").open_in_memory().expect("a database");
    let tags = db.or_set("tags").expect("tags");
    for chunk in (0..12_000i64).collect::<Vec<_>>().chunks(1_000) {
        db.write(|tx| chunk.iter().try_for_each(|n| tags.in_tx(tx).add("k", *n))).expect("a write");
    }
    let session = db.session();
    let clear = |tx: &anabranch::Tx| {
        tx.operate("tags", anabranch::Kind::OR_SET, "k", anabranch::Operation::Delete, None);
        Ok(())
    };
    let ((), first) = session.write(clear).expect("a write");
    assert!(first.incomplete, "it took more than one transaction");
    assert_eq!(session.token(), db.token(), "elsewhere the session waits for the last of them");
}

#[test]
fn a_session_carries_what_a_refusal_showed() {
    let db = Database::builder().names("shop", "eu", "eu").open_in_memory().expect("a database");
    let sums = db.pn_counter("sums").expect("sums");
    sums.add("k", i64::MAX).expect("a write");
    let session = db.session();
    let refused = session.write(|tx| sums.in_tx(tx).add("k", 1));
    assert!(matches!(refused, Err(WriteError::Refused(Refusal::Rejected { .. }))), "{refused:?}");
    assert_eq!(session.token(), db.token(), "another replica shows that sum, or makes the session wait");
}
