//! The deterministic simulator: the real engine and the real codec, over disks that forget and a network that fails, with
//! clients that ask again elsewhere. One seed makes one run, always the same.
//!
//! A run has two halves. First faults strike, of kinds and at rates drawn from the seed, while clients write. Then
//! everything heals, and within a bound of virtual time all replicas must be equal, and equal to the naive specification.
//! What must hold at every moment is checked at every moment.
//!
//! Some of the clients have sessions: they hop between leaders and followers and carry their tokens along. What they did and saw
//! is a history, judged in the end by the checkers in [`histories`], which read those of real processes, too.

mod checkers;
mod clients;
mod coverage;
mod faults;
pub mod histories;
mod history;
mod lapse;
mod ledger;
mod network;
mod node;
mod plan;
mod queue;
mod random;
mod settle;
mod trace;
mod travellers;
mod turn;
mod workload;
mod world;

pub use coverage::Coverage;
pub use lapse::{Bug, Lapse};
pub use plan::Scenario;

use anabranch_engine::mutant::Planted;
use std::fmt;
use world::World;

/// How to run a seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is tried.
    pub scenario: Scenario,
    /// The bug planted in every engine, if any.
    pub planted: Planted,
    /// The bug planted in how nodes and clients treat tokens, if any.
    pub lapse: Lapse,
    /// Keep what happened as text, for [`Violation::text`].
    pub keep_text: bool,
}

impl Options {
    /// That scenario, with nothing planted.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Self { scenario, planted: Planted::none(), lapse: Lapse::none(), keep_text: false }
    }
}

/// A run without violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// A hash of all that happened.
    pub trace: u64,
    /// What happened how often.
    pub coverage: Coverage,
}

/// Something that must always hold, and did not.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// The scenario.
    pub scenario: Scenario,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// What is wrong.
    pub what: String,
    /// What happened until then, if it was kept.
    pub text: Option<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, scenario, at_ms, what, .. } = self;
        writeln!(f, "seed {seed}, {scenario} scenario, at {at_ms} ms: {what}")?;
        write!(f, "again: cargo run -p anabranch-sim -- --scenario {scenario} --seed {seed} --trace")
    }
}

/// Runs one seed.
///
/// # Errors
/// [`Violation`].
pub fn run(seed: u64, options: Options) -> Result<Report, Violation> {
    let mut world = World::new(seed, options);
    world.run()?;
    Ok(Report { trace: world.trace.hash(), coverage: world.coverage })
}
