//! Texts whose updates are merged after a few, at each node after another number: there are never enough of them here for the
//! product's own measure. When piles are merged is each replica's own affair, so nobody may notice.

use crate::flawed;
use crate::lapse::{Bug, Lapse};
use crate::random::Random;
use anabranch_causality::{Effect, Kind};
use anabranch_resolvers::{
    Exported, Malformed, Operation, Outcome, Pile, PileHead, Prepare, ReadFailed, Registry, Rejection, Resolver, Rows,
    Text,
};
use std::sync::Arc;

/// The registry of a node.
pub(crate) fn registry(registry: &Registry, seed: u64, node: usize, lapse: Lapse) -> Arc<Registry> {
    let after = Random::stream(seed, &format!("merges of {node}")).range(1, 12);
    flawed::replaced(registry, Arc::new(Merging { after, forgets: lapse.is(Bug::MergesForget) }))
}

/// As [`Text`], but merged after so many changes; perhaps without the last one.
struct Merging {
    after: u64,
    forgets: bool,
}

impl Resolver for Merging {
    fn name(&self) -> &'static str {
        Text.name()
    }

    fn kind(&self) -> Kind {
        Text.kind()
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        Text.prepare(operation, prepare)
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        Text.check(effect)
    }

    fn pile(&self) -> Option<&dyn Pile> {
        Some(self)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        Text.value(rows, most_bytes)
    }

    fn export(&self, rows: &dyn Rows, since: Option<&[u8]>) -> Result<Exported, ReadFailed> {
        Text.export(rows, since)
    }
}

impl Pile for Merging {
    fn merge(&self, snapshot: Option<&[u8]>, changes: &[Vec<u8>]) -> Result<Vec<u8>, Malformed> {
        let taken = changes.len().saturating_sub(usize::from(self.forgets));
        Text.merge(snapshot, &changes[..taken])
    }

    fn canonical(&self, snapshot: &[u8]) -> Result<Vec<u8>, Malformed> {
        Text.canonical(snapshot)
    }

    fn is_due(&self, head: &PileHead) -> bool {
        head.changes >= self.after
    }
}
