//! Fields of maps with resolvers of their own: replicated, the same everywhere, found again.

use crate::replica::{Replica, keyed, one, operate, sent};
use anabranch_causality::Kind;
use anabranch_engine::{Change, Refusal, query};
use anabranch_protocol::Message;
use anabranch_resolvers::{Operation, Registry, Rejection};
use serde_json::json;
use std::sync::Arc;

fn field(field: &str, resolver: &str) -> Change {
    Change::Field { collection: "docs".into(), field: field.into(), resolver: resolver.into() }
}

fn set(field: &str, value: i64) -> Change {
    operate("docs", Kind::MAP, "k", Operation::SetFields([(field.to_owned(), value.into())].into()))
}

/// Writes at a replica; returns what goes to the others.
fn write(at: &mut Replica, change: Change) -> Vec<Vec<u8>> {
    at.engine.handle_write(&at.store, at.time, 1, &one(change)).expect("handled");
    sent(&at.settle(), "peer")
}

fn pair() -> (Replica, Replica) {
    let (mut a, mut b) = (Replica::new("a", 1), Replica::new("b", 2));
    a.connect("peer", 9);
    b.connect("peer", 9);
    (a, b)
}

#[test]
fn equal_vectors_give_equal_resolvers_whatever_came_first() {
    let (mut a, mut b) = pair();
    let mut of_a = write(&mut a, field("tags", "keep-all"));
    of_a.extend(write(&mut a, set("tags", 1)));
    b.time.wall_ms += 5;
    let mut of_b = write(&mut b, set("tags", 2));
    of_b.extend(write(&mut b, field("tags", "escalate")));
    a.message("peer", Message::Transactions(of_b));
    b.message("peer", Message::Transactions(of_a));
    assert_eq!(a.engine.durable_vector(), b.engine.durable_vector());
    for at in [&a, &b] {
        let docs = at.engine.catalog().find("docs").expect("a collection");
        assert_eq!(docs.fields, [("tags".to_owned(), "escalate".to_owned())].into());
        assert_eq!(at.value("docs", "k"), Some(json!({"tags": 2})));
    }
    assert_eq!(a.digest(), b.digest());
    let of_a = write(&mut a, field("tags", "keep-all"));
    b.message("peer", Message::Transactions(of_a));
    assert_eq!(b.value("docs", "k"), Some(json!({"tags": [1, 2]})), "nothing was lost by the changes");
    let b = b.reopen("b", 3, Registry::builtin());
    assert_eq!(b.value("docs", "k"), Some(json!({"tags": [1, 2]})), "found again after a restart");
}

#[test]
fn what_cannot_be_a_fields_resolver_is_refused() {
    let mut a = Replica::new("a", 1);
    let mut refused = |change| a.write(&one(change)).expect_err("a refusal");
    assert!(matches!(refused(field("x", "cart")), Refusal::NoSuchResolver(_)));
    assert!(matches!(refused(field("x", "none")), Refusal::NoSuchResolver(_)));
    for name in [String::new(), "x".repeat(257), "\n".to_owned()] {
        let refusal = refused(field(&name, "escalate"));
        assert!(matches!(refusal, Refusal::Rejected { rejection: Rejection::Rejected(_), .. }), "{refusal:?}");
    }
    for number in 0..256 {
        a.write(&one(field(&format!("f{number}"), "keep-all"))).expect("a field");
    }
    let full = a.write(&one(field("one-more", "keep-all")));
    assert!(matches!(full, Err(Refusal::Rejected { .. })), "{full:?}");
    a.write(&one(field("f7", "escalate"))).expect("a field that has one already");
    a.write(&one(operate("names", Kind::REGISTER, "k", Operation::Put(1.into())))).expect("a register");
    let of_another_kind = Change::Field { collection: "names".into(), field: "x".into(), resolver: "lww".into() };
    assert!(matches!(a.write(&one(of_another_kind)), Err(Refusal::ResolverMismatch { .. })));
}

#[test]
fn a_field_with_an_unknown_resolver_parks_reads_and_writes_until_a_build_knows_it() {
    let mut some = Registry::new();
    let all = Registry::builtin();
    for name in all.names().filter(|name| *name != "escalate") {
        some.register(all.by_name(name).expect("a resolver")).expect("a free name");
    }
    let mut a = Replica::new("a", 1);
    a.write(&one(field("x", "escalate"))).expect("a field");
    a.write(&one(set("x", 1))).expect("a write");
    let mut a = a.reopen("a", 2, some.clone());
    assert!(matches!(a.write(&one(set("x", 2))), Err(Refusal::Parked { .. })));
    let docs = a.engine.catalog().find("docs").expect("a collection");
    let read = query::value(&Arc::new(some), &a.store, docs, "k", None, usize::MAX);
    assert!(matches!(read, Err(query::QueryError::Parked { .. })), "{read:?}");
    let a = a.reopen("a", 3, Registry::builtin());
    assert_eq!(a.value("docs", "k"), Some(json!({"x": 1})));
}

#[test]
fn sent_again_a_declaration_takes_effect_once() {
    let mut a = Replica::new("a", 1);
    let first = a.write(&keyed(field("x", "escalate"), 1)).expect("a field");
    let again = a.write(&keyed(field("x", "escalate"), 1)).expect("the same");
    assert!(again.repeated && again.dot == first.dot);
    assert_eq!(a.write(&keyed(field("x", "lww"), 1)), Err(Refusal::IdempotencyKeyReused));
}
