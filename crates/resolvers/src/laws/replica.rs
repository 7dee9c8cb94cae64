//! A model of a replica: one key, in memory, applying transactions as every replica does.

use crate::pile::{Pile, PileHead, PilePart};
use crate::resolver::{Malformed, ReadFailed, Resolver, Row, Rows, VisitPart, VisitRow};
use anabranch_causality::{Actor, Effect, Hlc, OperationId, Origin, Tag, Transaction, VersionVector};
use std::collections::{BTreeMap, BTreeSet};

/// Rows: by subkey and tag, their stamp and payload.
pub type AllRows = BTreeMap<(Vec<u8>, Tag), (Hlc, Vec<u8>)>;

/// One key's rows and sums at one replica, and which transactions made them.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    rows: AllRows,
    sums: BTreeMap<Vec<u8>, Vec<u8>>,
    piles: BTreeMap<Vec<u8>, Heap>,
    /// Piles are merged when they have this many changes.
    merge_at: Option<u64>,
    operations: BTreeSet<OperationId>,
    vector: VersionVector,
}

/// A pile: what was merged, and the changes since.
#[derive(Clone, Debug, Default)]
pub(super) struct Heap {
    head: PileHead,
    snapshot: Option<Vec<u8>>,
    changes: Vec<Vec<u8>>,
    /// All changes there ever were, for comparing.
    all: Vec<Vec<u8>>,
}

impl Heap {
    fn push(&mut self, pile: &dyn Pile, change: &[u8], merge_at: Option<u64>) -> Result<(), Malformed> {
        self.head.push(change);
        self.changes.push(change.to_vec());
        self.all.push(change.to_vec());
        if merge_at.is_some_and(|most| self.head.changes >= most) {
            self.snapshot = Some(pile.merge(self.snapshot.as_deref(), &self.changes)?);
            self.changes.clear();
            (self.head.changes, self.head.bytes) = (0, 0);
            self.head.snapshot = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.len() as u64);
        }
        Ok(())
    }

    /// What it comes to, merged.
    pub(super) fn merged(&self, pile: &dyn Pile) -> Result<Vec<u8>, Malformed> {
        pile.merge(self.snapshot.as_deref(), &self.changes)
    }

    /// The changes, in order.
    pub(super) fn sorted(&self) -> Vec<&[u8]> {
        let mut all: Vec<&[u8]> = self.all.iter().map(Vec::as_slice).collect();
        all.sort_unstable();
        all
    }
}

/// What a transaction was to a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// New, and so is its operation.
    First,
    /// New, a further copy of an operation that was applied before.
    Copy,
    /// Applied before: nothing changed.
    Duplicate,
    /// Something that it depends on is missing: nothing changed.
    TooEarly,
}

/// The least tag, for ranges.
const FIRST_TAG: Tag = {
    let operation = OperationId { actor: Actor::Leader(Origin(0)), counter: 0, hash: 0 };
    Tag { operation, position: 0 }
};

impl Replica {
    /// Nothing applied.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing applied; piles are merged as soon as they have so many changes, not before.
    #[must_use]
    pub fn merging_at(changes: u64) -> Self {
        Self { merge_at: Some(changes), ..Self::default() }
    }

    /// Applies a transaction whose dependencies are written out whole. The first copy of an operation adds and folds,
    /// every copy supersedes, the lowest stamp stands.
    ///
    /// # Errors
    /// What [`Resolver::fold`] says; then the transaction is partly applied, and the replica of no further use.
    pub fn apply(&mut self, resolver: &dyn Resolver, transaction: &Transaction) -> Result<Applied, Malformed> {
        let dot = transaction.dot;
        if self.vector.get(dot.origin) >= dot.seq {
            return Ok(Applied::Duplicate);
        }
        if self.vector.get(dot.origin) + 1 != dot.seq || !self.vector.covers(&transaction.dependencies) {
            return Ok(Applied::TooEarly);
        }
        let is_first = self.operations.insert(transaction.operation);
        for effect in &transaction.effects {
            self.apply_effect(resolver, transaction.operation, transaction.hlc, effect, is_first)?;
        }
        self.vector.raise(dot.origin, dot.seq);
        Ok(if is_first { Applied::First } else { Applied::Copy })
    }

    /// Applies one effect of an operation; what it adds and folds only when it `is_first`.
    pub(super) fn apply_effect(
        &mut self,
        resolver: &dyn Resolver,
        operation: OperationId,
        stamp: Hlc,
        effect: &Effect,
        is_first: bool,
    ) -> Result<(), Malformed> {
        for group in &effect.supersedes {
            for tag in &group.tags {
                self.rows.remove(&(group.subkey.clone(), *tag));
            }
        }
        for add in &effect.adds {
            let row = (add.subkey.clone(), Tag { operation, position: add.position });
            if is_first {
                self.rows.insert(row, (stamp, add.payload.clone()));
            } else if let Some((standing, _)) = self.rows.get_mut(&row) {
                *standing = stamp.min(*standing);
            }
        }
        for fold in effect.folds.iter().filter(|_| is_first) {
            if let Some(pile) = resolver.pile() {
                let heap = self.piles.entry(fold.subkey.clone()).or_default();
                heap.push(pile, &fold.payload, self.merge_at)?;
                continue;
            }
            let sum = resolver.fold(self.sums.get(&fold.subkey).map(Vec::as_slice), &fold.payload)?;
            self.sums.insert(fold.subkey.clone(), sum);
        }
        Ok(())
    }

    /// The surviving rows.
    #[must_use]
    pub fn all_rows(&self) -> &AllRows {
        &self.rows
    }

    /// The sums, by subkey.
    #[must_use]
    pub fn all_sums(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.sums
    }

    /// The piles, by subkey.
    pub(super) fn all_piles(&self) -> &BTreeMap<Vec<u8>, Heap> {
        &self.piles
    }

    /// Which transactions it has applied.
    #[must_use]
    pub fn vector(&self) -> &VersionVector {
        &self.vector
    }

    /// Whether a copy of that operation was applied.
    #[must_use]
    pub fn has(&self, operation: &OperationId) -> bool {
        self.operations.contains(operation)
    }

    /// Whether a request of the same actor with a higher counter was applied.
    pub(super) fn has_later(&self, operation: &OperationId) -> bool {
        let from = OperationId { actor: operation.actor, counter: operation.counter + 1, hash: 0 };
        self.operations.range(from..).next().is_some_and(|later| later.actor == operation.actor)
    }

    fn range(&self, subkey: Option<&[u8]>) -> impl DoubleEndedIterator<Item = Row<'_>> {
        let range = match subkey {
            // Behind all tags of a subkey comes that subkey with a 0 appended.
            Some(subkey) => self.rows.range((subkey.to_vec(), FIRST_TAG)..([subkey, &[0]].concat(), FIRST_TAG)),
            None => self.rows.range(..),
        };
        range.map(|((subkey, tag), (stamp, payload))| Row { subkey, tag: *tag, stamp: *stamp, payload })
    }
}

impl Rows for Replica {
    fn rows(&self, subkey: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        let _ = self.range(subkey).try_for_each(visit);
        Ok(())
    }

    fn sum(&self, subkey: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Ok(self.sums.get(subkey).cloned())
    }

    fn pile(&self, subkey: &[u8]) -> Result<Option<PileHead>, ReadFailed> {
        Ok(self.piles.get(subkey).map(|heap| heap.head))
    }

    fn pile_parts(&self, subkey: &[u8], from: Option<u64>, visit: VisitPart<'_>) -> Result<(), ReadFailed> {
        let Some(heap) = self.piles.get(subkey) else { return Ok(()) };
        let snapshot = heap.snapshot.as_deref().filter(|_| from.is_none()).map(PilePart::Snapshot);
        let first = heap.head.next - heap.changes.len() as u64;
        let skipped = from.unwrap_or(0).saturating_sub(first) as usize;
        let changes = heap.changes.iter().skip(skipped).map(|change| PilePart::Change(change));
        let _ = snapshot.into_iter().chain(changes).try_for_each(visit);
        Ok(())
    }
}

/// The same rows, those of each subkey in the opposite order.
pub(super) struct Backwards<'a>(pub(super) &'a Replica);

impl Rows for Backwards<'_> {
    fn rows(&self, subkey: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        let mut subkeys: Vec<&[u8]> = self.0.range(subkey).map(|row| row.subkey).collect();
        subkeys.dedup();
        for subkey in subkeys {
            if self.0.range(Some(subkey)).rev().try_for_each(&mut *visit).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn sum(&self, subkey: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        self.0.sum(subkey)
    }

    fn pile(&self, subkey: &[u8]) -> Result<Option<PileHead>, ReadFailed> {
        self.0.pile(subkey)
    }

    fn pile_parts(&self, subkey: &[u8], from: Option<u64>, visit: VisitPart<'_>) -> Result<(), ReadFailed> {
        self.0.pile_parts(subkey, from, visit)
    }
}
