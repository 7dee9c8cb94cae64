//! Texts: documents that many edit at once.

use super::Handle;
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_engine::Written;
use anabranch_resolvers::Operation;

/// A collection of texts. A text is the union of its Yjs updates; what is shown is the string of the document's root text
/// named `text`.
#[derive(Clone)]
pub struct Text {
    handle: Handle,
}

impl Text {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Inserts text before a character; characters are Unicode scalar values, counted from 0.
    ///
    /// # Errors
    /// [`WriteError`]; beyond the end it says how long the text is.
    pub fn insert(&self, key: &str, at: u64, text: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, insert(at, text), None)
    }

    /// Deletes `length` characters from `at` on.
    ///
    /// # Errors
    /// As [`Text::insert`].
    pub fn delete(&self, key: &str, at: u64, length: u64) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::DeleteText { at, length }, None)
    }

    /// Deletes all characters that are seen here.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn clear(&self, key: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::Delete, None)
    }

    /// Adds a Yjs update (version 1), as an editor made it, of at most 1 MiB. What it needs may come later.
    ///
    /// # Errors
    /// [`WriteError`], when it is no update, or one that no text is made of.
    pub fn apply_update(&self, key: &str, update: &[u8]) -> Result<Written, WriteError> {
        self.handle.apply(key, Operation::Yjs(update.to_vec()), None)
    }

    /// The text; empty for a key that does not exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, key: &str) -> Result<String, ReadError> {
        self.get_in(&self.handle.database.view(), key)
    }

    /// As [`Text::get`], in a view.
    ///
    /// # Errors
    /// As [`Text::get`].
    pub fn get_in(&self, view: &View, key: &str) -> Result<String, ReadError> {
        let outcome = self.handle.outcome(view, key)?;
        Ok(outcome.and_then(|outcome| outcome.value.as_str().map(str::to_owned)).unwrap_or_default())
    }

    /// All updates as one Yjs update; only what is not in `since`, a Yjs state vector, when given. `None` when nothing was
    /// ever written to the key.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::BadSince`] when `since` is no state vector.
    pub fn state(&self, key: &str, since: Option<&[u8]>) -> Result<Option<Vec<u8>>, ReadError> {
        let view = self.handle.database.view();
        match view.catalog().get(&self.handle.name, self.handle.kind) {
            None => Ok(None),
            Some(collection) => view.export(&view.catalog().path(collection), key, since),
        }
    }

    /// The same texts, as part of a transaction.
    #[must_use]
    pub fn in_tx<'a>(&'a self, tx: &'a Tx) -> TextTx<'a> {
        TextTx { handle: &self.handle, tx }
    }
}

/// Texts as part of a transaction.
pub struct TextTx<'a> {
    handle: &'a Handle,
    tx: &'a Tx,
}

impl TextTx<'_> {
    /// Inserts text before a character, when the transaction is written.
    ///
    /// # Errors
    /// None now; the transaction's own write says more.
    pub fn insert(&self, key: &str, at: u64, text: &str) -> Result<(), WriteError> {
        self.operate(key, insert(at, text))
    }

    /// Deletes characters, when the transaction is written.
    ///
    /// # Errors
    /// As [`TextTx::insert`].
    pub fn delete(&self, key: &str, at: u64, length: u64) -> Result<(), WriteError> {
        self.operate(key, Operation::DeleteText { at, length })
    }

    /// Deletes all characters that are seen here, when the transaction is written.
    ///
    /// # Errors
    /// As [`TextTx::insert`].
    pub fn clear(&self, key: &str) -> Result<(), WriteError> {
        self.operate(key, Operation::Delete)
    }

    /// Adds a Yjs update, when the transaction is written.
    ///
    /// # Errors
    /// As [`TextTx::insert`].
    pub fn apply_update(&self, key: &str, update: &[u8]) -> Result<(), WriteError> {
        self.operate(key, Operation::Yjs(update.to_vec()))
    }

    fn operate(&self, key: &str, operation: Operation) -> Result<(), WriteError> {
        self.tx.operate(&self.handle.name, self.handle.kind, key, operation, None);
        Ok(())
    }
}

fn insert(at: u64, text: &str) -> Operation {
    Operation::InsertText { at, text: text.to_owned() }
}
