//! The driver: the only place that knows disk, clock and network together.
//!
//! One thread per database owns the engine and the store's writing side. Everything reaches it through a [`Queue`]; it
//! takes all that is there, commits it with one sync, publishes the new state for readers, and only then answers.

mod clock;
mod gathering;
mod members;
mod metrics;
mod published;
mod queue;
mod waiters;
mod writer;

pub use members::{AckLevel, Member, Members};
pub(crate) use members::{holding_regions, is_follower, suffices};
pub use metrics::Metrics;
pub(crate) use published::Published;
pub(crate) use queue::{Command, ConnectionId, Outbox, Queue};
pub(crate) use writer::{Opened, open};
