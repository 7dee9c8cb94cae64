//! The seeds that run with every `cargo test`.

use anabranch_sim::{Coverage, Options, Scenario};
use std::ops::Range;

fn run(scenario: Scenario, seeds: Range<u64>) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match anabranch_sim::run(seed, Options::new(scenario)) {
            Ok(report) => coverage.join(&report.coverage),
            Err(violation) => panic!("{violation}"),
        }
    }
    coverage
}

/// What sessions must run into, so that their guarantees mean something.
const SITUATIONS: [&str; 19] = [
    "calls without effect: token not reached",
    "eventual reads that lacked own writes",
    "eventual reads that went back in time",
    "hops",
    "reads at followers",
    "reads at leaders",
    "reads hedged",
    "reads wait for a token",
    "refused: no leader",
    "refused: stale",
    "refused: token not reached",
    "sessions given up",
    "sessions saved and restored",
    "tokens handed over",
    "unknown writes asked for again",
    "waits that reached the token",
    "writes of which nobody knows",
    "writes passed on",
    "writes wait for a token",
];

#[test]
fn the_first_five_hundred_seeds() {
    let coverage = run(Scenario::Swarm, 0..500);
    for situation in SITUATIONS {
        assert!(coverage.get(situation) > 0, "never: {situation}");
    }
}

#[test]
fn the_second_five_hundred_seeds() {
    run(Scenario::Swarm, 500..1_000);
}

/// Seeds that once found something.
#[test]
fn the_seeds_to_remember() {
    // A write that its client had given up came when all replicas had been equal for a while.
    run(Scenario::Swarm, 26_472..26_473);
    // Where buffers hold next to nothing, catching up takes more than 10 s: a few transactions per heartbeat, and no stall.
    for seed in [40_564, 41_903, 42_218] {
        run(Scenario::Swarm, seed..seed + 1);
    }
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
