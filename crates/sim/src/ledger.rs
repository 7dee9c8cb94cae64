//! What one replica has applied, as the simulator saw it happen.

use crate::checkers::causality;
use crate::history::History;
use anabranch_causality::{Dot, OperationId, Tag, Transaction, VersionVector};
use anabranch_engine::record::Record;
use anabranch_engine::store::Read;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The transactions of one log, in its order, and what follows from them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) dots: Vec<Dot>,
    pub(crate) vector: VersionVector,
    pub(crate) operations: BTreeSet<OperationId>,
    /// The rows that were superseded.
    pub(crate) superseded: BTreeSet<Tag>,
    /// Where in the log each transaction is.
    places: BTreeMap<Dot, usize>,
}

impl Ledger {
    /// The next transaction of the log: in causal order, and marked as a copy if it is one.
    pub(crate) fn append(&mut self, transaction: &Transaction, copy: bool) -> Result<(), String> {
        causality::check(&self.vector, transaction)?;
        let first = self.operations.insert(transaction.operation);
        if copy == first {
            let (dot, operation) = (transaction.dot, transaction.operation);
            return Err(format!("{dot} was applied with copy = {copy}; {operation} was applied before: {}", !first));
        }
        let groups = transaction.effects.iter().flat_map(|effect| &effect.supersedes);
        self.superseded.extend(groups.flat_map(|group| &group.tags));
        self.places.insert(transaction.dot, self.dots.len());
        self.dots.push(transaction.dot);
        self.vector.raise(transaction.dot.origin, transaction.dot.seq);
        Ok(())
    }

    /// The log of a store. Every record is checked.
    pub(crate) fn load(store: &dyn Read, history: &mut History) -> Result<Self, String> {
        let mut ledger = Self::default();
        let mut outcome = Ok(());
        let mut expected = 0;
        let scanned = store.log(0, &mut |index, bytes| {
            outcome = ledger.load_record(index, expected, bytes, history);
            expected += 1;
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(|error| format!("the log cannot be read: {error}"))?;
        outcome.map(|()| ledger)
    }

    fn load_record(&mut self, index: u64, expected: u64, bytes: &[u8], history: &mut History) -> Result<(), String> {
        if index != expected {
            return Err(format!("log record {index} where {expected} should be"));
        }
        let record = Record::decode(bytes).map_err(|error| error.to_string())?;
        let transaction = history.note(record.transaction)?;
        self.append(&transaction, record.copy)
    }

    /// Where in the log a transaction is.
    pub(crate) fn place(&self, dot: Dot) -> Option<usize> {
        self.places.get(&dot).copied()
    }

    /// How many transactions it holds.
    pub(crate) fn len(&self) -> usize {
        self.dots.len()
    }
}
