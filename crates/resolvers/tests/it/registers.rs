//! `lww` and `keep-all`, case by case.

use crate::world::{World, by, tag};
use anabranch_causality::{Add, Effect, Hlc, Kind, OperationId};
use anabranch_resolvers::{Escalate, KeepAll, Lww, Operation, Rejection, Resolver};
use serde_json::{Value, json};

fn put(value: impl Into<Value>) -> Value {
    json!({ "put": value.into() })
}

fn delete() -> Value {
    json!({ "delete": true })
}

/// Two replicas wrote "a" (earlier) and "b" without seeing each other, and have both.
fn conflict(resolver: &'static dyn Resolver) -> (World, OperationId, OperationId) {
    let mut world = World::new(resolver, 2);
    let (a, b) = (by(1, 1), by(2, 1));
    world.ask_as(0, a, &[put("a")], None).expect("accepted");
    world.ask_as(1, b, &[put("b")], None).expect("accepted");
    world.sync();
    (world, a, b)
}

#[test]
fn lww_shows_the_latest_and_lists_the_losers() {
    let (world, a, b) = conflict(&Lww);
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.conflicts), (json!("b"), 0));
    assert_eq!(outcome.versions, [tag(b), tag(a)]);
    assert_eq!(outcome.reason, "the latest of several concurrent versions");
    assert_eq!(world.outcome(1), world.outcome(0));
}

#[test]
fn of_equal_stamps_the_higher_operation_id_wins() {
    let mut world = World::new(&Lww, 2);
    world.ask_as(0, by(2, 1), &[put("two")], None).expect("accepted");
    world.stamp = 1;
    world.ask_as(1, by(1, 9), &[put("one")], None).expect("accepted");
    world.sync();
    assert_eq!(world.value(0), Some(json!("two")));
}

#[test]
fn a_write_supersedes_what_is_there_and_lists_alone() {
    for resolver in [&Lww as &'static dyn Resolver, &KeepAll] {
        let mut world = World::new(resolver, 1);
        world.ask(0, put(1)).expect("accepted");
        world.ask(0, put(2)).expect("accepted");
        assert_eq!(world.versions(0).len(), 1);
        assert_eq!(world.outcome(0).expect("a key").reason, "the only version");
        world.ask(0, delete()).expect("accepted");
        assert_eq!(world.outcome(0), None);
        // Removing what is absent is fine.
        world.ask(0, delete()).expect("accepted");
        assert_eq!(world.outcome(0), None);
    }
}

#[test]
fn without_a_context_lww_supersedes_all_of_a_conflict() {
    let (mut world, _, _) = conflict(&Lww);
    world.ask(0, put("c")).expect("accepted");
    assert_eq!((world.value(0), world.versions(0).len()), (Some(json!("c")), 1));
}

#[test]
fn with_a_context_exactly_what_it_names_goes() {
    for resolver in [&Lww as &'static dyn Resolver, &KeepAll] {
        let (mut world, a, b) = conflict(resolver);
        world.ask_seeing(0, put("c"), &[tag(b), tag(by(9, 9))]).expect("accepted");
        let mut left = world.versions(0);
        left.retain(|version| [tag(a), tag(b)].contains(version));
        assert_eq!(left, [tag(a)]);
        world.ask_seeing(0, delete(), &[tag(a)]).expect("accepted");
        assert_eq!(world.versions(0).len(), 1);
    }
}

#[test]
fn an_empty_context_saw_nothing() {
    let mut world = World::new(&Lww, 1);
    world.ask(0, put(1)).expect("accepted");
    world.ask_seeing(0, put(2), &[]).expect("accepted");
    world.ask_seeing(0, delete(), &[]).expect("accepted");
    assert_eq!((world.value(0), world.versions(0).len()), (Some(json!(2)), 2));
}

#[test]
fn a_write_beats_a_concurrent_delete() {
    let mut world = World::new(&Lww, 2);
    world.ask(0, put("old")).expect("accepted");
    world.sync();
    world.ask(0, put("new")).expect("accepted");
    world.ask(1, delete()).expect("accepted");
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!("new")), Some(json!("new"))));
}

#[test]
fn a_late_retry_undoes_nothing() {
    let mut world = World::new(&Lww, 2);
    // The first request is lost; the second arrives; then the first is tried again, here and elsewhere.
    world.ask_as(0, by(1, 2), &[put("second")], None).expect("accepted");
    world.ask_as(1, by(1, 1), &[put("first")], None).expect("accepted");
    assert_eq!(world.value(1), Some(json!("first")));
    world.sync();
    assert_eq!(world.value(1), Some(json!("second")), "outranked, though its stamp is higher");
    assert_eq!(world.versions(1), [tag(by(1, 2)), tag(by(1, 1))]);
    // A retried delete takes nothing that its session wrote later.
    world.ask_as(0, by(2, 2), &[put("kept")], None).expect("accepted");
    world.ask_as(0, by(2, 1), &[delete()], None).expect("accepted");
    assert_eq!(world.value(0), Some(json!("kept")));
}

#[test]
fn keep_all_lists_oldest_first_and_counts_conflicts() {
    let (world, a, b) = conflict(&KeepAll);
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.conflicts), (json!(["a", "b"]), 2));
    assert_eq!(outcome.versions, [tag(a), tag(b)]);
    let mut world = World::new(&KeepAll, 1);
    world.ask(0, put([1, 2].as_slice())).expect("accepted");
    assert_eq!((world.value(0), world.outcome(0).map(|outcome| outcome.conflicts)), (Some(json!([[1, 2]])), Some(0)));
}

#[test]
fn without_a_context_keep_all_joins_a_conflict_and_a_delete_clears_it() {
    let (mut world, _, _) = conflict(&KeepAll);
    world.ask(0, put("c")).expect("accepted");
    assert_eq!(world.value(0), Some(json!(["a", "b", "c"])));
    // A request that writes twice saw its own first write, if nobody else's.
    world.ask_as(0, by(3, 1), &[put("d"), put("e")], None).expect("accepted");
    assert_eq!(world.value(0), Some(json!(["a", "b", "c", "e"])));
    world.ask(0, delete()).expect("accepted");
    assert_eq!(world.value(0), None);
}

#[test]
fn a_conflict_of_64_versions_is_full() {
    const TEXT: &str = "64 versions stand in conflict, and 64 is the limit; read the key and write with its context";
    let (mut world, a, b) = conflict(&KeepAll);
    for n in 2..64 {
        world.ask(0, put(n)).expect("accepted");
    }
    assert_eq!(world.outcome(0).expect("a key").conflicts, 64);
    let refused = Rejection::ConflictOpen(TEXT.to_owned());
    assert_eq!(world.ask(0, put("one more")), Err(refused.clone()));
    assert_eq!(world.ask_seeing(0, put("one more"), &[]), Err(refused));
    world.ask_seeing(0, put("instead"), &[tag(a)]).expect("accepted");
    let seen = world.versions(0);
    assert!(seen.contains(&tag(b)) && seen.len() == 64);
    world.ask_seeing(0, put("resolved"), &seen).expect("accepted");
    assert_eq!(world.value(0), Some(json!(["resolved"])));
}

#[test]
fn a_request_sees_what_its_former_operations_did() {
    for resolver in [&Lww as &'static dyn Resolver, &KeepAll] {
        let mut world = World::new(resolver, 2);
        world.ask_as(0, by(1, 1), &[put(1), delete(), put(2)], None).expect("accepted");
        assert_eq!(world.versions(0).len(), 1);
        assert_eq!(world.versions(0)[0].position, 1);
        // The retry elsewhere changes nothing.
        world.ask_as(1, by(1, 1), &[put(1), delete(), put(2)], None).expect("accepted");
        world.sync();
        assert_eq!(world.outcome(0), world.outcome(1));
        assert_eq!(world.versions(0).len(), 1);
    }
}

#[test]
fn both_copies_supersede_and_the_lower_stamp_stands() {
    let mut world = World::new(&Lww, 2);
    world.ask_as(0, by(1, 1), &[put("x")], None).expect("accepted");
    world.ask_as(1, by(2, 1), &[put("y")], None).expect("accepted");
    world.stamp = 9;
    world.ask_as(0, by(3, 1), &[put("z")], None).expect("accepted");
    world.stamp = 5;
    world.ask_as(1, by(3, 1), &[put("z")], None).expect("accepted");
    world.sync();
    for replica in &world.replicas {
        let rows: Vec<_> = replica.all_rows().iter().map(|((_, tag), (stamp, _))| (*tag, *stamp)).collect();
        assert_eq!(rows, [(tag(by(3, 1)), Hlc(5))]);
    }
}

#[test]
fn what_registers_refuse() {
    for resolver in [&Lww as &'static dyn Resolver, &KeepAll] {
        let mut world = World::new(resolver, 1);
        for (operation, title) in [
            (Operation::Add(1), "add of a number"),
            (Operation::AddItem { item: "x".into(), quantity: 1 }, "add of an item"),
            (Operation::Clear, "clear"),
        ] {
            let text =
                format!(r#"{title} is not supported by register; it takes {{"put":value}} and {{"delete":true}}"#);
            assert_eq!(world.apply(0, by(1, 1), &[operation], None), Err(Rejection::NotSupported(text)));
        }
        let deep = (0..65).fold(json!(1), |inner, _| json!([inner]));
        let text = "the value is nested more than 64 deep".to_owned();
        assert_eq!(world.apply(0, by(1, 1), &[Operation::Put(deep)], None), Err(Rejection::Rejected(text)));
        assert!(world.replicas[0].all_rows().is_empty());
    }
}

#[test]
fn a_request_prepared_again_for_the_rest_spares_its_own_write() {
    let mut world = World::new(&Lww, 1);
    // More versions than one effect may name.
    let version = |position| Add { position, subkey: Vec::new(), payload: b"1".to_vec() };
    let adds = (0..10_100).map(version).collect();
    world.force(0, by(1, 1), Effect { adds, ..Effect::new("c", Kind::REGISTER, "k") });
    assert_eq!(world.versions(0).len(), 10_100);
    let last = [Operation::Put(json!("last"))];
    world.apply(0, by(2, 1), &last, None).expect("accepted");
    assert_eq!(world.versions(0).len(), 101);
    world.apply(0, by(2, 1), &last, None).expect("accepted");
    assert_eq!((world.value(0), world.versions(0).len()), (Some(json!("last")), 1));
}

#[test]
fn escalate_shows_a_provisional_value_and_one_conflict_until_a_person_decides() {
    let (mut world, a, b) = conflict(&Escalate);
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.conflicts, outcome.versions.len()), (json!("b"), 1, 2));
    // A write that saw neither joins them.
    world.ask(0, json!({"put": "c"})).expect("accepted");
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.conflicts, outcome.versions.len()), (json!("c"), 1, 3));
    // A person who saw the first two decides; what came since stays, and is a conflict again.
    world.ask_seeing(0, json!({"put": "a"}), &[tag(a), tag(b)]).expect("accepted");
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.conflicts, outcome.versions.len()), (1, 2));
}

#[test]
fn versions_of_equal_value_are_no_conflict() {
    let mut world = World::new(&Escalate, 2);
    world.ask(0, json!({"put": {"x": 1}})).expect("accepted");
    world.ask(1, json!({"put": {"x": 1}})).expect("accepted");
    world.sync();
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.conflicts, outcome.versions.len()), (0, 2));
    // Nothing stands in conflict, so the next write supersedes both.
    world.ask(0, json!({"put": 2})).expect("accepted");
    assert_eq!(world.outcome(0).expect("a key").versions.len(), 1);
}
