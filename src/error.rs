//! What can go wrong, and what then still holds.

use anabranch_causality::VersionVector;
use anabranch_engine::store::StoreError;
use anabranch_engine::{QueryError, Refusal};

/// Why a database could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used; the message names it and says why.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused something: a thread, random numbers.
    #[error("cannot open the database: {0}")]
    System(String),
}

/// Why a read has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such collection.
    #[error("there is no collection {0}")]
    NoSuchCollection(String),
    /// The collection is parked: this build cannot apply something in it. Its data is safe in the log.
    #[error("collection {collection} is parked here: {reason}")]
    Parked {
        /// The collection.
        collection: String,
        /// Why.
        reason: String,
    },
    /// The stored value is not of the type that was asked for.
    #[error("the value of {key} is not of the type asked for: {error}")]
    Type {
        /// The key.
        key: String,
        /// What is wrong.
        error: String,
    },
    /// The kind has no protocol of its own in which its state could be handed out.
    #[error("{0} have no protocol of their own")]
    NotSupported(String),
    /// What is to be left out was not said in the words of the kind's protocol.
    #[error("since: {0}")]
    BadSince(&'static str),
    /// A listing was to go on after something that is no place in it any more, or never was.
    #[error("there is nothing to go on after: take `next` of the page before, or begin anew")]
    Cursor,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state that a token names did not arrive in time.
    #[error(transparent)]
    Wait(#[from] WaitError),
}

impl From<QueryError> for ReadError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Store(error) => Self::Store(error),
            QueryError::Parked { collection, reason } => Self::Parked { collection, reason },
        }
    }
}

/// Why a write was not acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// It was refused: nothing of it took effect here.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Too many writes are waiting: nothing of it took effect. Try again in a moment.
    #[error("too many writes are waiting: try again in a moment")]
    Busy,
    /// The disk is full: nothing new took effect; a repeat of what took effect before is refused as well. Reads go on;
    /// writes do when there is room again.
    #[error("the disk is full: free some space, then write again")]
    DiskFull,
    /// The store failed while the write was under way: whether it took effect is unknown until the database is opened
    /// again. With an idempotency key it can be sent again, here or at another leader.
    #[error("the store failed, so whether this write took effect is unknown: {0}")]
    Unknown(String),
    /// The database was closed before the write took effect, or while it was under way.
    #[error("the database is closed")]
    Closed,
    /// The collection cannot be read for preparing the write.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The value cannot be written as JSON.
    #[error("the value cannot be written as JSON: {0}")]
    Value(String),
}

/// A write is on this leader's disk and will replicate, but not every replica that was asked for has said in time that it
/// has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the write is durable here and will replicate; so far it is on disk in {}", regions.join(", "))]
pub struct NotAcknowledged {
    /// The regions where it is known to be on disk.
    pub regions: Vec<String>,
}

/// A token's state did not arrive in time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// This replica has less than the token names.
    #[error("this replica has {have}, the token asks for {need}")]
    NotReached {
        /// What has been applied.
        have: VersionVector,
        /// What the token names.
        need: VersionVector,
    },
    /// The token names a shard that this cluster does not have.
    #[error("the token names a shard that is not here")]
    NoSuchShard,
    /// The database is closed.
    #[error("the database is closed")]
    Closed,
    /// As many requests are waiting as are allowed.
    #[error("too many requests are waiting for their tokens: try again in a moment")]
    Busy,
}
