//! Resolvers of one's own in one function.

use crate::laws::keeps_the_laws;
use crate::specs;
use crate::world::{World, by};
use anabranch_resolvers::Custom;
use anabranch_resolvers::Operation;
use anabranch_resolvers::custom::{Merged, Surviving};
use anabranch_resolvers::laws::{self, Options, Random};
use serde_json::{Value, json};
use std::sync::LazyLock;

fn lowest(versions: &[Surviving]) -> Merged {
    let prices: Option<Vec<i64>> = versions.iter().map(|version| version.value.as_i64()).collect();
    prices.and_then(|prices| prices.into_iter().min()).map_or(Merged::Escalate, |price| Merged::Value(price.into()))
}

static LOWEST: LazyLock<Custom> = LazyLock::new(|| Custom::new("lowest-price", lowest));

fn price(random: &mut Random) -> Operation {
    match random.below(12) {
        0 => Operation::Delete,
        1 => Operation::Put(json!("ask")),
        _ => Operation::Put(json!(random.below(50))),
    }
}

/// The same without the resolver.
fn spec(naive: &laws::Naive) -> Option<Value> {
    let prices: Vec<Value> = naive.rows.keys().map(|tag| specs::put_value(naive, tag)).collect();
    match prices.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>() {
        Some(numbers) => numbers.into_iter().min().map(Value::from),
        None => crate::specs::lww(naive),
    }
}

#[test]
fn a_function_keeps_the_laws() {
    let report = keeps_the_laws(&*LOWEST, |random| specs::decided(random, price), spec);
    assert!(report.contexts > 0 && report.resolutions > report.cases / 5, "{report:?}");
}

#[test]
fn what_was_written_concurrently_is_merged_and_what_no_function_can_tell_is_for_a_person() {
    let mut world = World::new(&*LOWEST, 2);
    let (a, b) = (by(1, 1), by(2, 1));
    world.ask_as(0, a, &[json!({"put": 12})], None).expect("accepted");
    world.ask_as(1, b, &[json!({"put": 15})], None).expect("accepted");
    world.sync();
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.conflicts), (json!(12), 0));
    // Merged versions stand in no conflict: the next write has seen both.
    world.ask(0, json!({"put": 20})).expect("accepted");
    world.ask(1, json!({"put": "ask"})).expect("accepted");
    world.sync();
    let outcome = world.outcome(1).expect("a key");
    assert_eq!((outcome.value, outcome.conflicts, outcome.versions.len()), (json!("ask"), 1, 2));
    // These do: a write without a context joins them.
    world.ask(0, json!({"put": 1})).expect("accepted");
    assert_eq!(world.outcome(0).expect("a key").versions.len(), 3);
}

#[test]
fn a_function_of_something_else_than_the_versions_is_caught() {
    // It counts its calls.
    let counter = std::sync::atomic::AtomicI64::new(0);
    let impure = Custom::new("impure", move |_: &[Surviving]| {
        Merged::Value(counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed).into())
    });
    let broken = laws::check(&impure, price, None, &Options { cases: 20, ..Options::default() }).expect_err("impure");
    assert_eq!(broken.law, laws::Law::ValueIsPure, "{broken}");
}

#[test]
fn a_single_version_is_nothing_to_decide() {
    let mut world = World::new(&*LOWEST, 1);
    world.ask(0, json!({"put": "ask"})).expect("accepted");
    let outcome = world.outcome(0).expect("a key");
    assert_eq!((outcome.value, outcome.conflicts), (json!("ask"), 0));
    assert_eq!(world.resolver.conflicts(&world.replicas[0]), Ok(Vec::new()));
    // So the next write has seen it and takes its place.
    world.ask(0, json!({"put": 7})).expect("accepted");
    assert_eq!(world.versions(0).len(), 1);
}
