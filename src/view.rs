//! Reading from one consistent state.

use crate::error::{ReadError, WaitError};
use anabranch_causality::{Context, Hlc, Lineages, OperationId, ShardId, Tag, Token, VersionVector};
use anabranch_engine::store::{Read, StoreError, StoreErrorKind, Visit};
use anabranch_engine::{Catalog, Collection, KeyRows, query, walk};
use anabranch_resolvers::{Exported, Operation, Outcome, ReadFailed, Registry, Rows};
use std::ops::ControlFlow;
use std::sync::Arc;

/// The shard, for now the only one.
pub(crate) const SHARD: ShardId = ShardId(0);
const MOST_VERSIONS: usize = 1_000;

/// A consistent state of the whole database: one causal cut. Later writes do not change it. Cheap to make; keep it no
/// longer than needed, for the store keeps what it shows.
#[derive(Clone)]
pub struct View {
    pub(crate) read: Arc<dyn Read + Send + std::marker::Sync>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) lineages: Arc<Lineages>,
    /// Without what newer origins imply.
    pub(crate) vector: Arc<VersionVector>,
    /// Whole.
    pub(crate) full: Arc<VersionVector>,
    /// The log index after the last transaction that it shows.
    pub(crate) index: u64,
    pub(crate) registry: Arc<Registry>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// What its rows come to.
    pub outcome: Outcome,
}

/// Some keys of a collection, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The keys and values.
    pub entries: Vec<Entry>,
    /// The last key of this page, when there are more after it.
    pub next: Option<String>,
}

/// Why a key's value is what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The surviving versions, at most 1,000.
    pub versions: Vec<ExplainedVersion>,
    /// What they come to; `None` when there is no such key.
    pub outcome: Option<Outcome>,
}

/// A surviving version.
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainedVersion {
    /// Its tag: the operation that wrote it, and where in it.
    pub tag: Tag,
    /// Where it was sequenced; of several copies, the one whose stamp stands.
    pub dot: anabranch_causality::Dot,
    /// The region and node where that was, when known.
    pub place: Option<(String, String)>,
    /// Its stamp.
    pub hlc: Hlc,
    /// Which part of the key: a set's member, a cart's item.
    pub subkey: Vec<u8>,
    /// What it holds, as its kind encodes it.
    pub payload: Vec<u8>,
    /// The same as people read it.
    pub value: serde_json::Value,
}

impl ExplainedVersion {
    /// The operation that wrote it.
    #[must_use]
    pub fn operation(&self) -> OperationId {
        self.tag.operation
    }
}

impl View {
    /// The value of a key; `None` when there is no such key.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get(&self, collection: &str, key: &str) -> Result<Option<Outcome>, ReadError> {
        self.value_after(collection, key, None, usize::MAX)
    }

    /// The value of a key, as the answer to `operation` shows it; left out when above `most_bytes` of JSON.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn value_after(
        &self,
        collection: &str,
        key: &str,
        operation: Option<&Operation>,
        most_bytes: usize,
    ) -> Result<Option<Outcome>, ReadError> {
        self.value_in(self.collection(collection)?, key, operation, most_bytes)
    }

    /// As [`View::value_after`], of a collection that was found in this state already.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn value_in(
        &self,
        collection: &Collection,
        key: &str,
        operation: Option<&Operation>,
        most_bytes: usize,
    ) -> Result<Option<Outcome>, ReadError> {
        Ok(query::value(&self.registry, &*self.read, collection, key, operation, most_bytes)?)
    }

    /// The state of a key in its kind's own protocol (texts: a Yjs update); only what is not in `since` (a Yjs state
    /// vector), when given. `None` when nothing was ever written to the key.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn export(&self, collection: &str, key: &str, since: Option<&[u8]>) -> Result<Option<Vec<u8>>, ReadError> {
        let collection = self.collection(collection)?;
        match query::export(&self.registry, &*self.read, collection, key, since)? {
            Exported::Bytes(bytes) => Ok(Some(bytes)),
            Exported::Nothing => Ok(None),
            Exported::NotSupported => Err(ReadError::NotSupported(format!("collections of kind {}", collection.kind))),
            Exported::BadSince(error) => Err(ReadError::BadSince(error.0)),
        }
    }

    /// Up to `limit` keys that start with `prefix` and come after `after`.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn scan(&self, collection: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, ReadError> {
        let collection = self.collection(collection)?;
        let mut page = Page::default();
        walk::values(&self.registry, &*self.read, collection, (prefix, after), &mut |key, outcome| {
            if page.entries.len() == limit {
                page.next = page.entries.last().map(|last| last.key.as_str()).or(after).map(str::to_owned);
                return ControlFlow::Break(());
            }
            page.entries.push(Entry { key: key.to_owned(), outcome });
            ControlFlow::Continue(())
        })?;
        Ok(page)
    }

    /// Why the value of a key is what it is.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn explain(&self, collection: &str, key: &str) -> Result<Explained, ReadError> {
        let found = self.collection(collection)?;
        let outcome = query::value(&self.registry, &*self.read, found, key, None, usize::MAX)?;
        let place = |origin| self.lineages.get(origin).map(|lineage| (lineage.region.clone(), lineage.node.clone()));
        let versions = query::versions(&*self.read, SHARD, found, key, MOST_VERSIONS)?;
        let resolver = query::resolver(&self.registry, found)?;
        let versions = versions.into_iter().map(|version| ExplainedVersion {
            value: resolver.show(&version.subkey, &version.payload),
            place: place(version.dot.origin),
            tag: version.tag,
            dot: version.dot,
            hlc: version.stamp,
            subkey: version.subkey,
            payload: version.payload,
        });
        Ok(Explained { versions: versions.collect(), outcome })
    }

    /// What `read` makes of the surviving rows of a key.
    pub(crate) fn rows<R>(
        &self,
        collection: &Collection,
        key: &str,
        read: impl FnOnce(&dyn Rows) -> Result<R, ReadFailed>,
    ) -> Result<R, ReadError> {
        query::resolver(&self.registry, collection)?;
        let rows = KeyRows::new(&*self.read, collection.id, key);
        Ok(read(&rows).map_err(|_| rows.cause())?)
    }

    /// The collections, the system's left out.
    pub fn collections(&self) -> impl Iterator<Item = &Collection> {
        self.catalog.iter().filter(|collection| !collection.is_system())
    }

    /// The collection that a path means: `name`, or `name~kind`.
    ///
    /// # Errors
    /// [`ReadError::NoSuchCollection`].
    pub fn collection(&self, path: &str) -> Result<&Collection, ReadError> {
        let found = self.catalog.find(path).filter(|collection| !collection.is_system());
        found.ok_or_else(|| ReadError::NoSuchCollection(path.to_owned()))
    }

    /// The resolvers that this database knows.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The catalog, with the system's collections.
    #[must_use]
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The log index after the last transaction that it shows: another state of the same database has another.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.index
    }

    /// What this state has applied, without what newer origins imply.
    #[must_use]
    pub fn vector(&self) -> &VersionVector {
        &self.vector
    }

    /// The token that makes another replica wait until it shows at least this state.
    #[must_use]
    pub fn token(&self) -> Token {
        Token::of(SHARD, (*self.vector).clone())
    }

    /// The context of a register's value: what a write that saw it supersedes.
    #[must_use]
    pub fn context(outcome: &Outcome) -> Context {
        Context::new(outcome.versions.iter().copied())
    }

    /// Whether this state has all that the token names.
    ///
    /// # Errors
    /// [`WaitError`] when it has not, with what it has and what is asked.
    pub fn satisfies(&self, token: &Token) -> Result<(), WaitError> {
        for (shard, need) in token.iter() {
            if shard != SHARD {
                return Err(WaitError::NoSuchShard);
            }
            if !self.full.covers(need) {
                return Err(WaitError::NotReached { have: (*self.vector).clone(), need: need.clone() });
            }
        }
        Ok(())
    }
}

/// What remains of a database that was closed: nothing can be read.
pub(crate) struct Closed;

impl Closed {
    fn error<T>() -> Result<T, StoreError> {
        Err(StoreError::new(StoreErrorKind::Poisoned, "the database is closed"))
    }
}

impl Read for Closed {
    fn get(&self, _: anabranch_engine::store::Space, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Self::error()
    }

    fn scan(&self, _: anabranch_engine::store::Space, _: &[u8], _: &[u8], _: Visit<'_>) -> Result<(), StoreError> {
        Self::error()
    }

    fn scan_back(&self, _: anabranch_engine::store::Space, _: &[u8], _: &[u8], _: Visit<'_>) -> Result<(), StoreError> {
        Self::error()
    }

    fn log(&self, _: u64, _: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        Self::error()
    }
}
