//! Counters: exact, whatever is concurrent, lost on the way or sent twice.

use super::Handle;
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_engine::Written;
use anabranch_resolvers::Operation;

/// A collection of counters, `g-counter` or `pn-counter`.
#[derive(Clone)]
pub struct Counter {
    handle: Handle,
}

impl Counter {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Adds `n`; negative for `pn-counter` only.
    ///
    /// # Errors
    /// [`WriteError`]; a sum outside of the value's range is refused.
    pub fn add(&self, key: &str, n: i64) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::Add(n), None)
    }

    /// The sum; 0 for a key that does not exist. A sum outside 64 bits is shown clamped.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, key: &str) -> Result<i64, ReadError> {
        self.get_in(&self.handle.database.view(), key)
    }

    /// As [`Counter::get`], in a view.
    ///
    /// # Errors
    /// As [`Counter::get`].
    pub fn get_in(&self, view: &View, key: &str) -> Result<i64, ReadError> {
        let outcome = self.handle.outcome(view, key)?;
        Ok(outcome.and_then(|outcome| outcome.value.as_i64()).unwrap_or(0))
    }

    /// The same counters, as part of a transaction.
    #[must_use]
    pub fn in_tx<'a>(&'a self, tx: &'a Tx) -> CounterTx<'a> {
        CounterTx { handle: &self.handle, tx }
    }
}

/// Counters as part of a transaction.
pub struct CounterTx<'a> {
    handle: &'a Handle,
    tx: &'a Tx,
}

impl CounterTx<'_> {
    /// Adds `n`, when the transaction is written.
    ///
    /// # Errors
    /// None now; the transaction's own write says more.
    pub fn add(&self, key: &str, n: i64) -> Result<(), WriteError> {
        self.tx.operate(&self.handle.name, self.handle.kind, key, Operation::Add(n), None);
        Ok(())
    }
}
