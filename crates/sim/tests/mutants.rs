//! Every planted bug must be caught, within a few hundred seeds: this is how we know that the checkers bite.
#![cfg(feature = "mutants")]

use anabranch_engine::mutant::{Mutant, Planted};
use anabranch_sim::{Options, Scenario};
use std::io::Write;

const MOST_SEEDS: u64 = 300;

fn is_caught(mutant: Mutant) {
    let options = Options { planted: Planted::bug(mutant), ..Options::new(Scenario::Swarm) };
    let caught = (0..MOST_SEEDS).find_map(|seed| anabranch_sim::run(seed, options).err());
    let violation = caught.unwrap_or_else(|| panic!("{mutant:?} was not caught within {MOST_SEEDS} seeds"));
    let shown = format!("{mutant:?}: caught after {} seeds: {}\n", violation.seed + 1, violation.what);
    std::io::stderr().write_all(shown.as_bytes()).expect("stderr");
}

#[test]
fn reused_sequence_numbers() {
    is_caught(Mutant::ReuseSequence);
}

#[test]
fn transactions_applied_twice() {
    is_caught(Mutant::ApplyTwice);
}

#[test]
fn replies_before_the_disk() {
    is_caught(Mutant::ReplyBeforeSync);
}

#[test]
fn dependencies_ignored() {
    is_caught(Mutant::IgnoreDependencies);
}

#[test]
fn supersessions_lost() {
    is_caught(Mutant::LoseSupersession);
}
