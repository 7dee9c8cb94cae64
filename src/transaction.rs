//! Transactions in the making.

use crate::database::Database;
use anabranch_causality::{Context, Kind};
use anabranch_engine::Change;
use anabranch_resolvers::Operation;
use std::cell::RefCell;

/// A transaction in the making: typed handles add their changes to it with `in_tx`.
pub struct Tx {
    database: Database,
    changes: RefCell<Vec<Change>>,
}

impl Tx {
    pub(crate) fn new(database: Database) -> Self {
        Self { database, changes: RefCell::new(Vec::new()) }
    }

    /// The database that it writes to.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Adds an operation on a key of a collection of that kind.
    pub fn operate(&self, collection: &str, kind: Kind, key: &str, operation: Operation, context: Option<Context>) {
        let (collection, key) = (collection.to_owned(), key.to_owned());
        self.changes.borrow_mut().push(Change::Operate { collection, kind, key, operation, context });
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes.into_inner()
    }
}
