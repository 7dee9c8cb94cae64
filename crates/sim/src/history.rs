//! I8, and what the simulator knows and no node does: every transaction that ever was on a disk or on the way.

use anabranch_causality::{Dot, Hlc, OperationId, Origin, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All transactions, by dot and by operation.
#[derive(Debug, Default)]
pub(crate) struct History {
    transactions: BTreeMap<Dot, Known>,
    copies: BTreeMap<OperationId, Vec<Dot>>,
    stamps: BTreeMap<Hlc, Origin>,
    /// How many transactions have a stamp that one of another origin had before.
    pub(crate) equal_stamps: u64,
}

#[derive(Debug)]
struct Known {
    transaction: Arc<Transaction>,
    bytes: Vec<u8>,
    /// All disks that held it went back to before it: nobody can be blamed if it is gone.
    excused: bool,
}

impl History {
    /// Takes note of a transaction that was synced, sent, received or loaded. A dot names one transaction, for ever; and
    /// what the copies of an operation add is the same wherever it was sequenced.
    pub(crate) fn note(&mut self, bytes: &[u8]) -> Result<Arc<Transaction>, String> {
        let dot = Transaction::peek(bytes).map_err(|error| format!("bytes that are no transaction: {error}"))?;
        if let Some(known) = self.transactions.get(&dot) {
            if known.bytes != bytes {
                return Err(format!("dot {dot} names two different transactions"));
            }
            return Ok(Arc::clone(&known.transaction));
        }
        let transaction = Transaction::decode(bytes).map_err(|error| format!("{dot} does not decode: {error}"))?;
        let transaction = Arc::new(transaction);
        let copies = self.copies.entry(transaction.operation).or_default();
        if let Some(first) = copies.first().and_then(|dot| self.transactions.get(dot)) {
            same_additions(&first.transaction, &transaction)?;
        }
        copies.push(dot);
        let first = *self.stamps.entry(transaction.hlc).or_insert(dot.origin);
        self.equal_stamps += u64::from(first != dot.origin);
        let known = Known { transaction: Arc::clone(&transaction), bytes: bytes.to_vec(), excused: false };
        self.transactions.insert(dot, known);
        Ok(transaction)
    }

    /// The transaction with that dot.
    pub(crate) fn get(&self, dot: Dot) -> Option<&Arc<Transaction>> {
        self.transactions.get(&dot).map(|known| &known.transaction)
    }

    /// The dots under which an operation was sequenced.
    pub(crate) fn copies(&self, operation: &OperationId) -> &[Dot] {
        self.copies.get(operation).map_or(&[], Vec::as_slice)
    }

    /// No disk holds it any more, through no fault of the engine.
    pub(crate) fn excuse(&mut self, dot: Dot) {
        if let Some(known) = self.transactions.get_mut(&dot) {
            known.excused = true;
        }
    }

    /// Whether it may be gone.
    pub(crate) fn is_excused(&self, dot: Dot) -> bool {
        self.transactions.get(&dot).is_some_and(|known| known.excused)
    }

    /// All dots that were ever seen, and whether each may be gone.
    pub(crate) fn dots(&self) -> impl Iterator<Item = (Dot, bool)> + '_ {
        self.transactions.iter().map(|(dot, known)| (*dot, known.excused))
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        self.transactions.values().map(|known| known.bytes.len()).sum()
    }

    /// How many transactions there were.
    pub(crate) fn len(&self) -> usize {
        self.transactions.len()
    }
}

/// What an effect adds is a function of the operation id and the request alone.
fn same_additions(one: &Transaction, other: &Transaction) -> Result<(), String> {
    let additions = |transaction: &Transaction| {
        let adding = |effect: &&anabranch_causality::Effect| !(effect.adds.is_empty() && effect.folds.is_empty());
        let place = |effect: &anabranch_causality::Effect| (effect.collection.clone(), effect.kind, effect.key.clone());
        let added = |effect: &anabranch_causality::Effect| (place(effect), effect.adds.clone(), effect.folds.clone());
        transaction.effects.iter().filter(adding).map(added).collect::<Vec<_>>()
    };
    if additions(one) == additions(other) {
        return Ok(());
    }
    Err(format!("{} and {} are copies of {} and add different things", one.dot, other.dot, one.operation))
}
