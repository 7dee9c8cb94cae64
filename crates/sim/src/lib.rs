//! The deterministic simulator: the real engine and the real codec, over disks that forget and a network that fails, with
//! clients that ask again elsewhere. One seed makes one run, always the same.
//!
//! A run has two halves. First faults strike, of kinds and at rates drawn from the seed, while clients write. Then
//! everything heals, and within a bound of virtual time all replicas must be equal, and equal to the naive specification.
//! What must hold at every moment is checked at every moment.
//!
//! Some of the clients have sessions: they hop between leaders and followers and carry their tokens along. What they did and saw
//! is a history, judged in the end by the checkers in [`histories`], which read those of real processes, too.

mod builds;
mod checkers;
mod clients;
mod clones;
mod coverage;
mod faults;
mod flawed;
pub mod histories;
mod history;
mod lapse;
mod ledger;
mod less;
mod merging;
mod network;
mod node;
mod past;
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
pub use less::{Less, shrink};
pub use plan::Scenario;

use anabranch_engine::mutant::Planted;
use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use world::World;

/// The rule that a panic breaks.
const PANIC: &str = "panic";

/// How to run a seed.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What is tried.
    pub scenario: Scenario,
    /// The bug planted in every engine, if any.
    pub planted: Planted,
    /// The bug planted in how nodes and clients treat tokens, if any.
    pub lapse: Lapse,
    /// What is left out.
    pub less: Less,
    /// Keep what happened as text, for [`Violation::text`].
    pub keep_text: bool,
}

impl Options {
    /// That scenario, with nothing planted.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        Self { scenario, planted: Planted::none(), lapse: Lapse::none(), less: Less::default(), keep_text: false }
    }
}

/// A run without violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// A hash of all that happened.
    pub trace: u64,
    /// What happened how often.
    pub coverage: Coverage,
    /// How long after the last client fell silent all replicas were equal, in virtual milliseconds.
    pub converged_ms: u64,
}

/// Something that must always hold, and did not.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The seed.
    pub seed: u64,
    /// The scenario.
    pub scenario: Scenario,
    /// What was left out.
    pub less: Less,
    /// When, in virtual milliseconds.
    pub at_ms: u64,
    /// Which checker says so.
    pub rule: &'static str,
    /// What is wrong.
    pub what: String,
    /// What happened until then, if it was kept.
    pub text: Option<Box<str>>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, scenario, at_ms, rule, what, .. } = self;
        writeln!(f, "seed {seed}, {scenario} scenario, at {at_ms} ms ({rule}): {what}")?;
        write!(f, "again: {}", self.again())
    }
}

impl Violation {
    /// Whether another run fails in the same way: the same checker speaks, or the same line panics.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let words = |what: &str| what.chars().filter(|character| !character.is_ascii_digit()).collect::<String>();
        self.rule == other.rule && (self.rule != PANIC || words(&self.what) == words(&other.what))
    }

    /// What happened, without what goes on all the time: who was asked what, what was applied where, what broke, what was answered.
    #[must_use]
    pub fn story(&self) -> String {
        let routine = |line: &&str| [": ack ", ": heartbeat "].iter().any(|word| line.contains(word));
        let lines = self.text.iter().flat_map(|text| text.lines()).filter(|line| !routine(line));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// The command that repeats it, with the code that it was found with.
    #[must_use]
    pub fn again(&self) -> String {
        let Self { seed, scenario, less, .. } = self;
        let less = if *less == Less::default() { String::new() } else { format!(" --less {less}") };
        let options = format!("--scenario {scenario} --seed {seed}{less} --trace");
        format!("cargo run --release -p anabranch-sim -- {options} # at revision {REVISION}")
    }
}

/// Which code this is: the commit when it was built from a repository, else the version. A seed repeats a run only with the
/// code that made it.
pub const REVISION: &str = env!("ANABRANCH_SIM_REVISION");

/// Runs one seed. A panic of what is tried is a violation, too.
///
/// # Errors
/// [`Violation`].
pub fn run(seed: u64, options: Options) -> Result<Report, Violation> {
    let mut world = World::new(seed, options);
    let ran = std::panic::catch_unwind(AssertUnwindSafe(|| world.run()));
    ran.unwrap_or_else(|cause| Err(world.violation(PANIC, format!("panic: {}", message(cause.as_ref())))))?;
    Ok(Report { trace: world.trace.hash(), coverage: world.coverage, converged_ms: world.converged_ms })
}

fn message(cause: &(dyn Any + Send)) -> &str {
    let text = cause.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
