//! Every planted bug must be caught, within a few hundred seeds: this is how we know that the checkers bite. The name of each
//! test begins with `mutant`, so that one word on the command line runs them all.
#![cfg(feature = "mutants")]

use anabranch_engine::mutant::{Mutant, Planted};
use anabranch_sim::{Bug, Lapse, Options, Scenario, Violation};
use std::io::Write;

const MOST_SEEDS: u64 = 300;

/// The first violation with the bug planted.
fn caught(name: &str, options: Options) -> Violation {
    let caught = (0..MOST_SEEDS).find_map(|seed| anabranch_sim::run(seed, options).err());
    let violation = caught.unwrap_or_else(|| panic!("{name} was not caught within {MOST_SEEDS} seeds"));
    let shown = format!("{name}: caught after {} seeds: {}\n", violation.seed + 1, violation.what);
    std::io::stderr().write_all(shown.as_bytes()).expect("stderr");
    violation
}

fn is_caught(mutant: Mutant) {
    caught(&format!("{mutant:?}"), Options { planted: Planted::bug(mutant), ..Options::new(Scenario::Swarm) });
}

/// What is caught breaks one of these rules for sessions.
fn breaks(bug: Bug, rules: &[&str]) {
    let options = Options { lapse: Lapse::planted(bug), ..Options::new(Scenario::Swarm) };
    let violation = caught(&format!("{bug:?}"), options);
    assert!(rules.iter().any(|rule| violation.what.starts_with(&format!("{rule}: "))), "{violation}");
}

fn plainly_caught(bug: Bug) {
    caught(&format!("{bug:?}"), Options { lapse: Lapse::planted(bug), ..Options::new(Scenario::Swarm) });
}

#[test]
fn mutant_reused_sequence_numbers() {
    is_caught(Mutant::ReuseSequence);
}

#[test]
fn mutant_transactions_applied_twice() {
    is_caught(Mutant::ApplyTwice);
}

#[test]
fn mutant_replies_before_the_disk() {
    is_caught(Mutant::ReplyBeforeSync);
}

#[test]
fn mutant_dependencies_ignored() {
    is_caught(Mutant::IgnoreDependencies);
}

#[test]
fn mutant_supersessions_lost() {
    is_caught(Mutant::LoseSupersession);
}

#[test]
fn mutant_reads_that_do_not_wait_for_tokens() {
    breaks(Bug::ReadsDoNotWait, &["token", "read your writes", "monotonic reads"]);
}

#[test]
fn mutant_writes_that_do_not_wait_for_tokens() {
    breaks(Bug::WritesDoNotWait, &["monotonic writes", "writes follow reads", "causal"]);
}

#[test]
fn mutant_answers_whose_tokens_lack_what_they_show() {
    breaks(Bug::TokensLackWhatWasShown, &["monotonic reads", "writes follow reads", "causal"]);
}

#[test]
fn mutant_attempts_that_leave_the_token_out() {
    breaks(Bug::AskedAgainWithoutToken, &["token", "monotonic writes", "writes follow reads", "causal"]);
}

#[test]
fn mutant_clocks_on_disk_later_than_rows() {
    is_caught(Mutant::ClocksApart);
}

#[test]
fn mutant_transactions_dropped_for_their_stamps() {
    is_caught(Mutant::DropOnSkew);
}

#[test]
fn mutant_restarts_that_forget_the_actor_table() {
    is_caught(Mutant::ForgetActors);
}

#[test]
fn mutant_session_windows_checked_on_apply() {
    is_caught(Mutant::WindowOnApply);
}

#[test]
fn mutant_late_retries_that_undo() {
    is_caught(Mutant::LateRetryUndoes);
}

#[test]
fn mutant_relays_without_order() {
    is_caught(Mutant::UnorderedRelay);
}

#[test]
fn mutant_higher_stamps_of_copies() {
    is_caught(Mutant::HigherStamp);
}

#[test]
fn mutant_digests_that_are_not_told() {
    is_caught(Mutant::DigestStale);
}

#[test]
fn mutant_heartbeats_that_claim_what_is_not_on_disk() {
    is_caught(Mutant::HeartbeatUnsynced);
}

#[test]
fn mutant_transactions_applied_by_half() {
    is_caught(Mutant::HalfApplied);
}

#[test]
fn mutant_buffers_without_a_limit() {
    is_caught(Mutant::UnboundedBuffer);
}

#[test]
fn mutant_opposite_decisions_that_erase_each_other() {
    is_caught(Mutant::OppositesErase);
}

#[test]
fn mutant_decisions_that_add_nothing() {
    plainly_caught(Bug::DecisionsAddNothing);
}

#[test]
fn mutant_merges_of_texts_that_forget() {
    plainly_caught(Bug::MergesForget);
}

#[test]
fn mutant_ties_decided_by_arrival() {
    plainly_caught(Bug::TiesByArrival);
}

#[test]
fn mutant_adds_prepared_away() {
    plainly_caught(Bug::AddsPreparedAway);
}

/// A run that fails shrinks to one with fewer requests, which fails when it is run again as it says.
#[test]
fn mutant_runs_shrink_to_a_story() {
    let options = Options { planted: Planted::bug(Mutant::ReplyBeforeSync), ..Options::new(Scenario::Swarm) };
    let first = caught("before shrinking", options);
    let (least, violation) = anabranch_sim::shrink(first.seed, options).expect("it fails");
    assert_ne!(least.less, Options::new(Scenario::Swarm).less);
    let again = Options { less: least.less.to_string().parse().expect("parts"), ..options };
    let repeated = anabranch_sim::run(first.seed, again).expect_err("it fails again");
    assert_eq!(repeated.what, violation.what);
    assert!(violation.is_like(&first), "{first} became {violation}");
    let asked = violation.story().lines().filter(|line| line.contains(" is asked ")).count();
    assert!((1..20).contains(&asked), "{asked} requests in the story:\n{}", violation.story());
}

/// What is shrunk still fails in the same way: without its other parts, this run would soon fail because replicas that took one
/// number for two transactions never become equal.
#[test]
fn mutant_runs_shrink_to_the_same_kind_of_failure() {
    let options = Options { planted: Planted::bug(Mutant::ReuseSequence), ..Options::new(Scenario::Swarm) };
    let seeds = (0..MOST_SEEDS).filter_map(|seed| anabranch_sim::run(seed, options).err());
    for first in seeds.filter(|first| first.rule == "dots").take(4) {
        let (_, violation) = anabranch_sim::shrink(first.seed, options).expect("it fails");
        assert!(violation.is_like(&first), "{first} became {violation}");
    }
}
