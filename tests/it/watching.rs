//! Watches miss nothing, also across a crash.

use anabranch::{Database, Filter, Token};
use futures_core::Stream;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

fn scratch() -> (tempfile::TempDir, Database) {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Database::open(dir.path().join("data")).expect("a database");
    (dir, db)
}

/// All keys that a watch tells until there is no more, and the last cut's token.
fn drain(db: &Database, filter: Filter, since: Option<&Token>) -> (BTreeSet<String>, Option<Token>) {
    let mut watch = db.watch(filter, since).expect("a watch");
    let (mut keys, mut token) = (BTreeSet::new(), None);
    while let Some(cut) = watch.poll().expect("a cut") {
        keys.extend(cut.changes.into_iter().map(|change| change.key));
        token = Some(cut.token);
    }
    (keys, token)
}

#[test]
fn a_watch_goes_on_after_a_crash_where_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    let start = Token::new();
    let mut told = BTreeSet::new();
    let mut token = start;
    let mut written = BTreeSet::new();
    for round in 0..4 {
        let db = Database::open(&path).expect("a database");
        let likes = db.pn_counter("likes").expect("likes");
        for n in 0..50 {
            let key = format!("r{round}-{n}");
            likes.add(&key, 1).expect("a write");
            written.insert(key);
            if n == 25 {
                let (keys, last) = drain(&db, Filter::default(), Some(&token));
                told.extend(keys);
                token = last.unwrap_or(token);
            }
        }
        db.crash();
    }
    let db = Database::open(&path).expect("a database");
    let (keys, _) = drain(&db, Filter::default(), Some(&token));
    assert!(!keys.contains("r0-1"), "what was told before is not told again");
    told.extend(keys);
    assert_eq!(told, written);
}

#[test]
fn a_watch_tells_only_what_was_asked_for_and_wakes_for_new_changes() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Database::open(dir.path().join("data")).expect("a database");
    let (likes, carts) = (db.pn_counter("likes").expect("likes"), db.cart("carts").expect("carts"));
    likes.add("before", 1).expect("a write");
    let filter = Filter { collection: Some("likes".to_owned()), prefix: "p".to_owned() };
    let mut watch = db.watch(filter, None).expect("a watch");
    carts.add("p1", "x", 1).expect("a write");
    likes.add("q", 1).expect("a write");
    likes.add("p2", 5).expect("a write");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut keys = Vec::new();
    while keys.is_empty() {
        let cut = runtime.block_on(watch.next()).expect("a cut");
        keys.extend(cut.changes.into_iter().map(|change| (change.key, change.outcome.map(|o| o.value))));
    }
    assert_eq!(keys, [("p2".to_owned(), Some(5.into()))]);
    db.close();
    assert!(runtime.block_on(watch.next()).is_err(), "a closed database ends its watches");
}

#[test]
fn a_group_with_much_to_tell_comes_in_parts_of_one_state_and_tells_each_key_once() {
    let (_dir, db) = scratch();
    let likes = db.pn_counter("likes").expect("likes");
    let count = 70_000;
    // More keys than a watch holds at a time, the last of them first.
    for first in (0..count).step_by(1_000).rev() {
        let key = |n: u32| format!("k{n:05}");
        db.write(|tx| (first..first + 1_000).try_for_each(|n| likes.in_tx(tx).add(&key(n), 1))).expect("a write");
    }
    let begin = Token::new();
    let mut watch = db.watch(Filter::default(), Some(&begin)).expect("a watch");
    let mut parts = vec![watch.poll().expect("a part").expect("there is much")];
    // What comes in between is not of this group.
    likes.add("k00000", 1).expect("a write");
    likes.add("new", 1).expect("a write");
    while !parts.last().expect("one").whole {
        parts.push(watch.poll().expect("a part").expect("the group is not whole"));
    }
    let (end, rest) = parts.split_last().expect("parts");
    assert!(rest.iter().all(|part| part.token == begin && part.shown == end.shown && part.changes.len() <= 1_000));
    assert_eq!(end.token, end.shown);
    let told: Vec<_> = parts.iter().flat_map(|part| &part.changes).collect();
    assert!(told.iter().all(|change| change.outcome.as_ref().is_some_and(|outcome| outcome.value == 1)));
    let keys: BTreeSet<&str> = told.iter().map(|change| change.key.as_str()).collect();
    assert_eq!((keys.len(), told.len()), (count as usize, count as usize));
    let next = watch.poll().expect("a cut").expect("what came in between");
    assert!(next.whole);
    let values: Vec<_> =
        next.changes.iter().map(|c| (c.key.as_str(), c.outcome.as_ref().map(|o| o.value.clone()))).collect();
    assert_eq!(values, [("k00000", Some(2.into())), ("new", Some(1.into()))]);
    assert_eq!(watch.poll(), Ok(None));
    assert_eq!(watch.token(), &next.token);
}

#[test]
fn a_watch_is_a_stream_that_wakes_whoever_waits_and_ends_with_the_database() {
    let (_dir, db) = scratch();
    let names = db.lww::<u32>("names").expect("names");
    let mut watch = db.watch(Filter::default(), None).expect("a watch");
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut context = Context::from_waker(&waker);
    let mut poll = |watch: &mut anabranch::Watch| Pin::new(watch).poll_next(&mut context);
    assert!(poll(&mut watch).is_pending() && poll(&mut watch).is_pending());
    assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "nothing has happened");
    for n in 1..=100u32 {
        names.put("k", &n).expect("a write");
        assert!(wakes.0.swap(0, Ordering::SeqCst) > 0, "write {n} wakes it");
        let mut seen = None;
        while seen != Some(n.into()) {
            match poll(&mut watch) {
                Poll::Ready(Some(Ok(cut))) => {
                    assert!(cut.changes.len() == 1 && cut.whole);
                    seen = cut.changes[0].outcome.as_ref().map(|outcome| outcome.value.clone());
                }
                // It reads on, or was told of what it has told already.
                other => assert!(other.is_pending(), "{other:?}"),
            }
        }
        assert!(poll(&mut watch).is_pending());
    }
    db.close();
    assert!(wakes.0.load(Ordering::SeqCst) > 0, "closing wakes it");
    let closed = anabranch::ReadError::Wait(anabranch::WaitError::Closed);
    assert_eq!(poll(&mut watch), Poll::Ready(Some(Err(closed))));
    assert_eq!(poll(&mut watch), Poll::Ready(None));
}

/// How often it was woken.
#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
