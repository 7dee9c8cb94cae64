//! What travellers ask, and what they are told.

use anabranch_causality::Dot;
use anabranch_sim::histories::Guarantees;
use std::collections::BTreeMap;
use std::time::Duration;

/// The collections.
pub(super) const SETS: &str = "walls";
pub(super) const COUNTERS: &str = "likes";

/// How many keys there are at a time.
const KEYS: u64 = 6;
/// After so long the keys are others, so that sets stay small.
const KEYS_LAST_US: u64 = 2_000_000;

/// The keys of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Era(u64);

impl Era {
    pub(super) fn at(us: u64) -> Self {
        Self(us / KEYS_LAST_US)
    }

    /// So many before.
    pub(super) fn back(self, by: u64) -> Self {
        Self(self.0.saturating_sub(by))
    }

    /// All up to this one.
    pub(super) fn all(self) -> impl Iterator<Item = Self> {
        (0..=self.0).map(Self)
    }

    pub(super) fn prefix(self) -> String {
        format!("{:04}-", self.0)
    }

    pub(super) fn key(self, chosen: u64) -> String {
        format!("{}{}", self.prefix(), chosen % KEYS)
    }

    pub(super) fn keys(self) -> impl Iterator<Item = String> {
        (0..KEYS).map(move |number| self.key(number))
    }
}

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Ask {
    /// One key's set.
    Get(String),
    /// All sets of an era, at one cut.
    Page(Era),
    /// A counter's value; `last` when all replicas have everything.
    Count { counter: String, last: bool },
    /// A number comes into some sets, or into none.
    Write { number: u64, keys: Vec<String> },
    /// One more.
    Add { operation: u64, counter: String },
}

impl Ask {
    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Add { .. })
    }
}

/// What came of one attempt.
pub(super) enum Said {
    /// Per key the numbers in its set.
    Seen(BTreeMap<String, Vec<u64>>),
    Counted(i64),
    Written {
        dot: Dot,
        repeated: bool,
    },
    /// Surely nothing.
    Not,
    /// Nobody knows.
    Unknown,
}

/// One attempt.
pub(super) struct Heard {
    pub(super) said: Said,
    /// For people: why not.
    pub(super) why: String,
    /// The node that answered.
    pub(super) by: Option<String>,
    pub(super) token: Option<String>,
    pub(super) took: Duration,
    /// How long it was to wait at most.
    pub(super) allowed: Duration,
}

/// How a traveller talks to replicas: over HTTP, or natively.
pub(super) trait Way: Send {
    /// What of its session it asks replicas for.
    fn guarantees(&self) -> Guarantees;
    /// All that it carries.
    fn token(&self) -> Option<String>;
    /// Takes over what another session carries.
    fn join(&mut self, token: &str);
    /// Makes an attempt, at that node if it goes to a certain one. `again`: it is the last write once more.
    fn attempt(&mut self, at: usize, ask: &Ask, again: bool) -> Heard;
    /// Whether an attempt may send more than once.
    fn sends_again(&self) -> bool {
        false
    }
    /// Carries on elsewhere, if it can.
    fn move_on(&mut self) {}
}
