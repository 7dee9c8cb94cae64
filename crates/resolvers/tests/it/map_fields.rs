//! Maps whose fields have resolvers of their own.

use crate::laws::keeps_the_laws;
use crate::specs;
use crate::world::World;
use anabranch_resolvers::laws::{self, Options};
use anabranch_resolvers::{ConflictId, Lww, Map, Rejection, Resolver};
use serde_json::json;
use std::sync::Arc;

fn world(replicas: usize) -> World {
    World::new(Box::leak(Box::new(specs::mixed(["a", "b", "c"]))), replicas)
}

fn conflicts(world: &World, at: usize) -> Vec<(String, ConflictId, Vec<String>)> {
    let found = world.resolver.conflicts(&world.replicas[at]).expect("reads");
    let names = |conflict: &anabranch_resolvers::Conflict| conflict.options.iter().map(|o| o.id.clone()).collect();
    found.iter().map(|c| (String::from_utf8_lossy(&c.subkey).into_owned(), c.id, names(c))).collect()
}

#[test]
fn every_field_has_its_own_value_and_conflicts_count_fields() {
    let mut world = world(2);
    for (at, number) in [(0, 1), (1, 2)] {
        let fields = json!({"set": {"a": number, "b": number, "c": number, "d": number}});
        world.ask(at, fields).expect("accepted");
    }
    world.sync();
    let outcome = world.outcome(0).expect("a map");
    assert_eq!(outcome.value, json!({"a": [1, 2], "b": 2, "c": 1, "d": 2}));
    assert_eq!(outcome.conflicts, 2);
    assert_eq!(world.outcome(1), world.outcome(0));
    let fields: Vec<String> = conflicts(&world, 0).into_iter().map(|(field, ..)| field).collect();
    assert_eq!(fields, ["a", "b"]);
}

#[test]
fn a_field_in_conflict_is_joined_and_a_person_ends_it() {
    let mut world = world(2);
    world.ask(0, json!({"set": {"b": "x", "d": 1}})).expect("accepted");
    world.ask(1, json!({"set": {"b": "y"}})).expect("accepted");
    world.sync();
    // Whoever sets it without having decided joins.
    world.ask(0, json!({"set": {"b": "z"}})).expect("accepted");
    let (_, id, options) = conflicts(&world, 0).remove(0);
    assert_eq!(options.len(), 3);
    let stale = world.ask(1, json!({"resolve": {"conflict": id.to_string(), "keep": [options[0]]}}));
    assert!(matches!(stale, Err(Rejection::NoSuchConflict(_))), "{stale:?}");
    world.ask(0, json!({"resolve": {"conflict": id.to_string(), "keep": [options[0]]}})).expect("accepted");
    world.sync();
    assert_eq!(world.value(1), Some(json!({"b": "x", "d": 1})));
    assert_eq!(conflicts(&world, 1), []);
    assert_eq!(world.replicas[1].all_rows().len(), 2);
}

#[test]
fn one_request_may_set_fields_of_all_kinds_and_a_removal_takes_what_it_saw() {
    let mut world = world(2);
    world.ask(0, json!({"set": {"a": 1, "b": 1, "c": 1}})).expect("accepted");
    world.sync();
    world.ask(0, json!({"set": {"a": 2, "b": 2, "c": 2}})).expect("accepted");
    assert_eq!(world.replicas[0].all_rows().len(), 3);
    world.ask(1, json!({"remove": ["a", "b"]})).expect("accepted");
    world.sync();
    assert_eq!(world.value(0), Some(json!({"a": [2], "b": 2, "c": 2})));
}

#[test]
fn a_value_too_long_is_left_out_whichever_field_has_it() {
    let mut world = world(1);
    world.ask(0, json!({"set": {"a": "x".repeat(100), "d": 1}})).expect("accepted");
    let short = world.resolver.value(&world.replicas[0], 64).expect("reads").expect("a map");
    assert!(short.truncated && short.value.is_null());
    let whole = world.resolver.value(&world.replicas[0], 128).expect("reads").expect("a map");
    assert!(!whole.truncated, "{whole:?}");
}

#[test]
fn the_laws_hold() {
    let report = keeps_the_laws(&specs::mixed(["a", "ab", "n"]), specs::any_decided_map_operation, specs::mixed_map);
    assert!(report.resolutions > report.cases / 5, "{report:?}");
    // That `lww` by name is the same as none.
    let named = Map::with([("a".to_owned(), Arc::new(Lww) as Arc<dyn Resolver>)].into());
    laws::check(&named, specs::any_map_operation, Some(&specs::map), &Options::default()).expect("the laws");
}
