//! A replica that does not know a kind parks its collection, and catches up when it does.

use crate::replica::{Replica, add, one, operate, sent};
use anabranch_causality::Kind;
use anabranch_engine::{Refusal, query};
use anabranch_protocol::Message;
use anabranch_resolvers::{Operation, Registry};
use anabranch_store::MemoryStore;
use std::sync::Arc;

fn item(quantity: i64) -> anabranch_engine::Write {
    one(operate("carts", Kind::CART, "k", Operation::AddItem { item: "x".into(), quantity }))
}

/// A build without carts.
fn without_carts() -> Registry {
    let (all, mut some) = (Registry::builtin(), Registry::new());
    for name in all.names().filter(|name| *name != "cart") {
        some.register(all.by_name(name).expect("a resolver")).expect("a free name");
    }
    some
}

#[test]
fn an_unknown_kind_parks_its_collection_and_a_newer_build_catches_up() {
    let mut b = Replica::new("b", 2);
    b.connect("a", 1);
    let mut all = Vec::new();
    for write in [item(1), one(add("p", 1)), item(2)] {
        b.engine.handle_write(&b.store, b.time, 1, &write).expect("handled");
        all.extend(sent(&b.settle(), "a"));
    }
    let mut a = Replica::open("a", 1, MemoryStore::new(), without_carts());
    a.connect("b", 2);
    a.message("b", Message::Transactions(all));
    assert_eq!(a.engine.durable_vector(), b.engine.durable_vector(), "log and vector go on");
    assert_eq!(a.value("likes", "p"), Some(1.into()), "other collections go on");
    assert_eq!(a.engine.status(a.time).parked_collections.len(), 1);
    assert!(matches!(a.write(&item(1)), Err(Refusal::NoSuchResolver(_) | Refusal::Parked { .. })));
    let found = a.engine.catalog().find("carts").expect("it exists");
    let read = query::value(&Arc::new(without_carts()), &a.store, found, "k", None, usize::MAX);
    assert!(matches!(read, Err(query::QueryError::Parked { .. })), "{read:?}");

    let a = a.reopen("a", 3, without_carts());
    assert_eq!(a.engine.status(a.time).parked_collections.len(), 1, "it stays parked over a restart");
    let a = a.reopen("a", 4, Registry::builtin());
    assert_eq!(a.engine.status(a.time).parked_collections.len(), 0);
    assert_eq!(a.value("carts", "k"), b.value("carts", "k"));
    assert_eq!(a.digest(), b.digest());
    let a = a.reopen("a", 5, Registry::builtin());
    assert_eq!(a.digest(), b.digest(), "the digest is found again on disk");
}
