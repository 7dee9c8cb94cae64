//! Registers: values of any serde type, where the latest wins or all survive.

use super::{Handle, typed_value, written_value};
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_causality::Context;
use anabranch_engine::Written;
use anabranch_resolvers::{Operation, Outcome};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// A collection of values of type `T`, stored as JSON.
pub struct Register<T> {
    handle: Handle,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Register<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), of: PhantomData }
    }
}

/// A value and what it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored<T> {
    /// The value.
    pub value: T,
    /// What was seen: a write that carries it supersedes exactly these versions.
    pub context: Context,
}

/// All values that survive, oldest first.
pub type Concurrent<T> = Stored<Vec<T>>;

impl<T> Register<T> {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, of: PhantomData }
    }

    /// Removes the value, as far as it is seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn delete(&self, key: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::Delete, None)
    }

    /// The same registers, as part of a transaction.
    #[must_use]
    pub fn in_tx<'a>(&'a self, tx: &'a Tx) -> RegisterTx<'a, T> {
        RegisterTx { register: self, tx }
    }
}

impl<T: Serialize> Register<T> {
    /// Writes a value, superseding what is seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn put(&self, key: &str, value: &T) -> Result<Written, WriteError> {
        self.handle.apply(key, put(value)?, None)
    }

    /// Writes a value, superseding exactly what `context` saw.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn put_seen(&self, key: &str, value: &T, context: Context) -> Result<Written, WriteError> {
        self.handle.apply(key, put(value)?, Some(context))
    }
}

impl<T: DeserializeOwned> Register<T> {
    /// The value; `None` for a key that does not exist. For `keep-all`, see [`Register::get_all`].
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, key: &str) -> Result<Option<T>, ReadError> {
        Ok(self.get_in(&self.handle.database.view(), key)?.map(|stored| stored.value))
    }

    /// The value in a view, and what was seen.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get_in(&self, view: &View, key: &str) -> Result<Option<Stored<T>>, ReadError> {
        self.handle.outcome(view, key)?.map(|outcome| typed(key, &outcome, outcome.value.clone())).transpose()
    }

    /// All values that survive, of a `keep-all` collection; empty for a key that does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get_all(&self, key: &str) -> Result<Concurrent<T>, ReadError> {
        let outcome = self.handle.outcome(&self.handle.database.view(), key)?;
        match outcome {
            None => Ok(Stored { value: Vec::new(), context: Context::default() }),
            Some(outcome) => typed(key, &outcome, outcome.value.clone()),
        }
    }
}

impl<T: DeserializeOwned> Register<T> {
    /// What a person may choose from: all surviving values, oldest first, those of equal value once. Whoever decides writes
    /// with [`Register::put_seen`] and this context; what came since stays beside it.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn options(&self, key: &str) -> Result<Concurrent<T>, ReadError> {
        let view = self.handle.database.view();
        let Some(outcome) = self.handle.outcome(&view, key)? else {
            return Ok(Stored { value: Vec::new(), context: Context::default() });
        };
        let mut versions = self.handle.versions(&view, key)?;
        versions.sort_unstable_by_key(|version| (version.hlc, version.tag));
        let mut values: Vec<serde_json::Value> = Vec::new();
        for version in versions {
            if !values.contains(&version.value) {
                values.push(version.value);
            }
        }
        typed(key, &outcome, serde_json::Value::Array(values))
    }
}

/// Registers as part of a transaction.
pub struct RegisterTx<'a, T> {
    register: &'a Register<T>,
    tx: &'a Tx,
}

impl<T: Serialize> RegisterTx<'_, T> {
    /// Writes a value, when the transaction is written.
    ///
    /// # Errors
    /// [`WriteError::Value`] when it cannot be written as JSON.
    pub fn put(&self, key: &str, value: &T) -> Result<(), WriteError> {
        self.operate(key, put(value)?);
        Ok(())
    }

    /// Removes the value, when the transaction is written.
    ///
    /// # Errors
    /// None now; the transaction's own write says more.
    pub fn delete(&self, key: &str) -> Result<(), WriteError> {
        self.operate(key, Operation::Delete);
        Ok(())
    }

    fn operate(&self, key: &str, operation: Operation) {
        let handle = &self.register.handle;
        self.tx.operate(&handle.name, handle.kind, key, operation, None);
    }
}

fn put<T: Serialize>(value: &T) -> Result<Operation, WriteError> {
    written_value(value).map(Operation::Put)
}

fn typed<T: DeserializeOwned>(key: &str, outcome: &Outcome, value: serde_json::Value) -> Result<Stored<T>, ReadError> {
    Ok(Stored { value: typed_value(key, value)?, context: View::context(outcome) })
}
