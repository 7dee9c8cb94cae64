//! Watches miss nothing, also across a crash.

use anabranch::{Database, Filter, Token};
use std::collections::BTreeSet;

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
