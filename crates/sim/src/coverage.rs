//! Which faults and situations really happened, and how often.

use std::collections::BTreeMap;
use std::fmt;

/// What must happen in a large batch of the swarm: the number of the scenario in the list of faults that the project keeps
/// (docs/testing.md explains them), and the count that says that it happened.
const SCENARIOS: [(u8, &str); 67] = [
    (1, "crashes before sealing"),
    (1, "crashes before writing"),
    (1, "crashes after sync"),
    (1, "crashes between outputs"),
    (1, "crashes between turns"),
    (2, "crashes between write and sync"),
    (3, "crashes during recovery"),
    (4, "crashes because a sync failed"),
    (5, "opens anew because its disk is full"),
    (7, "disks rolled back"),
    (8, "writes alone after a rollback"),
    (9, "clones of which both copies wrote"),
    (9, "clones that run to the end"),
    (9, "clones thrown away"),
    (9, "copies that replace each other"),
    (13, "reads at followers"),
    (13, "reads wait for a token"),
    (13, "writes wait for a token"),
    (13, "waits that reached the token"),
    (13, "refused: token not reached"),
    (14, "tokens that name what is lost"),
    (15, "cuts in two groups"),
    (15, "cuts of a pair"),
    (15, "cuts of one direction"),
    (15, "cuts of one node"),
    (15, "cuts to a ring"),
    (15, "links that flap"),
    (16, "clogs"),
    (16, "frames doubled"),
    (16, "frames lost"),
    (16, "frames reordered"),
    (17, "connections broken"),
    (17, "transactions that came again"),
    (18, "cuts that no connection noticed"),
    (19, "leaders that leave"),
    (19, "followers that leave"),
    (21, "days away"),
    (23, "disks wiped"),
    (23, "members that join late"),
    (24, "clocks a little off"),
    (24, "clocks an hour off"),
    (24, "clocks days off"),
    (24, "clocks in 1970"),
    (24, "clocks seconds off"),
    (24, "clocks ten years ahead"),
    (24, "clocks that stand still"),
    (24, "refused: clock"),
    (24, "stamps ahead"),
    (25, "equal stamps of two origins"),
    (25, "refused: other kind"),
    (26, "rows superseded by two"),
    (26, "decisions that contradict each other"),
    (27, "attempts at another leader"),
    (27, "attempts again after days"),
    (27, "copies applied"),
    (27, "counters used for two requests"),
    (27, "pairs of operations that supersede each other"),
    (29, "concurrent edits of texts"),
    (29, "edits of texts by position"),
    (29, "edits of texts by update"),
    (30, "poison operations parked"),
    (31, "unknown kinds parked"),
    (31, "builds upgraded"),
    (32, "buffer overflows"),
    (32, "nodes that are slow"),
    (32, "sessions given up"),
    (32, "reads hedged"),
];

/// Counts by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    counts: BTreeMap<&'static str, u64>,
}

impl Coverage {
    /// It happened once more.
    pub(crate) fn note(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    /// It happened so often.
    pub(crate) fn add(&mut self, what: &'static str, count: u64) {
        *self.counts.entry(what).or_default() += count;
    }

    /// Takes in the counts of another run.
    pub fn join(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            self.add(what, *count);
        }
    }

    /// How often it happened.
    #[must_use]
    pub fn get(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    /// What should happen in a large batch of the swarm: its number in the list of faults, its name, how often it did.
    pub fn scenarios(&self) -> impl Iterator<Item = (u8, &'static str, u64)> + '_ {
        SCENARIOS.iter().map(|(number, what)| (*number, *what, self.get(what)))
    }

    /// What should happen and never did.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        self.scenarios().filter(|(.., count)| *count == 0).map(|(_, what, _)| what).collect()
    }

    /// All counts, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.counts.iter().map(|(what, count)| (*what, *count))
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, count) in self.iter() {
            writeln!(f, "{count:>12}  {what}")?;
        }
        Ok(())
    }
}
