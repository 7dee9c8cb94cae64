//! Who saw what: of each transaction of a log, all that its leader had applied before it.

use anabranch_causality::{Dot, Transaction, VersionVector};
use std::collections::BTreeMap;

/// The causal pasts of the transactions of a log.
#[derive(Debug, Default)]
pub(crate) struct Pasts {
    of: BTreeMap<Dot, VersionVector>,
}

impl Pasts {
    /// Of a log in which what a transaction depends on comes before it, and nothing is missing.
    pub(crate) fn of<'a>(log: impl Iterator<Item = &'a Transaction>) -> Self {
        let mut pasts = Self::default();
        for transaction in log {
            let dot = transaction.dot;
            let previous = transaction.lineage.as_ref().and_then(|lineage| lineage.previous);
            let before = Some((dot.origin, dot.seq - 1)).filter(|(_, seq)| *seq > 0);
            let mut past = VersionVector::new();
            for (origin, seq) in transaction.dependencies.iter().chain(previous).chain(before) {
                // What is covered brings nothing new: its past was taken in with it.
                if past.get(origin) < seq {
                    past.raise(origin, seq);
                    if let Some(of_it) = pasts.of.get(&Dot { origin, seq, ..dot }) {
                        past.join(of_it);
                    }
                }
            }
            pasts.of.insert(dot, past);
        }
        pasts
    }

    /// Whether the leader that made `one` had applied `other`.
    pub(crate) fn saw(&self, one: Dot, other: Dot) -> bool {
        self.of.get(&one).is_some_and(|past| past.get(other.origin) >= other.seq)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use anabranch_causality::{Actor, Hlc, OperationId, Origin, ShardId};

    /// A transaction without effects, of that origin and number, that saw these.
    pub(crate) fn transaction(origin: u64, seq: u64, saw: &[(u64, u64)]) -> Transaction {
        let operation = OperationId { actor: Actor::Leader(Origin(origin)), counter: seq, hash: 0 };
        Transaction {
            dot: Dot { shard: ShardId(0), origin: Origin(origin), seq },
            hlc: Hlc(seq),
            operation,
            dependencies: saw.iter().map(|(origin, seq)| (Origin(*origin), *seq)).collect(),
            lineage: None,
            effects: Vec::new(),
        }
    }

    #[test]
    fn what_was_seen_was_seen_with_all_that_it_had_seen() {
        let log = [
            transaction(1, 1, &[]),
            transaction(2, 1, &[(1, 1)]),
            transaction(2, 2, &[]),
            transaction(3, 1, &[(2, 2)]),
            transaction(1, 2, &[]),
        ];
        let pasts = Pasts::of(log.iter());
        let saw = |one: usize, other: usize| pasts.saw(log[one].dot, log[other].dot);
        assert!(saw(1, 0) && saw(2, 0) && saw(2, 1) && saw(3, 0) && saw(3, 1) && saw(3, 2) && saw(4, 0));
        assert!(!saw(0, 1) && !saw(1, 2) && !saw(4, 1) && !saw(3, 4) && !saw(4, 3) && !saw(0, 0));
    }
}
