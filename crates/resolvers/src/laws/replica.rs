//! A model of a replica: one key, in memory, applying transactions as every replica does.

use crate::resolver::{Malformed, ReadFailed, Resolver, Row, Rows, VisitRow};
use anabranch_causality::{Actor, Effect, Hlc, OperationId, Origin, Tag, Transaction, VersionVector};
use std::collections::{BTreeMap, BTreeSet};

/// Rows: by subkey and tag, their stamp and payload.
pub type AllRows = BTreeMap<(Vec<u8>, Tag), (Hlc, Vec<u8>)>;

/// One key's rows and sums at one replica, and which transactions made them.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    rows: AllRows,
    sums: BTreeMap<Vec<u8>, Vec<u8>>,
    operations: BTreeSet<OperationId>,
    vector: VersionVector,
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
}
