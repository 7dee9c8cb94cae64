//! What a local client asks the engine to write, and what it hears.

use anabranch_causality::{Context, Dot, Kind, OperationId, SessionId, Writer, hash64};
use anabranch_resolvers::{Operation, Rejection};

/// An atomic group of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What to change, in order; each sees what the former left.
    pub changes: Vec<Change>,
    /// The client's session and its count of operations, for retrying: sent again, at any leader, it takes effect once.
    pub key: Option<(SessionId, u64)>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An operation on a key.
    Operate {
        /// The collection's name.
        collection: String,
        /// Its kind.
        kind: Kind,
        /// The key.
        key: String,
        /// What to do.
        operation: Operation,
        /// What the client saw of the key, if it says.
        context: Option<Context>,
    },
    /// A collection comes into being, or a register collection gets another resolver.
    Declare {
        /// The collection's name.
        collection: String,
        /// Its kind.
        kind: Kind,
        /// The resolver's name.
        resolver: String,
    },
}

impl Write {
    /// The most changes in one write.
    pub const MAX_CHANGES: usize = 1_000;

    /// The hash that tells this request from another under the same counter.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut writer = Writer::new();
        for change in &self.changes {
            match change {
                Change::Operate { collection, kind, key, operation, .. } => {
                    writer.u8(1).bytes(collection.as_bytes()).u8(kind.0).bytes(key.as_bytes());
                    operation.encode(&mut writer);
                }
                Change::Declare { collection, kind, resolver } => {
                    writer.u8(2).bytes(collection.as_bytes()).u8(kind.0).bytes(resolver.as_bytes());
                }
            }
        }
        hash64("anabranch request 1", &[writer.as_bytes()])
    }
}

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
        /// `clock`, for now.
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
