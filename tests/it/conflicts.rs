//! The inbox in the library: what is open, who wrote it, deciding, history, and hearing of it.

use crate::support::{Cluster, Node, equal, eventually, mesh};
use anabranch::conflicts::{ConflictEvent, OpenConflict};
use anabranch::resolvers::{Keep, Resolution};
use anabranch::{Database, ReadError, Refusal, Rejection, WaitError, WriteError};
use futures_core::Stream;
use serde_json::json;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Two regions that do not hear of each other yet; both know the collection `docs`.
fn divided() -> (Node, Node) {
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::builder().names("shop", name, name).open_in_memory().expect("a database");
    let (eu, us) = (open("eu"), open("us"));
    for db in [&eu, &us] {
        db.escalate::<String>("docs").expect("a collection");
    }
    (cluster.join(eu, "eu"), cluster.join(us, "us"))
}

fn put(db: &Database, key: &str, value: &str) {
    db.escalate::<String>("docs").expect("a collection").put(key, &value.to_owned()).expect("written");
}

fn meet(eu: &Node, us: &Node) {
    mesh(&[("eu", eu), ("us", us)]);
    eventually("both are equal", || equal(&[&eu.db, &us.db]));
}

fn all(db: &Database) -> Vec<OpenConflict> {
    let mut conflicts = db.conflicts().expect("conflicts");
    let all = conflicts.by_ref().collect();
    assert_eq!(conflicts.failed(), None);
    all
}

fn rejection(answer: Result<anabranch::Written, WriteError>) -> Rejection {
    match answer {
        Err(WriteError::Refused(Refusal::Rejected { rejection, .. })) => rejection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_people_disagree_one_decides_and_everybody_knows_who_and_why() {
    let (eu, us) = divided();
    put(&eu.db, "readme", "one\nsame\n");
    put(&us.db, "readme", "two\nsame\n");
    put(&us.db, "other", "no conflict");
    meet(&eu, &us);
    let (open, there) = (all(&eu.db), all(&us.db));
    assert_eq!(open, there, "the same at both");
    let [conflict] = &open[..] else { panic!("{open:?}") };
    assert_eq!((conflict.collection.as_str(), conflict.key.as_str()), ("docs", "readme"));
    let mut regions: Vec<_> =
        conflict.options.iter().map(|option| (option.region.as_deref(), option.node.as_deref())).collect();
    regions.sort_unstable();
    assert_eq!(regions, [(Some("eu"), Some("eu")), (Some("us"), Some("us"))]);
    let shown = conflict.to_string();
    assert!(shown.contains("* one") && shown.contains("* two") && shown.contains("  same"), "{shown}");
    assert_eq!(eu.db.view().conflict(conflict.id), Ok(Some(conflict.clone())));
    assert_eq!(eu.db.view().count_conflicts(100).expect("counted").collections, [("docs".to_owned(), 1)]);

    let from_us = conflict.options.iter().find(|option| option.region.as_deref() == Some("us")).expect("an option");
    eu.db.resolve(conflict.keep([&from_us.id]).by("ann").note("the newer name")).expect("resolved");
    eventually("both are equal", || equal(&[&eu.db, &us.db]));
    for db in [&eu.db, &us.db] {
        assert!(all(db).is_empty());
        assert_eq!(db.view().get("docs", "readme").expect("read").expect("a value").value, json!("two\nsame\n"));
        let page = db.view().resolutions(Some("docs"), Some("readme"), None, 10).expect("a history");
        let [past] = &page.decisions[..] else { panic!("{page:?}") };
        assert_eq!((past.by.as_deref(), past.note.as_deref()), (Some("ann"), Some("the newer name")));
        assert_eq!((past.region.as_deref(), past.conflict), (Some("eu"), conflict.id));
        assert_eq!(past.keep, Keep::Options(vec![from_us.id.clone()]));
        assert_eq!(past.options.len(), 2);
        assert_eq!(db.view().ended(conflict.id).expect("read"), page.decisions);
        assert!(matches!(rejection(db.resolve(conflict.keep([&from_us.id]))), Rejection::AlreadyResolved(_)));
    }
    let unknown = Resolution::new("0".repeat(32).parse().expect("an id"), Keep::Value(1.into()));
    assert!(matches!(rejection(eu.db.resolve(unknown)), Rejection::NoSuchConflict(_)));
}

#[test]
fn who_decides_about_what_has_changed_hears_what_it_is_now() {
    let (eu, us) = divided();
    put(&eu.db, "k", "one");
    put(&us.db, "k", "two");
    meet(&eu, &us);
    let before = all(&eu.db).remove(0);
    // Without a context it joins what stands in conflict.
    put(&eu.db, "k", "three");
    let now = all(&eu.db).remove(0);
    assert_ne!(before.id, now.id);
    assert_eq!(now.options.len(), 3);
    match rejection(eu.db.resolve(before.settle(json!("four")))) {
        Rejection::ConflictChanged { now: told, .. } => assert_eq!(told, Some(now.id)),
        other => panic!("{other:?}"),
    }
    eu.db.resolve(now.settle(json!("four")).by("bob")).expect("resolved");
    assert!(all(&eu.db).is_empty());
    // Nothing is left to say about an id that nobody decided about.
    assert!(matches!(rejection(eu.db.resolve(before.settle(json!("five")))), Rejection::NoSuchConflict(_)));
}

#[test]
fn history_is_found_by_key_by_collection_and_page_by_page() {
    let (eu, us) = divided();
    for key in ["a", "b"] {
        put(&eu.db, key, "one");
        put(&us.db, key, "two");
    }
    meet(&eu, &us);
    for (key, n) in [("b", 1), ("a", 1), ("a", 2), ("a", 3)] {
        if n > 1 {
            // Two regions again, written without having seen each other: a context that names nothing.
            let docs = eu.db.escalate::<String>("docs").expect("a collection");
            docs.put_seen(key, &format!("again {n}"), Default::default()).expect("written");
        }
        let conflict = all(&eu.db).into_iter().find(|conflict| conflict.key == key).expect("a conflict");
        eu.db.resolve(conflict.settle(json!(format!("{key} {n}"))).by("ann")).expect("resolved");
    }
    let view = eu.db.view();
    let values = |page: &anabranch::conflicts::PastPage| -> Vec<Keep> {
        page.decisions.iter().map(|past| past.keep.clone()).collect()
    };
    let keep = |texts: &[&str]| -> Vec<Keep> { texts.iter().map(|text| Keep::Value(json!(text))).collect() };
    let of_a = view.resolutions(Some("docs"), Some("a"), None, 10).expect("a page");
    assert_eq!(values(&of_a), keep(&["a 1", "a 2", "a 3"]), "oldest first");
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = view.resolutions(None, None, after.as_deref(), 1).expect("a page");
        assert!(page.decisions.len() <= 1);
        found.extend(values(&page));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, keep(&["a 1", "a 2", "a 3", "b 1"]));
    assert_eq!(view.resolutions(None, None, Some("!"), 1), Err(ReadError::Cursor));
    assert_eq!(view.conflicts(None, Some("!"), 1), Err(ReadError::Cursor));
}

#[test]
fn conflicts_are_pages_and_a_change_of_resolver_needs_nothing_else() {
    let (eu, us) = divided();
    for n in 0..25 {
        put(&eu.db, &format!("k{n:02}"), "one");
        put(&us.db, &format!("k{n:02}"), "two");
        // The same at both: no conflict.
        put(&eu.db, &format!("same{n:02}"), "three");
        put(&us.db, &format!("same{n:02}"), "three");
    }
    meet(&eu, &us);
    let view = eu.db.view();
    let (mut keys, mut after) = (Vec::new(), None::<String>);
    loop {
        let page = view.conflicts(Some("docs"), after.as_deref(), 10).expect("a page");
        keys.extend(page.conflicts.iter().map(|conflict| conflict.key.clone()));
        let Some(next) = page.next else { break };
        // By an open conflict's id as well.
        after = if keys.len() == 10 { Some(page.conflicts[9].id.to_string()) } else { Some(next) };
    }
    assert_eq!(keys, (0..25).map(|n| format!("k{n:02}")).collect::<Vec<_>>());
    assert_eq!(view.count_conflicts(1_000).expect("counted").total(), 25);
    let some = view.count_conflicts(10).expect("counted");
    assert!(some.more && some.total() <= 10);

    eu.db.lww::<String>("docs").expect("a collection");
    assert!(all(&eu.db).is_empty(), "the latest wins: nothing to decide");
    eu.db.keep_all::<String>("docs").expect("a collection");
    assert_eq!(all(&eu.db).len(), 50, "all that survives beside each other");
}

fn next(watch: &mut anabranch::conflicts::ConflictWatch) -> Vec<ConflictEvent> {
    let mut events = Vec::new();
    loop {
        let some = watch.poll().expect("events");
        if some.is_empty() {
            return events;
        }
        events.extend(some);
    }
}

#[test]
fn a_watch_tells_what_is_open_what_appears_and_what_ends() {
    let (eu, us) = divided();
    for n in 0..250 {
        put(&eu.db, &format!("k{n:03}"), "one");
        put(&us.db, &format!("k{n:03}"), "two");
    }
    put(&eu.db, "later", "one");
    meet(&eu, &us);
    let mut watch = eu.db.watch_conflicts(None).expect("a watch");
    let events = next(&mut watch);
    assert_eq!(events.len(), 250);
    assert!(events.iter().all(|event| matches!(event, ConflictEvent::Appeared(_))));
    assert!(next(&mut watch).is_empty(), "told once");

    put(&eu.db, "k000", "three");
    let events = next(&mut watch);
    let [ConflictEvent::Ended { decisions, key, .. }, ConflictEvent::Appeared(now)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((key.as_str(), decisions.len(), now.options.len()), ("k000", 0, 3));
    eu.db.resolve(now.settle(json!("settled")).by("ann")).expect("resolved");
    let events = next(&mut watch);
    let [ConflictEvent::Ended { conflict, decisions, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*conflict, decisions[0].by.as_deref()), (now.id, Some("ann")));

    eu.db.lww::<String>("docs").expect("a collection");
    let events = next(&mut watch);
    assert_eq!(events.len(), 249);
    assert!(events.iter().all(|event| matches!(event, ConflictEvent::Ended { .. })));
    eu.db.escalate::<String>("docs").expect("a collection");
    assert_eq!(next(&mut watch).len(), 249);

    eu.db.close();
    assert_eq!(watch.poll(), Err(WaitError::Closed.into()));
}

#[test]
fn a_watch_is_a_stream_that_wakes_and_lets_go_of_what_it_holds_when_the_database_closes() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    let db = Database::open(&path).expect("a database");
    let docs = db.escalate::<String>("docs").expect("a collection");
    let mut watch = db.watch_conflicts(Some("docs")).expect("a watch");
    assert!(matches!(db.watch_conflicts(Some("none")), Err(ReadError::NoSuchCollection(_))));
    let mut idle = Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut watch).poll_next(&mut idle).is_pending());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    docs.put("k", &"one".to_owned()).expect("written");
    docs.put_seen("k", &"two".to_owned(), Default::default()).expect("written");
    let woken = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), watch.next()).await });
    assert!(matches!(woken, Ok(Ok(ConflictEvent::Appeared(_)))), "{woken:?}");

    db.close();
    drop((db, docs));
    let again = Database::open(&path).expect("the watch does not keep it in use");
    assert_eq!(all(&again).len(), 1);
    let told = Pin::new(&mut watch).poll_next(&mut idle);
    assert_eq!(told, Poll::Ready(Some(Err(WaitError::Closed.into()))));
    assert_eq!(Pin::new(&mut watch).poll_next(&mut idle), Poll::Ready(None));
}
