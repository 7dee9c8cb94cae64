//! Typed collections: a collection, its kind and its resolver in one cheap handle.

mod cart;
mod counter;
mod register;
mod set;

pub use cart::{Cart, CartTx};
pub use counter::{Counter, CounterTx};
pub use register::{Concurrent, Register, RegisterTx, Stored};
pub use set::{OrSet, OrSetTx};

use crate::database::Database;
use crate::error::{ReadError, WriteError};
use crate::view::View;
use anabranch_causality::{Context, Kind, NameError, names};
use anabranch_engine::{Change, Refusal, Write, Written};
use anabranch_resolvers::{Operation, Outcome, Rejection};

/// What all typed handles share.
#[derive(Clone)]
struct Handle {
    database: Database,
    name: String,
    kind: Kind,
}

impl Handle {
    /// The handle of a collection, which comes into being with its first write.
    fn new(database: &Database, name: &str, kind: Kind) -> Result<Self, WriteError> {
        names::check_collection(name).map_err(bad_name)?;
        let (database, name) = (database.clone(), name.to_owned());
        Ok(Self { database, name, kind })
    }

    /// As [`Handle::new`], with a resolver that is not the kind's default: the collection comes into being now.
    fn declared(database: &Database, name: &str, kind: Kind, resolver: &str) -> Result<Self, WriteError> {
        let handle = Self::new(database, name, kind)?;
        let view = database.view();
        if view.catalog().get(name, kind).is_none_or(|found| found.resolver != resolver) {
            let (collection, resolver) = (name.to_owned(), resolver.to_owned());
            database.apply(Write { changes: vec![Change::Declare { collection, kind, resolver }], key: None })?;
        }
        Ok(handle)
    }

    fn outcome(&self, view: &View, key: &str) -> Result<Option<Outcome>, ReadError> {
        match view.catalog().get(&self.name, self.kind) {
            None => Ok(None),
            Some(collection) => view.get(&view.catalog().path(collection), key),
        }
    }

    /// Writes one operation; when it clears more than one transaction may name, as many as it takes.
    fn apply(&self, key: &str, operation: Operation, context: Option<Context>) -> Result<Written, WriteError> {
        let (collection, key, kind) = (self.name.clone(), key.to_owned(), self.kind);
        let change = Change::Operate { collection, kind, key, operation, context };
        self.database.apply_whole(Write { changes: vec![change], key: None }).map(|(first, _)| first)
    }
}

fn bad_name(error: NameError) -> WriteError {
    Refusal::Rejected { operation: 0, rejection: Rejection::Rejected(error.to_string()) }.into()
}

impl Database {
    /// A collection of values where the latest wins; concurrent losers stay listed until somebody writes having seen
    /// them. The collection comes into being with its first write.
    ///
    /// # Errors
    /// [`WriteError`] for a name that breaks the rule, or a collection that has another kind.
    pub fn lww<T>(&self, name: &str) -> Result<Register<T>, WriteError> {
        Handle::declared(self, name, Kind::REGISTER, "lww").map(Register::new)
    }

    /// A collection of values where all concurrent ones survive until somebody writes having seen them.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn keep_all<T>(&self, name: &str) -> Result<Register<T>, WriteError> {
        Handle::declared(self, name, Kind::REGISTER, "keep-all").map(Register::new)
    }

    /// A collection of sums that only grow.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn g_counter(&self, name: &str) -> Result<Counter, WriteError> {
        Handle::new(self, name, Kind::G_COUNTER).map(Counter::new)
    }

    /// A collection of sums.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn pn_counter(&self, name: &str) -> Result<Counter, WriteError> {
        Handle::new(self, name, Kind::PN_COUNTER).map(Counter::new)
    }

    /// A collection of sets where an add wins over a concurrent remove.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn or_set(&self, name: &str) -> Result<OrSet, WriteError> {
        Handle::new(self, name, Kind::OR_SET).map(OrSet::new)
    }

    /// A collection of carts: items with quantities.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn cart(&self, name: &str) -> Result<Cart, WriteError> {
        Handle::new(self, name, Kind::CART).map(Cart::new)
    }
}
