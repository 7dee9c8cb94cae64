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

#[test]
fn a_watch_with_much_to_tell_goes_on_in_groups_and_its_token_never_goes_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let db = Database::builder().names("shop", "eu", "eu").open(dir.path().join("data")).expect("a database");
    let likes = db.pn_counter("likes").expect("likes");
    let (sender, done) = std::sync::mpsc::channel();
    let count = 12_000;
    for n in 0..count {
        let operation = anabranch::Operation::Add(1);
        let (collection, key, kind) = ("likes".to_owned(), format!("k{n}"), anabranch::Kind::PN_COUNTER);
        let change = anabranch::Change::Operate { collection, kind, key, operation, context: None };
        let sender = sender.clone();
        db.submit(anabranch::Write { changes: vec![change], key: None }, move |answer| {
            sender.send(answer.is_ok()).expect("the test listens");
        });
        if n % 1_000 == 999 {
            assert!(done.iter().take(1_000).all(|written| written));
        }
    }
    likes.add("last", 1).expect("a write");
    let mut watch = db.watch(Filter::default(), Some(&Token::new())).expect("a watch");
    let (mut told, mut cuts, mut last) = (BTreeSet::new(), 0, Token::new());
    while let Some(cut) = watch.poll().expect("a cut") {
        told.extend(cut.changes.into_iter().map(|change| change.key));
        let mut joined = last.clone();
        joined.join(&cut.token);
        assert_eq!(joined, cut.token, "a token never goes back");
        // Beginning again at any cut tells just the rest.
        let (rest, _) = drain(&db, Filter::default(), Some(&cut.token));
        assert_eq!(told.union(&rest).count(), count + 1);
        assert!(rest.len() + told.len() <= count + 1 + 64, "{} told, {} again", told.len(), rest.len());
        (last, cuts) = (cut.token, cuts + 1);
    }
    assert_eq!((told.len(), cuts), (count + 1, 2));
}
