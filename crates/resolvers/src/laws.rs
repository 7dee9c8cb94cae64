//! The laws that every resolver keeps, and a checker that anyone can run against their own.
//!
//! [`check`] builds random histories of one key on a few model replicas: requests of sessions and of leaders, with and
//! without contexts, some retried at another leader that has seen more or less, transactions delivered in random causal
//! orders, some twice. Whatever the history, the laws of [`Law`] must hold. A history that breaks one is cut down to a
//! short story: who did what, what came out, and which law it is.
//!
//! ```
//! use anabranch_resolvers::{Operation, PnCounter, laws};
//! use serde_json::Value;
//!
//! let spec = |naive: &laws::Naive| {
//!     let add = |operation: &Operation| if let Operation::Add(n) = operation { *n } else { 0 };
//!     let adds = naive.requests.values().flatten().map(add);
//!     (!naive.requests.is_empty()).then(|| Value::from(adds.sum::<i64>()))
//! };
//! let add = |random: &mut laws::Random| Operation::Add(random.below(9) as i64 - 4);
//! let options = laws::Options { cases: 20, ..laws::Options::default() };
//! match laws::check(&PnCounter, add, Some(&spec), &options) {
//!     Ok(report) => assert!(report.retries > 0),
//!     Err(violation) => panic!("{violation}"),
//! }
//! ```

mod checks;
mod naive;
mod random;
mod replica;
mod resolutions;
mod run;
mod script;
mod shrink;
mod story;

pub use naive::{Changes, Naive, NaiveRow};
pub use random::Random;
pub use replica::{AllRows, Applied, Replica};
pub use resolutions::resolution;

use crate::operation::Operation;
use crate::resolver::Resolver;
use serde_json::Value;
use std::fmt;
use std::ops::RangeInclusive;

/// The value that a key must have, written without the resolver: a function of what the definition says survives.
/// `None` when there is no such key.
pub type Spec<'a> = &'a dyn Fn(&Naive) -> Option<Value>;

/// How much to try.
#[derive(Clone, Debug)]
pub struct Options {
    /// Decides everything that is random. Equal seeds, equal histories.
    pub seed: u64,
    /// How many histories.
    pub cases: u64,
    /// How many replicas a history has.
    pub replicas: RangeInclusive<usize>,
    /// The most operations in a history.
    pub operations: usize,
    /// In how many more orders each whole history is applied, beyond those in which its replicas applied it.
    pub orders: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, cases: 300, replicas: 3..=5, operations: 60, orders: 3 }
    }
}

/// What was tried. Numbers of 0 are worth a look: then that was not tried at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Histories.
    pub cases: u64,
    /// Operations that took effect.
    pub operations: u64,
    /// Requests that the resolver refused.
    pub rejections: u64,
    /// Requests that were sequenced a second time, at another replica.
    pub retries: u64,
    /// Requests that were sequenced where a later one of their session already was.
    pub late: u64,
    /// Requests with a context.
    pub contexts: u64,
    /// Resolutions of conflicts that took effect, retries among them.
    pub resolutions: u64,
    /// Transactions that were delivered to a replica that had them.
    pub duplicates: u64,
    /// States whose value was compared with the specification.
    pub states: u64,
}

/// What must hold in every history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// `prepare` is a function: the same operation on the same state gives the same effect.
    PrepareRepeats,
    /// What an operation adds and folds is a function of the operation and its id; only what it supersedes depends on state.
    AddsAreFixed,
    /// Only rows that are there are superseded.
    SupersedesSeen,
    /// An effect keeps the limits of transactions.
    EffectsFit,
    /// `check` accepts what `prepare` made.
    EffectsPass,
    /// `fold` can be applied in any order.
    FoldCommutes,
    /// What `prepare` wrote, `fold` and `value` can read.
    StateReads,
    /// Rows and sums are those of the definition: tags added minus tags superseded, the lowest stamp, each change once.
    StateIsDefined,
    /// The value is a function of rows and sums: not of the order in which the rows of a subkey are visited.
    ValueIsPure,
    /// There is a value exactly when a row or a sum is there.
    KeyExists,
    /// A register lists all its versions, each once.
    VersionsAreListed,
    /// Conflicts have ids of their own, and options with names; a value counts conflicts exactly when some stand.
    ConflictsAreNamed,
    /// The value is left out exactly when its JSON is longer than the limit.
    LimitIsKept,
    /// The value is what the specification says.
    ValueIsSpecified,
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PrepareRepeats => "preparing twice on one state gives one effect",
            Self::AddsAreFixed => "what an operation adds depends on the operation alone, whatever the state",
            Self::SupersedesSeen => "only rows that are there are superseded",
            Self::EffectsFit => "an effect keeps the limits of transactions",
            Self::EffectsPass => "check accepts what prepare made",
            Self::FoldCommutes => "changes fold to one sum in any order",
            Self::StateReads => "fold and value can read what prepare wrote",
            Self::StateIsDefined => "rows and sums are those of the definition, whatever the order",
            Self::ValueIsPure => "the value depends on the surviving rows alone, not on the order of visiting them",
            Self::KeyExists => "there is a value exactly when a row or a sum is there",
            Self::VersionsAreListed => "a register lists all its versions, each once",
            Self::ConflictsAreNamed => "conflicts and their options have names, and a value says when some stand",
            Self::LimitIsKept => "the value is left out exactly when it is longer than the limit",
            Self::ValueIsSpecified => "the value is what the specification says",
        })
    }
}

/// A history that breaks a law, as short as it could be made. Its `Display` tells the story.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{story}")]
pub struct Violation {
    /// The law.
    pub law: Law,
    /// The number of the history, from 0, under the seed of the options.
    pub case: u64,
    /// How many operations are left in the story; a retry counts again.
    pub operations: usize,
    /// The story, in lines.
    pub story: String,
}

/// Tries a resolver on random histories of operations that `generator` draws.
///
/// # Errors
/// The first [`Violation`].
pub fn check(
    resolver: &dyn Resolver,
    mut generator: impl FnMut(&mut Random) -> Operation,
    spec: Option<Spec<'_>>,
    options: &Options,
) -> Result<Report, Violation> {
    let mut report = Report::default();
    for case in 0..options.cases {
        // Each history has its own stream, so that one of them can be looked at alone.
        let mut random = Random::new(Random::new(options.seed).next() ^ case);
        let script = script::generate(&mut random, options, &mut generator);
        match run::run(resolver, spec, &script) {
            Ok(counts) => report.add(&counts),
            Err(failure) => {
                let fails = |script: &script::Script| match run::run(resolver, spec, script) {
                    Err(again) => again.law == failure.law,
                    Ok(_) => false,
                };
                let short = shrink::shrink(script.clone(), fails);
                let story = story::tell(resolver, spec, &short, case, options.seed, script.operations());
                return Err(Violation { law: failure.law, case, operations: short.operations(), story });
            }
        }
        report.cases += 1;
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, more: &Self) {
        self.operations += more.operations;
        self.rejections += more.rejections;
        self.retries += more.retries;
        self.late += more.late;
        self.contexts += more.contexts;
        self.resolutions += more.resolutions;
        self.duplicates += more.duplicates;
        self.states += more.states;
    }
}

/// Which law broke, and how.
#[derive(Clone, Debug)]
struct Failure {
    law: Law,
    what: String,
}
