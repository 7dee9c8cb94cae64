//! Every built-in keeps the laws. `ANABRANCH_LAWS_CASES=10000` makes it the long form: that many histories, of up to 200
//! operations on 5 replicas; `ANABRANCH_LAWS_SEED` draws others.

use crate::{calendar_model, specs};
use anabranch_resolvers::laws::{self, Naive, Options, Random, Report};
use anabranch_resolvers::{
    Calendar, Cart, Escalate, GCounter, KeepAll, Lww, Map, Operation, OrSet, PnCounter, Resolver,
};
use serde_json::Value;

pub(crate) fn options() -> Options {
    let from_env = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let seed = from_env("ANABRANCH_LAWS_SEED").unwrap_or(1);
    match from_env("ANABRANCH_LAWS_CASES") {
        Some(cases) => Options { seed, cases, replicas: 5..=5, operations: 200, orders: 3 },
        None => Options { seed, ..Options::default() },
    }
}

/// What the long form tried, with `--nocapture`.
#[expect(clippy::print_stdout)]
fn tell(resolver: &str, report: &Report) {
    println!("{resolver}: {report:?}");
}

pub(crate) fn keeps_the_laws(
    resolver: &dyn Resolver,
    generator: fn(&mut Random) -> Operation,
    spec: fn(&Naive) -> Option<Value>,
) -> Report {
    let report = match laws::check(resolver, generator, Some(&spec), &options()) {
        Ok(report) => report,
        Err(violation) => panic!("{violation}"),
    };
    tell(resolver.name(), &report);
    // Histories in which nothing happens keep every law.
    assert!(report.operations > report.cases * 10, "{report:?}");
    assert!(report.retries > report.cases / 10 && report.late > 0, "{report:?}");
    assert!(report.duplicates > report.cases && report.states > report.cases, "{report:?}");
    report
}

#[test]
fn lww_keeps_the_laws() {
    let report = keeps_the_laws(&Lww, specs::any_register_operation, specs::lww);
    assert!(report.contexts > report.cases, "{report:?}");
}

#[test]
fn keep_all_keeps_the_laws() {
    let report = keeps_the_laws(&KeepAll, specs::any_decided_register_operation, specs::keep_all);
    assert!(report.contexts > report.cases && report.resolutions > report.cases / 2, "{report:?}");
}

#[test]
fn escalate_keeps_the_laws() {
    // Its value is that of `lww`; what is in conflict has tests of its own.
    let report = keeps_the_laws(&Escalate, specs::any_decided_register_operation, specs::lww);
    assert!(report.contexts > report.cases && report.resolutions > report.cases / 2, "{report:?}");
}

#[test]
fn g_counter_keeps_the_laws() {
    let report = keeps_the_laws(&GCounter, specs::any_g_operation, specs::counter);
    assert!(report.rejections > report.cases, "{report:?}");
}

#[test]
fn pn_counter_keeps_the_laws() {
    let report = keeps_the_laws(&PnCounter, specs::any_pn_operation, specs::counter);
    assert!(report.rejections > report.cases / 10, "{report:?}");
}

#[test]
fn or_set_keeps_the_laws() {
    keeps_the_laws(&OrSet, specs::any_set_operation, specs::or_set);
}

#[test]
fn map_keeps_the_laws() {
    keeps_the_laws(&Map::new(), specs::any_map_operation, specs::map);
}

#[test]
fn cart_keeps_the_laws() {
    keeps_the_laws(&Cart, specs::any_cart_operation, specs::cart);
}

#[test]
fn calendar_keeps_the_laws() {
    let report = keeps_the_laws(&Calendar, calendar_model::any_calendar_operation, calendar_model::calendar);
    assert!(report.rejections > report.cases && report.resolutions > report.cases / 3, "{report:?}");
}

#[test]
fn one_seed_is_one_run() {
    let options = Options { cases: 20, ..Options::default() };
    let run = || laws::check(&OrSet, specs::any_set_operation, Some(&specs::or_set), &options);
    assert_eq!(run(), run());
}
