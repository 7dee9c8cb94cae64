//! A walk through a collection shows what reading its keys one by one shows.

use crate::replica::{Replica, add, one, operate, put, sent};
use anabranch_causality::Kind;
use anabranch_engine::{query, walk};
use anabranch_protocol::Message;
use anabranch_resolvers::{Operation, Outcome};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A replica with keys of all shapes: beginnings of others, gone, in several versions, with more rows than are gathered.
fn replica() -> Replica {
    let (mut a, mut b) = (Replica::new("a", 1), Replica::new("b", 2));
    a.connect("b", 2);
    b.connect("a", 1);
    for key in ["k", "k ", "k!", "kk", "l", "ü"] {
        a.write(&one(put(key, "a"))).expect("writes");
        b.engine.handle_write(&b.store, b.time, 1, &one(put(key, "b"))).expect("handled");
        let concurrently = sent(&b.settle(), "a");
        a.message("b", Message::Transactions(concurrently));
        a.write(&one(add(key, 7))).expect("writes");
    }
    a.write(&one(operate("names", Kind::REGISTER, "l", Operation::Delete))).expect("deletes");
    for (key, fields) in [("few", 3), ("many", 300), ("no", 0), ("one", 1)] {
        for n in 0..fields {
            let fields = BTreeMap::from([(format!("f{n}"), n.into())]);
            a.write(&one(operate("maps", Kind::MAP, key, Operation::SetFields(fields)))).expect("writes");
        }
    }
    a.write(&one(operate("maps", Kind::MAP, "large", large()))).expect("writes");
    for (key, at) in [("a", 0), ("b", 0), ("b", 1)] {
        a.write(&one(operate("notes", Kind::TEXT, key, Operation::InsertText { at, text: "x".into() })))
            .expect("writes");
    }
    a
}

fn large() -> Operation {
    Operation::SetFields(BTreeMap::from([("f".to_owned(), "x".repeat(70_000).into())]))
}

fn one_by_one(a: &Replica, collection: &str, prefix: &str, after: Option<&str>) -> Vec<(String, Outcome)> {
    let found = a.engine.catalog().find(collection).expect("a collection");
    let (mut all, mut last) = (Vec::new(), after.map(str::to_owned));
    while let Some(key) = query::next_key(&a.store, found, prefix, last.as_deref()).expect("a key") {
        let value = query::value(&a.registry, &a.store, found, &key, None, usize::MAX).expect("a value");
        all.extend(value.map(|value| (key.clone(), value)));
        last = Some(key);
    }
    all
}

fn walked(a: &Replica, collection: &str, range: (&str, Option<&str>), most: usize) -> Vec<(String, Outcome)> {
    let found = a.engine.catalog().find(collection).expect("a collection");
    let mut all = Vec::new();
    walk::values(&a.registry, &a.store, found, range, &mut |key, outcome| {
        all.push((key.to_owned(), outcome));
        if all.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })
    .expect("values");
    all
}

#[test]
fn all_that_a_walk_shows_is_what_reading_key_by_key_shows() {
    let a = replica();
    let mut shown = 0;
    for collection in ["names", "likes", "maps", "notes"] {
        let all = one_by_one(&a, collection, "", None);
        assert_eq!(walked(&a, collection, ("", None), usize::MAX), all, "{collection}");
        shown += all.len();
        for (at, (key, _)) in all.iter().enumerate() {
            assert_eq!(
                walked(&a, collection, ("", Some(key)), usize::MAX),
                all[at + 1..],
                "{collection} after {key:?}"
            );
            assert_eq!(walked(&a, collection, ("", None), at + 1), all[..=at], "{collection}, {} of it", at + 1);
            assert_eq!(walked(&a, collection, (key, None), 99), one_by_one(&a, collection, key, None));
        }
    }
    assert_eq!(shown, 5 + 6 + 4 + 2);
}

#[test]
fn a_walk_reads_each_row_once_and_looks_nothing_up() {
    let mut a = Replica::new("a", 1);
    for n in 0..100 {
        a.write(&one(put(&format!("{n}"), "v"))).expect("writes");
    }
    a.store.reset_counts();
    assert_eq!(walked(&a, "names", ("", None), usize::MAX).len(), 100);
    let counts = a.store.counts();
    assert_eq!((counts.gets, counts.rows), (0, 100));
}
