//! Maps whose fields have resolvers of their own.

use crate::laws::keeps_the_laws;
use crate::specs;
use crate::world::World;
use anabranch_causality::{Hlc, Tag};
use anabranch_resolvers::custom::{Merged, Surviving};
use anabranch_resolvers::laws::{self, Naive, Options};
use anabranch_resolvers::{ConflictId, Custom, Escalate, KeepAll, Lww, Map, Rejection, Resolver};
use serde_json::{Map as Object, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The first field keeps all, the second escalates, the third is the lowest number; the rest is `lww`.
fn mixed(names: [&str; 3]) -> Map {
    let lowest = |versions: &[Surviving]| {
        let numbers: Option<Vec<i64>> = versions.iter().map(|version| version.value.as_i64()).collect();
        numbers
            .and_then(|numbers| numbers.into_iter().min())
            .map_or(Merged::Escalate, |least| Merged::Value(least.into()))
    };
    let resolvers: [Arc<dyn Resolver>; 3] =
        [Arc::new(KeepAll), Arc::new(Escalate), Arc::new(Custom::new("lowest", lowest))];
    Map::with(names.map(str::to_owned).into_iter().zip(resolvers).collect())
}

fn world(replicas: usize) -> World {
    World::new(Box::leak(Box::new(mixed(["a", "b", "c"]))), replicas)
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

/// Each field as its resolver alone would have it.
fn spec(naive: &Naive) -> Option<Value> {
    let mut versions: BTreeMap<&str, Vec<(Hlc, Tag, Value)>> = BTreeMap::new();
    for (tag, row) in &naive.rows {
        let field = std::str::from_utf8(&row.subkey).expect("a name");
        let value = serde_json::from_slice(&row.payload).expect("JSON");
        versions.entry(field).or_default().push((row.stamp, *tag, value));
    }
    let mut object: Object<String, Value> = serde_json::from_value(specs::map(naive)?).expect("an object");
    for (field, mut versions) in versions {
        versions.sort_by_key(|(stamp, tag, _)| (*stamp, *tag));
        let values: Vec<Value> = versions.into_iter().map(|(.., value)| value).collect();
        let numbers = || values.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>();
        match field {
            "a" => drop(object.insert(field.to_owned(), Value::Array(values))),
            "n" => {
                let least = numbers().and_then(|numbers| numbers.into_iter().min());
                least.map(|least| object.insert(field.to_owned(), least.into()));
            }
            _ => {}
        }
    }
    Some(Value::Object(object))
}

#[test]
fn the_laws_hold() {
    let report = keeps_the_laws(&mixed(["a", "ab", "n"]), specs::any_decided_map_operation, spec);
    assert!(report.resolutions > report.cases / 5, "{report:?}");
    // That `lww` by name is the same as none.
    let named = Map::with([("a".to_owned(), Arc::new(Lww) as Arc<dyn Resolver>)].into());
    laws::check(&named, specs::any_map_operation, Some(&specs::map), &Options::default()).expect("the laws");
}
