//! What a run comes to.

use super::journal::{Journal, Tally};
use crate::support::stalls::Stalls;
use anabranch_sim::histories::{self, History, Scope, Violation};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How much longer than it was to wait a request may take: for passing it on, for the disk, and for the way.
const GRACE: Duration = Duration::from_millis(1_500);

pub(super) struct Verdict {
    file: PathBuf,
    tally: Tally,
    /// How long the machine itself stood still.
    stall: Duration,
    broken: Vec<Violation>,
    /// What those would have to complain of who asked for nothing.
    provoked: Vec<Violation>,
}

impl Verdict {
    pub(super) fn of(journal: &Journal, stalls: Stalls) -> Self {
        let (file, tally) = (journal.file(), journal.tally());
        let history = History::load([&file]).unwrap_or_else(|error| panic!("{error}"));
        let broken = histories::check(&history, &Scope::promised());
        let provoked = histories::check(&history, &Scope::as_if(history.eventual_sessions()));
        Self { file, tally, stall: stalls.worst(), broken, provoked }
    }

    /// `stopped` is the longest that a node was stopped: what it was asked for takes that much longer.
    pub(super) fn must_be_good(&self, stopped: Duration) {
        let Self { file, tally, stall, broken, provoked } = self;
        let stories: Vec<_> = broken.iter().take(10).map(Violation::to_string).collect();
        assert!(broken.is_empty(), "{} violations in {}:\n{}", broken.len(), file.display(), stories.join("\n"));
        assert!(!provoked.is_empty(), "nothing to be protected from: the test proves nothing");
        let (over, what) = &tally.overrun;
        assert!(
            *over <= GRACE + stopped + 2 * *stall,
            "{over:?} too long (the machine stood still for {stall:?}): {what}"
        );
        assert!(tally.writes > 100 && tally.reads > 100 && tally.adds > 10, "little was done: {tally:?}");
        assert!(tally.tried_again > 0, "no write met a killed node: the test proves nothing");
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { reads, writes, adds, refused, tried_again, repeated, handed_over, longest, overrun } = &self.tally;
        write!(f, "{reads} reads, {writes} writes, {adds} increments; {refused} without an answer; ")?;
        write!(f, "{tried_again} writes sent again, {repeated} of them after nobody knew; ")?;
        write!(f, "{handed_over} tokens handed over; the longest request took {longest:.2?}, ")?;
        write!(f, "at most {:.2?} longer than it was to wait (stalls: {:.2?}); ", overrun.0, self.stall)?;
        write!(f, "violations: {} with sessions, {} without", self.broken.len(), self.provoked.len())
    }
}
