//! Typed collections: a collection, its kind and its resolver in one cheap handle.

mod calendar;
mod cart;
mod counter;
mod map;
mod register;
mod set;
mod text;

pub use calendar::{Booked, BookingStatus, Calendar, CalendarTx};
pub use cart::{Cart, CartTx};
pub use counter::{Counter, CounterTx};
pub use map::{Map, MapTx};
pub use register::{Concurrent, Register, RegisterTx, Stored};
pub use set::{OrSet, OrSetTx};
pub use text::{Text, TextTx};

use crate::database::Database;
use crate::error::{ReadError, WriteError};
use crate::view::{ExplainedVersion, View};
use anabranch_causality::{Context, Kind, NameError, names};
use anabranch_engine::{Change, Collection, Refusal, Write, Written};
use anabranch_resolvers::{Operation, Outcome, ReadFailed, Rejection, Rows};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
        let is_so = |found: &Collection| found.resolver == resolver && found.concurrent.is_empty();
        if !view.catalog().get(name, kind).is_some_and(is_so) {
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

    /// What `read` makes of a key's rows; `None` when there is no such collection.
    fn rows<R>(
        &self,
        view: &View,
        key: &str,
        read: impl FnOnce(&dyn Rows) -> Result<R, ReadFailed>,
    ) -> Result<Option<R>, ReadError> {
        match view.catalog().get(&self.name, self.kind) {
            None => Ok(None),
            Some(collection) => view.rows(collection, key, read).map(Some),
        }
    }

    fn versions(&self, view: &View, key: &str) -> Result<Vec<ExplainedVersion>, ReadError> {
        match view.catalog().get(&self.name, self.kind) {
            None => Ok(Vec::new()),
            Some(collection) => Ok(view.explain(&view.catalog().path(collection), key)?.versions),
        }
    }

    /// Writes one operation; when it clears more than one transaction may name, as many as it takes.
    fn apply(&self, key: &str, operation: Operation, context: Option<Context>) -> Result<Written, WriteError> {
        let (collection, key, kind) = (self.name.clone(), key.to_owned(), self.kind);
        let change = Change::Operate { collection, kind, key, operation, context };
        self.database.apply_whole(Write { changes: vec![change], key: None }).map(|(first, _)| first)
    }
}

fn written_value(value: &impl Serialize) -> Result<Value, WriteError> {
    serde_json::to_value(value).map_err(|error| WriteError::Value(error.to_string()))
}

fn typed_value<T: DeserializeOwned>(key: &str, value: Value) -> Result<T, ReadError> {
    serde_json::from_value(value).map_err(|error| ReadError::Type { key: key.to_owned(), error: error.to_string() })
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

    /// A collection of values where a person decides between concurrent ones: until then, the latest is shown provisionally, and
    /// [`Register::options`] lists them all.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn escalate<T>(&self, name: &str) -> Result<Register<T>, WriteError> {
        Handle::declared(self, name, Kind::REGISTER, "escalate").map(Register::new)
    }

    /// A collection of values that a resolver of one's own combines, registered under that name: see
    /// [`crate::Builder::resolver`].
    ///
    /// # Errors
    /// As [`Database::lww`]; also for a resolver that is not known or is not for registers.
    pub fn register<T>(&self, name: &str, resolver: &str) -> Result<Register<T>, WriteError> {
        Handle::declared(self, name, Kind::REGISTER, resolver).map(Register::new)
    }

    /// A collection of maps: fields, each combined for itself.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn map(&self, name: &str) -> Result<Map, WriteError> {
        Handle::new(self, name, Kind::MAP).map(Map::new)
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

    /// A collection of calendars: bookings of one resource per key.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn calendar(&self, name: &str) -> Result<Calendar, WriteError> {
        Handle::new(self, name, Kind::CALENDAR).map(Calendar::new)
    }

    /// A collection of carts: items with quantities.
    ///
    /// # Errors
    /// As [`Database::lww`].
    pub fn cart(&self, name: &str) -> Result<Cart, WriteError> {
        Handle::new(self, name, Kind::CART).map(Cart::new)
    }

    /// A collection of texts: documents that many edit at once, as Yjs has them.
    ///
    /// # Errors
    /// As [`Database::lww`]. A build without the feature `text` refuses the first write.
    pub fn text(&self, name: &str) -> Result<Text, WriteError> {
        Handle::new(self, name, Kind::TEXT).map(Text::new)
    }
}
