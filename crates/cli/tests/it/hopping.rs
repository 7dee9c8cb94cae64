//! Clients that hop from replica to replica while these fail: with a session nobody sees time run backwards, without one
//! many do.
//!
//! `ANABRANCH_HOP_SECONDS=60 cargo test -p anabranch-cli --test it hopping -- --nocapture` runs the long form.
//! `ANABRANCH_HOP_SEED` makes the choices of an earlier run again; when what happens is another matter.

mod ask;
mod faults;
mod journal;
mod natively;
mod over_http;
mod traveller;
mod verdict;
mod world;

use crate::support::cluster::Cluster;
use crate::support::random::Random;
use crate::support::stalls::Stalls;
use crate::support::{seconds, tell};
use anabranch_transport::LinkProfile;
use faults::Faults;
use std::sync::Arc;
use std::time::Duration;
use traveller::{TRAVELLERS, Traveller};
use verdict::Verdict;
use world::World;

/// What lies between each two nodes.
const LINK: LinkProfile = LinkProfile {
    delay: Duration::from_millis(15),
    jitter: Duration::from_millis(10),
    loss: 0.02,
    duplicate: 0.01,
    reorder: 0.02,
};

#[test]
fn sessions_hop_between_a_leader_and_its_followers() {
    hop("one leader, three followers", &["eu", "us", "ap", "sa"], Some("eu"));
}

#[test]
fn sessions_hop_between_leaders() {
    hop("three leaders", &["eu", "us", "ap"], None);
}

fn hop(what: &str, names: &[&str], leader: Option<&str>) {
    let seed = seed();
    tell(&format!("hopping, {what}: ANABRANCH_HOP_SEED={seed}"));
    let mut cluster = Cluster::start_apart(names, leader, LINK, seed);
    let lasts = seconds("ANABRANCH_HOP_SECONDS", 8);
    let strike = |cluster: &mut Cluster| Faults::new(cluster, Random::new(seed)).strike(lasts);
    let told = judged(&mut cluster, seed, Duration::ZERO, strike, |_| {});
    tell(&format!("hopping, {what}: {lasts:?}, {told}"));
}

/// Lets clients travel while `strike` does what it does, and judges what they saw; `before_the_end` is done when they
/// have stopped and before anybody looks at what is left. No node is stopped for longer than `stopped`. Says what it came to.
pub(crate) fn judged(
    cluster: &mut Cluster,
    seed: u64,
    stopped: Duration,
    strike: impl FnOnce(&mut Cluster),
    before_the_end: impl FnOnce(&mut Cluster),
) -> String {
    let world = Arc::new(World::new(cluster));
    world.make_collections(cluster);
    let stalls = Stalls::watch();
    let travellers = (0..TRAVELLERS).map(|number| Traveller::new(&world, number, seed).run());
    let travellers: Vec<_> = travellers.collect();
    strike(cluster);
    world.stop();
    travellers.into_iter().for_each(|thread| thread.join().expect("a traveller"));

    before_the_end(cluster);
    cluster.verify("15s").with_code(0);
    world.look_everywhere();
    let verdict = Verdict::of(&world.journal, stalls);
    verdict.must_be_good(stopped);
    verdict.to_string()
}

fn seed() -> u64 {
    let given = std::env::var("ANABRANCH_HOP_SEED").ok().map(|text| text.parse().expect("a number"));
    given.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0))
}
