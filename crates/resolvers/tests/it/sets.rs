//! `or-set` and `cart`, case by case.

use crate::world::{World, by};
use anabranch_resolvers::{Cart, Operation, OrSet, Rejection};
use serde_json::{Value, json};

fn more(item: &str, quantity: i64) -> Value {
    json!({"add": {"item": item, "quantity": quantity}})
}

fn gone(item: &str) -> Value {
    json!({"remove": {"item": item}})
}

#[test]
fn a_set_is_sorted_and_holds_each_member_once() {
    let mut world = World::new(&OrSet, 1);
    world.ask(0, json!({"add": ["b", 10, true, -1, "a", false, "B", 9, "a"]})).expect("accepted");
    assert_eq!(world.replicas[0].all_rows().len(), 8, "one row each, also of what is named twice");
    world.ask(0, json!({"add": ["a"]})).expect("accepted");
    assert_eq!(world.value(0), Some(json!([false, true, -1, 9, 10, "B", "a", "b"])));
    assert_eq!(world.replicas[0].all_rows().len(), 8, "an add supersedes the rows that it saw");
}

#[test]
fn an_add_wins_over_a_concurrent_remove() {
    let mut world = World::new(&OrSet, 2);
    world.ask(0, json!({"add": ["x", "y"]})).expect("accepted");
    world.sync();
    // Adding what is already there counts: the concurrent remove has not seen it.
    world.ask(0, json!({"add": ["x"]})).expect("accepted");
    world.ask(1, json!({"remove": ["x", "y", "absent"]})).expect("accepted");
    assert_eq!(world.value(1), None);
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!(["x"])), Some(json!(["x"]))));
}

#[test]
fn an_emptied_set_is_no_key() {
    let mut world = World::new(&OrSet, 1);
    world.ask(0, json!({"add": [1, 2, 3]})).expect("accepted");
    world.ask(0, json!({"remove": [1]})).expect("accepted");
    assert_eq!(world.value(0), Some(json!([2, 3])));
    world.ask(0, json!({"delete": true})).expect("accepted");
    assert_eq!(world.outcome(0), None);
}

#[test]
fn what_sets_and_carts_refuse() {
    let mut world = World::new(&OrSet, 1);
    let text = concat!(
        "add of a number is not supported by or-set; ",
        r#"it takes {"add":[members]}, {"remove":[members]} and {"delete":true}"#
    );
    let refused = world.apply(0, by(1, 1), &[Operation::Add(1)], None);
    assert_eq!(refused, Err(Rejection::NotSupported(text.to_owned())));
    let refused = world.apply(0, by(1, 1), &[Operation::AddMembers(Vec::new())], None);
    assert_eq!(refused, Err(Rejection::Rejected("add expects at least one member".to_owned())));

    let mut world = World::new(&Cart, 1);
    let text = concat!(
        r#"put is not supported by cart; it takes {"add":{"item":string,"quantity":n}}, {"remove":{"item":string}}, "#,
        r#"{"clear":true} and {"delete":true}"#
    );
    let refused = world.apply(0, by(1, 1), &[Operation::Put(json!(1))], None);
    assert_eq!(refused, Err(Rejection::NotSupported(text.to_owned())));
    let nothing = Operation::AddItem { item: "x".into(), quantity: 0 };
    let refused = world.apply(0, by(1, 1), &[nothing], None);
    assert_eq!(refused, Err(Rejection::Rejected("quantity must not be 0".to_owned())));
}

#[test]
fn quantities_added_concurrently_sum() {
    let mut world = World::new(&Cart, 2);
    world.ask(0, more("x", 2)).expect("accepted");
    world.ask(1, more("x", 3)).expect("accepted");
    world.ask(1, more("y", 1)).expect("accepted");
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!({"x": 5, "y": 1})), Some(json!({"x": 5, "y": 1}))));
}

#[test]
fn a_removal_takes_what_it_saw_debts_included() {
    let mut world = World::new(&Cart, 2);
    world.ask(0, more("x", 2)).expect("accepted");
    world.ask(0, more("x", -5)).expect("accepted");
    world.sync();
    world.ask(0, gone("x")).expect("accepted");
    world.ask(1, more("x", 4)).expect("accepted");
    world.sync();
    assert_eq!(world.value(0), Some(json!({"x": 4})));
    world.ask(0, json!({"clear": true})).expect("accepted");
    world.ask(1, more("z", 1)).expect("accepted");
    world.sync();
    assert_eq!(world.value(0), Some(json!({"z": 1})));
    world.ask(0, json!({"delete": true})).expect("accepted");
    assert_eq!(world.outcome(0), None);
}

#[test]
fn a_write_shows_the_true_sum_of_its_item() {
    let mut world = World::new(&Cart, 1);
    world.ask(0, more("a", -2)).expect("accepted");
    world.ask(0, more("b", -1)).expect("accepted");
    assert_eq!(world.value(0), Some(json!({})), "its rows survive, so the key is there");
    assert_eq!(world.value_after(0, more("b", -1)), Some(json!({"b": -1})));
    assert_eq!(world.value_after(0, gone("absent")), Some(json!({})));
    assert_eq!(world.value_after(0, json!({"clear": true})), Some(json!({})));
    world.ask(0, gone("b")).expect("accepted");
    assert_eq!(world.value_after(0, gone("b")), Some(json!({})));
}

#[test]
fn a_quantity_beyond_64_bits_is_shown_clamped() {
    let mut world = World::new(&Cart, 1);
    for quantity in [i64::MAX, i64::MAX, 1] {
        world.ask(0, more("x", quantity)).expect("accepted");
    }
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.overflow), (json!({"x": i64::MAX}), true));
    world.ask(0, more("x", -i64::MAX)).expect("accepted");
    world.ask(0, more("x", -1)).expect("accepted");
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.overflow), (json!({"x": i64::MAX}), false));
}
