//! The definition of state, as plainly as it can be written: slow, and without any order.

use crate::operation::Operation;
use anabranch_causality::{Hlc, OperationId, Tag, Transaction};
use std::collections::{BTreeMap, BTreeSet};

/// Changes to sums, by subkey, then by the operation id and the place in the request.
pub type Changes = BTreeMap<Vec<u8>, BTreeMap<(OperationId, usize), Vec<u8>>>;

/// A surviving row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NaiveRow {
    /// Which part of the key.
    pub subkey: Vec<u8>,
    /// The lowest stamp among the copies of its operation.
    pub stamp: Hlc,
    /// What it holds.
    pub payload: Vec<u8>,
}

/// The state of a set of transactions: the tags that some of them adds, minus the tags that some of them supersedes; each
/// change once per operation id.
#[derive(Clone, Debug, Default)]
pub struct Naive {
    /// The surviving rows.
    pub rows: BTreeMap<Tag, NaiveRow>,
    /// The changes to the sum under each subkey.
    pub changes: Changes,
    /// What was asked, by distinct operation ids.
    pub requests: BTreeMap<OperationId, Vec<Operation>>,
    /// The transactions themselves, for specifications that look at who saw what.
    pub transactions: Vec<Transaction>,
}

impl Naive {
    /// The state of these transactions, each with what was asked, in any order.
    #[must_use]
    pub fn of<'a>(transactions: impl Iterator<Item = (&'a Transaction, &'a [Operation])>) -> Self {
        let mut naive = Self::default();
        let mut superseded: BTreeSet<&Tag> = BTreeSet::new();
        for (transaction, request) in transactions {
            naive.transactions.push(transaction.clone());
            let operation = transaction.operation;
            naive.requests.entry(operation).or_insert_with(|| request.to_vec());
            for effect in &transaction.effects {
                superseded.extend(effect.supersedes.iter().flat_map(|group| &group.tags));
                for add in &effect.adds {
                    let tag = Tag { operation, position: add.position };
                    let row = naive.rows.entry(tag).or_insert_with(|| NaiveRow {
                        subkey: add.subkey.clone(),
                        stamp: transaction.hlc,
                        payload: add.payload.clone(),
                    });
                    row.stamp = transaction.hlc.min(row.stamp);
                }
            }
            let folds = transaction.effects.iter().flat_map(|effect| &effect.folds);
            for (place, fold) in folds.enumerate() {
                let changes = naive.changes.entry(fold.subkey.clone()).or_default();
                changes.insert((operation, place), fold.payload.clone());
            }
        }
        naive.rows.retain(|tag, _| !superseded.contains(tag));
        naive
    }
}
