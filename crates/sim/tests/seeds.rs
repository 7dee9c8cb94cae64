//! The seeds that run with every `cargo test`.

use anabranch_sim::{Options, Scenario};
use std::ops::Range;

fn run(scenario: Scenario, seeds: Range<u64>) {
    for seed in seeds {
        if let Err(violation) = anabranch_sim::run(seed, Options::new(scenario)) {
            panic!("{violation}");
        }
    }
}

#[test]
fn the_first_five_hundred_seeds() {
    run(Scenario::Swarm, 0..500);
}

#[test]
fn the_second_five_hundred_seeds() {
    run(Scenario::Swarm, 500..1_000);
}

#[test]
fn a_healthy_mesh_sends_nothing_twice() {
    run(Scenario::Healthy, 0..100);
}

#[test]
fn the_third_node_relays() {
    run(Scenario::Relay, 0..100);
}

#[test]
fn a_seed_makes_one_run() {
    for seed in 0..10 {
        let run = || anabranch_sim::run(seed, Options::new(Scenario::Swarm)).map(|report| report.trace);
        let (first, second) = (run().expect("no violation"), run().expect("no violation"));
        assert_eq!(first, second, "seed {seed}");
        let other = anabranch_sim::run(seed + 1, Options::new(Scenario::Swarm)).expect("no violation");
        assert_ne!(first, other.trace);
    }
}
