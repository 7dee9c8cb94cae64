//! Resolvers in the library: maps, values that a person decides, resolvers of one's own.

use crate::support::{Cluster, eventually, mesh};
use anabranch::resolvers::custom::{Custom, Merged, Surviving};
use anabranch::{Database, ReadError, Refusal, WriteError};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

fn lowest() -> Arc<Custom> {
    Arc::new(Custom::new("lowest", |versions: &[Surviving]| {
        let numbers: Option<Vec<i64>> = versions.iter().map(|version| version.value.as_i64()).collect();
        numbers.and_then(|numbers| numbers.into_iter().min()).map_or(Merged::Escalate, |low| Merged::Value(low.into()))
    }))
}

fn with_lowest(dir: &Path) -> Database {
    let builder = Database::builder().resolver(lowest()).expect("a name of its own");
    builder.open(dir).expect("a database")
}

#[test]
fn fields_of_a_map_are_set_and_removed_each_for_itself() {
    let db = Database::builder().open_in_memory().expect("a database");
    let profiles = db.map("profiles").expect("a collection");
    profiles.set("ada", "name", &"Ada").expect("a write");
    profiles.set("ada", "age", &36).expect("a write");
    db.write(|tx| {
        profiles.in_tx(tx).set("ada", "age", &37)?;
        profiles.in_tx(tx).remove("ada", "name")
    })
    .expect("a transaction");
    let fields: Option<BTreeMap<String, i64>> = profiles.get("ada").expect("a read");
    assert_eq!(fields, Some(BTreeMap::from([("age".to_owned(), 37)])));
    assert!(matches!(profiles.get::<Vec<i64>>("ada"), Err(ReadError::Type { .. })));
    profiles.clear("ada").expect("a write");
    assert_eq!(profiles.get::<BTreeMap<String, i64>>("ada"), Ok(None));
}

#[test]
fn a_field_of_a_map_may_have_a_resolver_of_its_own() {
    let db = Database::builder().resolver(lowest()).expect("a name").open_in_memory().expect("a database");
    let offers = db.map("offers").expect("a collection");
    offers.resolve_field("tags", "keep-all").expect("a field");
    offers.resolve_field("price", "lowest").expect("a field");
    let before = db.token();
    offers.resolve_field("price", "lowest").expect("so already");
    assert_eq!(db.token(), before, "nothing is written for what is so already");
    offers.set("x", "tags", &"new").expect("a write");
    offers.set("x", "price", &7).expect("a write");
    let value = db.view().get("offers", "x").expect("a read").expect("a key").value;
    assert_eq!(value, serde_json::json!({"price": 7, "tags": ["new"]}));
    assert!(matches!(offers.resolve_field("x", "cart"), Err(WriteError::Refused(Refusal::NoSuchResolver(_)))));
}

#[test]
fn two_people_who_did_not_see_each_other_are_shown_to_a_third_who_decides() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let open = |name: &str| Database::open(dir.path().join(name)).expect("a database");
    let (a, b) = (cluster.join(open("a"), "a"), cluster.join(open("b"), "b"));
    let (at_a, at_b) = (a.db.escalate::<String>("rooms").expect("a"), b.db.escalate::<String>("rooms").expect("b"));
    at_a.put("blue", &"Ann".to_owned()).expect("a write");
    // Clocks tell milliseconds apart, and neither leader has heard of the other: without this, either may be the older.
    std::thread::sleep(std::time::Duration::from_millis(20));
    at_b.put("blue", &"Bob".to_owned()).expect("a write");
    mesh(&[("a", &a), ("b", &b)]);
    eventually("both know both", || crate::support::equal(&[&a.db, &b.db]));
    let conflicts = |db: &Database| db.view().get("rooms", "blue").expect("a read").expect("a key").conflicts;
    assert_eq!((conflicts(&a.db), conflicts(&b.db)), (1, 1));
    let options = at_b.options("blue").expect("options");
    assert_eq!(options.value, ["Ann", "Bob"]);
    at_b.put_seen("blue", &"Ann".to_owned(), options.context).expect("a decision");
    eventually("the decision is everywhere", || conflicts(&a.db) == 0);
    assert_eq!(
        (at_a.get("blue"), at_a.options("blue").expect("options").value),
        (Ok(Some("Ann".to_owned())), vec!["Ann".to_owned()])
    );
}

#[test]
fn a_resolver_that_a_build_does_not_know_parks_its_collection_and_nothing_else() {
    let dir = tempfile::tempdir().expect("a directory");
    let cluster = Cluster::new("shop");
    let a = cluster.join(with_lowest(&dir.path().join("a")), "a");
    let b = cluster.join(Database::open(dir.path().join("b")).expect("a database"), "b");
    let prices = a.db.register::<i64>("prices", "lowest").expect("a collection");
    let likes = a.db.g_counter("likes").expect("a collection");
    prices.put("sku", &12).expect("a write");
    likes.add("post", 1).expect("a write");
    mesh(&[("a", &a), ("b", &b)]);
    eventually("all is there", || crate::support::equal(&[&a.db, &b.db]));
    let unknown = b.db.view().get("prices", "sku").expect_err("not known here");
    assert!(matches!(&unknown, ReadError::Parked { reason, .. } if reason.contains("lowest")), "{unknown}");
    assert_eq!(b.db.g_counter("likes").expect("a collection").get("post"), Ok(1));
    let refused =
        b.db.register::<i64>("prices", "lowest").expect("a handle").put("sku", &1).expect_err("not known here");
    assert!(matches!(&refused, WriteError::Refused(Refusal::Parked { .. })), "{refused:?}");
    // The program is replaced by one that knows it.
    drop(b.network);
    b.db.close();
    drop(b.db);
    let b = with_lowest(&dir.path().join("b"));
    assert_eq!(b.register::<i64>("prices", "lowest").expect("a collection").get("sku"), Ok(Some(12)));
    assert!(Database::builder().resolver(lowest()).and_then(|builder| builder.resolver(lowest())).is_err());
}
