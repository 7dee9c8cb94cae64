//! `g-counter` and `pn-counter`, case by case.

use crate::world::{World, by};
use anabranch_resolvers::{GCounter, Malformed, Operation, PnCounter, Rejection, Resolver};
use serde_json::json;

fn add(n: i64) -> serde_json::Value {
    json!({ "add": n })
}

#[test]
fn all_adds_count_once() {
    for resolver in [&GCounter as &'static dyn Resolver, &PnCounter] {
        let mut world = World::new(resolver, 2);
        assert_eq!(world.value(0), None);
        world.ask_as(0, by(1, 1), &[add(2), add(3)], None).expect("accepted");
        world.ask_as(1, by(1, 1), &[add(2), add(3)], None).expect("accepted");
        world.ask(1, add(10)).expect("accepted");
        world.sync();
        assert_eq!((world.value(0), world.value(1)), (Some(json!(15)), Some(json!(15))));
    }
}

#[test]
fn a_counter_lives_from_its_first_add() {
    let mut world = World::new(&GCounter, 1);
    world.ask(0, add(0)).expect("accepted");
    assert_eq!(world.value(0), Some(json!(0)));
}

#[test]
fn a_g_counter_cannot_go_down() {
    let mut world = World::new(&GCounter, 1);
    world.ask(0, add(5)).expect("accepted");
    let text = "a g-counter cannot go down: add -1".to_owned();
    assert_eq!(world.ask(0, add(-1)), Err(Rejection::Rejected(text)));
    assert_eq!(world.value(0), Some(json!(5)));
}

#[test]
fn an_add_that_would_pass_the_bounds_overflows() {
    let mut world = World::new(&PnCounter, 1);
    world.ask(0, add(i64::MAX)).expect("accepted");
    let text = "9223372036854775807 plus 1 is outside -9223372036854775808 to 9223372036854775807".to_owned();
    assert_eq!(world.ask(0, add(1)), Err(Rejection::Overflow(text)));
    world.ask(0, add(-1)).expect("accepted");
    assert_eq!(world.value(0), Some(json!(i64::MAX - 1)));
    // Each operation of a request sees what the former left.
    let refused = world.ask_as(0, by(1, 1), &[add(1), add(1)], None);
    assert!(matches!(refused, Err(Rejection::Overflow(_))), "{refused:?}");

    let mut world = World::new(&GCounter, 1);
    world.ask(0, add(i64::MAX)).expect("accepted");
    let text = "9223372036854775807 plus 1 is outside 0 to 9223372036854775807".to_owned();
    assert_eq!(world.ask(0, add(1)), Err(Rejection::Overflow(text)));
}

#[test]
fn concurrent_adds_that_pass_the_bounds_are_shown_clamped_and_find_their_way_back() {
    for (most, one) in [(i64::MAX, 1), (i64::MIN, -1)] {
        let mut world = World::new(&PnCounter, 2);
        world.ask(0, add(most)).expect("accepted");
        world.ask(1, add(most)).expect("accepted");
        world.sync();
        let outcome = world.outcome(0).expect("a key");
        assert_eq!((outcome.value, outcome.overflow), (json!(most), true));
        assert!(matches!(world.ask(0, add(one)), Err(Rejection::Overflow(_))));
        world.ask(0, add(-one)).expect("towards the bounds");
        world.ask(0, add(0)).expect("nowhere");
        world.ask(0, add(if most > 0 { -most } else { i64::MAX })).expect("towards the bounds");
        let outcome = world.outcome(0).expect("a key");
        assert!(!outcome.overflow, "{outcome:?}");
    }
}

#[test]
fn what_counters_refuse() {
    for resolver in [&GCounter as &'static dyn Resolver, &PnCounter] {
        let mut world = World::new(resolver, 1);
        for (operation, title) in [
            (Operation::Delete, "delete"),
            (Operation::Put(json!(1)), "put"),
            (Operation::AddMembers(Vec::new()), "add of members"),
            (Operation::RemoveMembers(Vec::new()), "remove of members"),
            (Operation::RemoveItem { item: "x".into() }, "remove of an item"),
        ] {
            let text = format!(r#"{title} is not supported by {}; it takes {{"add":n}}"#, resolver.name());
            assert_eq!(world.apply(0, by(1, 1), &[operation], None), Err(Rejection::NotSupported(text)));
        }
    }
}

#[test]
fn sums_are_16_bytes_and_changes_signed_varints() {
    let two = PnCounter.fold(None, &[4]).expect("folds");
    assert_eq!(two, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(PnCounter.fold(Some(&two), &[5]).expect("folds"), [0xff; 16]);
    assert_eq!(PnCounter.fold(Some(&[0; 8]), &[4]), Err(Malformed("a sum has 16 bytes")));
    for change in [&[][..], &[0x80, 0], &[4, 4]] {
        assert_eq!(PnCounter.fold(None, change), Err(Malformed("a change is a signed varint")));
    }
    // Even what no history reaches does not fail.
    let most = i128::MAX.to_le_bytes();
    assert!(GCounter.fold(Some(&most), &[2]).is_ok());
}
