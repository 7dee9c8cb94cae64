//! Maps: fields, each combined for itself.

use super::{Handle, typed_value, written_value};
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_engine::{Change, Write, Written};
use anabranch_resolvers::Operation;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A collection of maps from fields' names to any serde values. A field that was written concurrently with its map's removal
/// survives; of a field's concurrent values the latest is shown.
#[derive(Clone)]
pub struct Map {
    handle: Handle,
}

impl Map {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// A field of all maps of the collection gets a resolver of registers, such as `keep-all`, `escalate` or one of one's own;
    /// those that get none are `lww`. Like a collection's resolver, it can change at any time, and is the same everywhere. At
    /// most [`anabranch_resolvers::map::MAX_RESOLVERS`] fields have one.
    ///
    /// # Errors
    /// [`WriteError`]; also for a resolver that is not known here or is not for registers.
    pub fn resolve_field(&self, field: &str, resolver: &str) -> Result<(), WriteError> {
        let handle = &self.handle;
        let view = handle.database.view();
        let found = view.catalog().get(&handle.name, handle.kind);
        if found.is_none_or(|found| found.fields.get(field).is_none_or(|named| named != resolver)) {
            let (collection, field, resolver) = (handle.name.clone(), field.to_owned(), resolver.to_owned());
            handle.database.apply(Write { changes: vec![Change::Field { collection, field, resolver }], key: None })?;
        }
        Ok(())
    }

    /// Sets a field.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn set(&self, key: &str, field: &str, value: &impl Serialize) -> Result<Written, WriteError> {
        self.handle.apply(key, set(field, value)?, None)
    }

    /// Removes a field, as far as it is seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn remove(&self, key: &str, field: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::RemoveFields(vec![field.to_owned()]), None)
    }

    /// Removes all fields that are seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn clear(&self, key: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::Delete, None)
    }

    /// The fields as a type of one's own: a map, or a struct; `None` for a key that does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, ReadError> {
        self.get_in(&self.handle.database.view(), key)
    }

    /// As [`Map::get`], in a view.
    ///
    /// # Errors
    /// As [`Map::get`].
    pub fn get_in<T: DeserializeOwned>(&self, view: &View, key: &str) -> Result<Option<T>, ReadError> {
        let outcome = self.handle.outcome(view, key)?;
        outcome.map(|outcome| typed_value(key, outcome.value)).transpose()
    }

    /// The same maps, as part of a transaction.
    #[must_use]
    pub fn in_tx<'a>(&'a self, tx: &'a Tx) -> MapTx<'a> {
        MapTx { handle: &self.handle, tx }
    }
}

/// Maps as part of a transaction.
pub struct MapTx<'a> {
    handle: &'a Handle,
    tx: &'a Tx,
}

impl MapTx<'_> {
    /// Sets a field, when the transaction is written.
    ///
    /// # Errors
    /// [`WriteError::Value`] when the value cannot be written as JSON.
    pub fn set(&self, key: &str, field: &str, value: &impl Serialize) -> Result<(), WriteError> {
        self.tx.operate(&self.handle.name, self.handle.kind, key, set(field, value)?, None);
        Ok(())
    }

    /// Removes a field, when the transaction is written.
    ///
    /// # Errors
    /// None now; the transaction's own write says more.
    pub fn remove(&self, key: &str, field: &str) -> Result<(), WriteError> {
        let operation = Operation::RemoveFields(vec![field.to_owned()]);
        self.tx.operate(&self.handle.name, self.handle.kind, key, operation, None);
        Ok(())
    }
}

fn set(field: &str, value: &impl Serialize) -> Result<Operation, WriteError> {
    Ok(Operation::SetFields([(field.to_owned(), written_value(value)?)].into()))
}
