//! What a client hears of a write.

use anabranch_causality::{Dot, OperationId};
use anabranch_resolvers::Rejection;

/// A write that took effect and is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it was sequenced: the first copy known here.
    pub dot: Dot,
    /// What was asked.
    pub operation: OperationId,
    /// It had taken effect before; nothing was done now.
    pub repeated: bool,
    /// There was more to clear than one transaction may name: write the same again for the rest.
    pub incomplete: bool,
}

/// Why a write was refused. Nothing of it took effect here, and it is not remembered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// This replica takes no writes now.
    #[error("this replica takes no writes now: {detail}")]
    NotWritable {
        /// `clock`, or `leader`: this replica is none.
        reason: &'static str,
        /// What to do about it.
        detail: String,
    },
    /// The collection exists with another kind.
    #[error("collection {collection} exists with resolver {resolver}")]
    ResolverMismatch {
        /// The collection.
        collection: String,
        /// What it has.
        resolver: String,
    },
    /// No such resolver in this build.
    #[error("there is no resolver named {0} in this build")]
    NoSuchResolver(String),
    /// The collection is parked.
    #[error("collection {collection} is parked here: {reason}")]
    Parked {
        /// The collection.
        collection: String,
        /// Why.
        reason: String,
    },
    /// The session began more than seven days ago.
    #[error("the session of this idempotency key is older than 7 days: begin a new one")]
    SessionExpired,
    /// The session id or counter cannot be used.
    #[error("{0}")]
    BadIdempotencyKey(String),
    /// The counter was used for another request.
    #[error("this idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The resolver refused an operation.
    #[error("operation {operation}: {rejection}")]
    Rejected {
        /// Which of the changes, from 0.
        operation: usize,
        /// Why.
        rejection: Rejection,
    },
    /// More than one transaction can hold.
    #[error("{0}")]
    TooLarge(String),
}
