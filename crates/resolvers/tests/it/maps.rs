//! `map`, case by case.

use crate::world::{World, by};
use anabranch_resolvers::{Map, Operation, Rejection};
use serde_json::json;

static PLAIN: Map = Map::new();

#[test]
fn fields_are_combined_each_for_itself() {
    let mut world = World::new(&PLAIN, 2);
    world.ask(0, json!({"set": {"name": "Ada", "age": 36}})).expect("accepted");
    world.sync();
    world.ask(0, json!({"set": {"name": "Ada L."}})).expect("accepted");
    world.ask(1, json!({"set": {"age": 37, "town": null}})).expect("accepted");
    world.sync();
    let expected = Some(json!({"age": 37, "name": "Ada L.", "town": null}));
    assert_eq!((world.value(0), world.value(1)), (expected.clone(), expected));
    assert_eq!(world.replicas[0].all_rows().len(), 3, "a set supersedes the rows that it saw");
}

#[test]
fn of_concurrent_values_the_latest_is_shown_and_the_other_stays_until_it_is_seen() {
    let mut world = World::new(&PLAIN, 2);
    world.ask(0, json!({"set": {"a": 1}})).expect("accepted");
    world.ask(1, json!({"set": {"a": 2}})).expect("accepted");
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!({"a": 2})), Some(json!({"a": 2}))));
    assert_eq!(world.replicas[0].all_rows().len(), 2);
    world.ask(0, json!({"set": {"a": 3}})).expect("accepted");
    world.sync();
    assert_eq!(world.replicas[1].all_rows().len(), 1);
}

#[test]
fn a_field_written_concurrently_with_the_keys_removal_survives() {
    let mut world = World::new(&PLAIN, 2);
    world.ask(0, json!({"set": {"a": 1, "b": 1}})).expect("accepted");
    world.sync();
    world.ask(0, json!({"delete": true})).expect("accepted");
    world.ask(1, json!({"set": {"b": 2}})).expect("accepted");
    assert_eq!(world.value(0), None);
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!({"b": 2})), Some(json!({"b": 2}))));
}

#[test]
fn a_field_set_concurrently_with_its_removal_survives_and_an_emptied_map_is_no_key() {
    let mut world = World::new(&PLAIN, 2);
    world.ask(0, json!({"set": {"a": 1}})).expect("accepted");
    world.sync();
    world.ask(0, json!({"remove": ["a", "absent"]})).expect("accepted");
    assert_eq!(world.value(0), None);
    // Setting what is already there counts: the concurrent removal has not seen it.
    world.ask(1, json!({"set": {"a": 1}})).expect("accepted");
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!({"a": 1})), Some(json!({"a": 1}))));
    world.ask(1, json!({"remove": ["a"]})).expect("accepted");
    world.sync();
    assert_eq!((world.outcome(0), world.outcome(1)), (None, None));
}

#[test]
fn a_late_retry_undoes_nothing() {
    let mut world = World::new(&PLAIN, 2);
    world.ask_as(0, by(1, 2), &[json!({"set": {"a": "later"}})], None).expect("accepted");
    // The session's first write comes after its second, at a leader that has not seen it.
    world.ask_as(1, by(1, 1), &[json!({"set": {"a": "earlier"}})], None).expect("accepted");
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!({"a": "later"})), Some(json!({"a": "later"}))));
}

#[test]
fn what_maps_refuse() {
    let mut world = World::new(&PLAIN, 1);
    let text =
        r#"put is not supported by map; it takes {"set":{field:value}}, {"remove":[fields]} and {"delete":true}"#;
    let refused = world.apply(0, by(1, 1), &[Operation::Put(json!(1))], None);
    assert_eq!(refused, Err(Rejection::NotSupported(text.to_owned())));
    let refused = world.apply(0, by(1, 1), &[Operation::SetFields([(String::new(), json!(1))].into())], None);
    assert!(matches!(refused, Err(Rejection::Rejected(_))), "{refused:?}");
}
