//! The checkers against a model of a few replicas: what it does right they must not blame, what it does wrong they must find.

mod model;

use anabranch_sim::histories::{self, CHECKERS, History, Scope};
use model::{Bug, Model};
use std::collections::BTreeSet;

fn history(seed: u64, steps: u64, bug: Bug) -> History {
    History::new(Some("model"), Model::new(seed, bug).run(steps)).expect("a history")
}

/// The rules that are broken in any of some runs.
fn broken(bug: Bug) -> BTreeSet<&'static str> {
    let found = (0..8).flat_map(|seed| histories::check(&history(seed, 2_000, bug), &Scope::promised()));
    found.map(|violation| violation.rule).collect()
}

#[test]
fn a_model_without_bugs_is_not_blamed() {
    for seed in 0..25 {
        let history = history(seed, 2_000, Bug::None);
        assert_eq!(histories::check(&history, &Scope::promised()), [], "seed {seed}");
    }
}

#[test]
fn going_without_guarantees_costs_something() {
    let history = history(1, 5_000, Bug::None);
    let scope = Scope::as_if(history.eventual_sessions());
    let found: BTreeSet<_> = histories::check(&history, &scope).iter().map(|violation| violation.rule).collect();
    let right = ["causal", "monotonic reads", "monotonic writes", "read your writes", "writes follow reads"];
    assert_eq!(found, right.into());
}

#[test]
fn replicas_that_do_not_wait_for_tokens_are_found() {
    let reads = broken(Bug::ReadsDoNotWait);
    assert!(reads.is_superset(&["causal", "monotonic reads", "read your writes", "token"].into()), "{reads:?}");
    let writes = broken(Bug::WritesDoNotWait);
    assert_eq!(writes, ["causal", "monotonic writes", "writes follow reads"].into());
    let all = ["causal", "monotonic reads", "monotonic writes", "read your writes", "token", "writes follow reads"];
    assert_eq!(broken(Bug::NobodyWaits), all.into());
}

#[test]
fn replicas_that_ignore_dependencies_are_found() {
    let found = broken(Bug::AnyOrder);
    assert!(found.contains("consistent prefix") && found.contains("causal"), "{found:?}");
    assert!(!found.contains("exactly once") && !found.contains("sanity"), "{found:?}");
}

#[test]
fn counts_that_are_doubled_or_lost_are_found() {
    assert_eq!(broken(Bug::CountsTwice), ["exactly once"].into());
    assert_eq!(broken(Bug::LosesCounts), ["exactly once"].into());
}

#[test]
fn writes_that_failed_and_show_are_found() {
    assert!(broken(Bug::FailsAndWrites).contains("sanity"));
}

/// `cargo test --release -p anabranch-sim --test histories -- --ignored --nocapture`
#[test]
#[ignore = "a figure, not a test"]
fn a_history_of_200_000_operations() {
    use std::io::Write;
    use std::time::Instant;
    let events = Model::new(1, Bug::None).run(200_000);
    let began = Instant::now();
    let history = History::new(Some("model"), events).expect("a history");
    let say = |what: &str, began: Instant| writeln!(std::io::stderr(), "{what}: {:?}", began.elapsed());
    say(&format!("{} events sorted", history.events().len()), began).expect("stderr");
    for (name, checker) in CHECKERS {
        let began = Instant::now();
        assert_eq!(checker(&history, &Scope::promised()), []);
        say(name, began).expect("stderr");
    }
}
