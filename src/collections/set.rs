//! Sets where an add wins over a concurrent remove.

use super::Handle;
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_engine::Written;
use anabranch_resolvers::{Member, Operation};

/// A collection of sets of strings, integers and truth values.
#[derive(Clone)]
pub struct OrSet {
    handle: Handle,
}

impl OrSet {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Adds a member.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn add(&self, key: &str, member: impl Into<Member>) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::AddMembers(vec![member.into()]), None)
    }

    /// Removes a member, as far as it is seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn remove(&self, key: &str, member: impl Into<Member>) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::RemoveMembers(vec![member.into()]), None)
    }

    /// Removes all members that are seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn clear(&self, key: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::Delete, None)
    }

    /// The members, in order; empty for a key that does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, key: &str) -> Result<Vec<Member>, ReadError> {
        self.get_in(&self.handle.database.view(), key)
    }

    /// As [`OrSet::get`], in a view.
    ///
    /// # Errors
    /// As [`OrSet::get`].
    pub fn get_in(&self, view: &View, key: &str) -> Result<Vec<Member>, ReadError> {
        let outcome = self.handle.outcome(view, key)?;
        let members = outcome.as_ref().and_then(|outcome| outcome.value.as_array()).into_iter().flatten();
        let member = |value: &serde_json::Value| {
            Member::from_json(value.clone())
                .map_err(|error| ReadError::Type { key: key.to_owned(), error: error.to_string() })
        };
        members.map(member).collect()
    }

    /// The same sets, as part of a transaction.
    #[must_use]
    pub fn in_tx<'a>(&'a self, tx: &'a Tx) -> OrSetTx<'a> {
        OrSetTx { handle: &self.handle, tx }
    }
}

/// Sets as part of a transaction.
pub struct OrSetTx<'a> {
    handle: &'a Handle,
    tx: &'a Tx,
}

impl OrSetTx<'_> {
    /// Adds a member, when the transaction is written.
    ///
    /// # Errors
    /// None now; the transaction's own write says more.
    pub fn add(&self, key: &str, member: impl Into<Member>) -> Result<(), WriteError> {
        let operation = Operation::AddMembers(vec![member.into()]);
        self.tx.operate(&self.handle.name, self.handle.kind, key, operation, None);
        Ok(())
    }

    /// Removes a member, when the transaction is written.
    ///
    /// # Errors
    /// As [`OrSetTx::add`].
    pub fn remove(&self, key: &str, member: impl Into<Member>) -> Result<(), WriteError> {
        let operation = Operation::RemoveMembers(vec![member.into()]);
        self.tx.operate(&self.handle.name, self.handle.kind, key, operation, None);
        Ok(())
    }
}
