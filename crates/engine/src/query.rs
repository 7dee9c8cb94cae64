//! Reading: values, pages and explanations, from one consistent state.

use crate::catalog::Collection;
use crate::keys;
use crate::rows::{self, Stored};
use crate::store::{Read, Space, StoreError};
use crate::view::KeyRows;
use anabranch_causality::{Dot, Hlc, Origin, ShardId, Tag};
use anabranch_resolvers::{Exported, Operation, Outcome, Registry, Resolver};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Why a read has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The collection is parked.
    #[error("collection {collection} is parked here: {reason}")]
    Parked {
        /// The collection.
        collection: String,
        /// Why.
        reason: String,
    },
}

/// One surviving version, for explaining a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// The operation that added it, and where in it.
    pub tag: Tag,
    /// The lowest stamp among the operation's copies.
    pub stamp: Hlc,
    /// Where the copy with that stamp was sequenced.
    pub dot: Dot,
    /// Which part of the key.
    pub subkey: Vec<u8>,
    /// What it holds, as its kind encodes it.
    pub payload: Vec<u8>,
}

/// The resolver of a collection.
///
/// # Errors
/// [`QueryError::Parked`] when the collection is parked, or this build does not know the resolver.
pub fn resolver(registry: &Registry, collection: &Collection) -> Result<Arc<dyn Resolver>, QueryError> {
    let parked = |reason| QueryError::Parked { collection: collection.name.clone(), reason };
    if let Some(reason) = &collection.parked {
        return Err(parked(reason.clone()));
    }
    collection.resolver_in(registry).map_err(parked)
}

/// The value of a key; after `operation`, as the answer to it shows it.
///
/// # Errors
/// [`QueryError`].
pub fn value(
    registry: &Registry,
    read: &dyn Read,
    collection: &Collection,
    key: &str,
    operation: Option<&Operation>,
    most_bytes: usize,
) -> Result<Option<Outcome>, QueryError> {
    let resolver = resolver(registry, collection)?;
    let rows = KeyRows::new(read, collection.id, key);
    let outcome = match operation {
        None => resolver.value(&rows, most_bytes),
        Some(operation) => resolver.value_after(operation, &rows, most_bytes),
    };
    outcome.map_err(|_| rows.cause().into())
}

/// The state of a key in its kind's own protocol; only what is not in `since`, when given.
///
/// # Errors
/// [`QueryError`].
pub fn export(
    registry: &Registry,
    read: &dyn Read,
    collection: &Collection,
    key: &str,
    since: Option<&[u8]>,
) -> Result<Exported, QueryError> {
    let resolver = resolver(registry, collection)?;
    let rows = KeyRows::new(read, collection.id, key);
    resolver.export(&rows, since).map_err(|_| rows.cause().into())
}

/// The first key of a collection that starts with `prefix` and comes after `after`, in the order of the keys' bytes.
///
/// # Errors
/// [`StoreError`].
pub fn next_key(
    read: &dyn Read,
    collection: &Collection,
    prefix: &str,
    after: Option<&str>,
) -> Result<Option<String>, StoreError> {
    let (from, end) = range(collection, prefix, after);
    let mut found = Ok(None);
    read.scan(Space::Rows, &from, &end, &mut |key, _| {
        found = keys::split_key(key).map(|(key, _)| Some(key));
        ControlFlow::Break(())
    })?;
    found
}

/// From where to where the rows of the keys lie that start with `prefix` and come after `after`.
pub(crate) fn range(collection: &Collection, prefix: &str, after: Option<&str>) -> (Vec<u8>, Vec<u8>) {
    let start = [keys::collection_prefix(collection.id), prefix.as_bytes().to_vec()].concat();
    let end = keys::after(&start);
    let from = match after {
        Some(after) => keys::after(&keys::key_prefix(collection.id, after)).max(start),
        None => start,
    };
    (from, end)
}

/// The surviving versions of a key, at most `most` of them.
///
/// # Errors
/// [`QueryError`].
pub fn versions(
    read: &dyn Read,
    shard: ShardId,
    collection: &Collection,
    key: &str,
    most: usize,
) -> Result<Vec<Version>, QueryError> {
    let prefix = keys::key_prefix(collection.id, key);
    let mut versions = Vec::new();
    let mut failed = None;
    read.scan(Space::Rows, &prefix, &keys::after(&prefix), &mut |row_key, value| {
        match version(shard, row_key, value) {
            Ok(Some(version)) => versions.push(version),
            Ok(None) => {}
            Err(error) => failed = Some(error),
        }
        let done = failed.is_some() || versions.len() >= most;
        if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(failed.map_or(Ok(versions), Err)?)
}

fn version(shard: ShardId, key: &[u8], value: &[u8]) -> Result<Option<Version>, StoreError> {
    let (_, rest) = keys::split_key(key)?;
    let (subkey, Stored::Row(tag, row)) = rows::read(rest, value)? else { return Ok(None) };
    let dot = Dot { shard, origin: row.origin, seq: row.seq };
    Ok(Some(Version { tag, stamp: row.stamp, dot, subkey, payload: row.payload }))
}

/// Every how many transactions of an origin there is a row that says where in the log they are.
pub(crate) const INDEX_EVERY: u64 = 64;

/// A log index at or before the transaction with that number of that origin, and not long before it.
///
/// # Errors
/// [`StoreError`] when the store fails or holds no such transaction.
pub fn log_index(read: &dyn Read, origin: Origin, seq: u64) -> Result<u64, StoreError> {
    let base = (seq - 1) / INDEX_EVERY * INDEX_EVERY + 1;
    let found = read.get(Space::Index, &keys::index_key(origin, base))?;
    let index = found.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
    index.ok_or_else(|| StoreError::corrupt(format!("the log has no index for {origin}:{base}")))
}
