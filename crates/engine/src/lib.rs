//! Replication as a pure state machine.
//!
//! An [`Engine`] is one replica: it takes local writes and peers' messages, orders and applies transactions, and says
//! what to commit, send and answer. It reads no clock, draws no random number, starts no thread and does no input or
//! output: time, randomness and bytes come in as arguments, effects go out as values. The [`store::Store`] that it
//! needs is a trait here; implementations are elsewhere.

mod actors;
mod apply;
pub mod catalog;
pub mod conflicts;
pub mod digest;
mod engine;
mod freshness;
mod incoming;
pub mod keys;
mod local;
mod memos;
pub mod mutant;
mod outgoing;
mod parking;
mod peers;
mod pile;
mod places;
pub mod query;
pub mod record;
mod relay;
pub mod resolutions;
pub mod rows;
mod sessions;
pub mod state;
pub mod status;
pub mod store;
mod tail;
mod time;
mod view;
pub mod walk;
mod write;

pub use anabranch_protocol::Role;
pub use anabranch_resolvers::{Change, Write};
pub use catalog::{Catalog, Collection};
pub use engine::{Alarm, Config, Engine, Output};
pub use query::QueryError;
pub use status::{Acknowledged, Counters, PeerStatus, Status};
pub use time::Time;
pub use view::{KeyRows, Layered};
pub use write::{Refusal, Written};
