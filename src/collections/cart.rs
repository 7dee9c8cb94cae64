//! Carts: items with quantities, added concurrently.

use super::Handle;
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_engine::Written;
use anabranch_resolvers::Operation;
use std::collections::BTreeMap;

/// A collection of carts.
#[derive(Clone)]
pub struct Cart {
    handle: Handle,
}

impl Cart {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Adds `quantity` of an item; negative takes away. Quantities added concurrently sum.
    ///
    /// # Errors
    /// [`WriteError`]; a quantity of 0 is refused.
    pub fn add(&self, key: &str, item: &str, quantity: i64) -> Result<Written, WriteError> {
        self.handle.apply(key, add(item, quantity), None)
    }

    /// Removes an item, as far as it is seen here, debts included.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn remove(&self, key: &str, item: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::RemoveItem { item: item.to_owned() }, None)
    }

    /// Removes all items, as far as they are seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn clear(&self, key: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::Clear, None)
    }

    /// The items and their quantities above 0; empty for a key that does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, key: &str) -> Result<BTreeMap<String, i64>, ReadError> {
        self.get_in(&self.handle.database.view(), key)
    }

    /// As [`Cart::get`], in a view.
    ///
    /// # Errors
    /// As [`Cart::get`].
    pub fn get_in(&self, view: &View, key: &str) -> Result<BTreeMap<String, i64>, ReadError> {
        let outcome = self.handle.outcome(view, key)?;
        let items = outcome.as_ref().and_then(|outcome| outcome.value.as_object()).into_iter().flatten();
        Ok(items.filter_map(|(item, quantity)| Some((item.clone(), quantity.as_i64()?))).collect())
    }

    /// The same carts, as part of a transaction.
    #[must_use]
    pub fn in_tx<'a>(&'a self, tx: &'a Tx) -> CartTx<'a> {
        CartTx { handle: &self.handle, tx }
    }
}

/// Carts as part of a transaction.
pub struct CartTx<'a> {
    handle: &'a Handle,
    tx: &'a Tx,
}

impl CartTx<'_> {
    /// Adds `quantity` of an item, when the transaction is written.
    ///
    /// # Errors
    /// None now; the transaction's own write says more.
    pub fn add(&self, key: &str, item: &str, quantity: i64) -> Result<(), WriteError> {
        self.tx.operate(&self.handle.name, self.handle.kind, key, add(item, quantity), None);
        Ok(())
    }

    /// Removes an item, when the transaction is written.
    ///
    /// # Errors
    /// As [`CartTx::add`].
    pub fn remove(&self, key: &str, item: &str) -> Result<(), WriteError> {
        let operation = Operation::RemoveItem { item: item.to_owned() };
        self.tx.operate(&self.handle.name, self.handle.kind, key, operation, None);
        Ok(())
    }
}

fn add(item: &str, quantity: i64) -> Operation {
    Operation::AddItem { item: item.to_owned(), quantity }
}
