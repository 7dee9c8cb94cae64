//! Anabranch: a multi-leader CRDT sync engine, as a library.
//!
//! A [`Database`] accepts reads and writes locally, also while cut off, keeps everything that no later write has seen,
//! and comes to the same state as every other replica that it syncs with.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("data");
//! let db = anabranch::Database::open(&path)?; // creates; works offline from here on
//! let likes = db.g_counter("likes")?;
//! let carts = db.cart("carts")?;
//! likes.add("post:1", 1)?;
//! db.write(|tx| {
//!     carts.in_tx(tx).add("user:101", "sku-42", 2)?;
//!     likes.in_tx(tx).add("post:1", 1)
//! })?;
//! assert_eq!(likes.get("post:1")?, 2);
//! # Ok(())
//! # }
//! ```
//!
//! It is not: a query language, a cache, or a place for data that must never be in conflict.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod collections;
pub mod conflicts;
mod database;
mod driver;
mod error;
mod network;
mod session;
mod transaction;
mod view;
mod watch;

pub use anabranch_causality::{
    Context, ContextError, Dot, Effect, Hlc, Kind, OperationId, Origin, SessionId, ShardId, Token, TokenError,
    VersionVector, names,
};
pub use anabranch_engine::store::{StoreError, StoreErrorKind};
pub use anabranch_engine::{
    Alarm, Catalog, Change, Collection, Counters, PeerStatus, Refusal, Role, Status, Write, Written,
};
pub use anabranch_resolvers as resolvers;
pub use anabranch_resolvers::{Operation, Outcome, Rejection};
pub use anabranch_session::{Guarantees, SaveError};
pub use anabranch_transport as transport;
pub use database::{Builder, Database, Names};
pub use driver::{AckLevel, Member, Members, Metrics};
pub use error::{NotAcknowledged, OpenError, ReadError, WaitError, WriteError};
pub use network::{Asker, Network, NetworkConfig, NetworkError, PeerConfig, PeerState, Serve, Sync, SyncBuilder};
pub use session::Session;
pub use transaction::Tx;
pub use view::{Entry, Explained, ExplainedVersion, Page, View};
pub use watch::{Change as WatchedChange, Cut, Filter, Watch};
