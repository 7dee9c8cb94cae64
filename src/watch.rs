//! Watching: what changed, in groups that each end in a causal cut.
//!
//! A watch reads the log, so it buffers nothing: a slow watcher costs nobody anything, and one that begins again at its
//! last cut misses nothing. Reading is synchronous, also in [`Watch::next`]. What waits in a parked collection is not
//! told; a watch begun before it caught up hears of a key of it when that next changes.

use crate::database::Database;
use crate::error::{ReadError, WaitError};
use crate::view::{SHARD, View};
use anabranch_causality::{Kind, Token};
use anabranch_engine::record::Record;
use anabranch_engine::store::StoreError;
use anabranch_resolvers::Outcome;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many log records one group covers at most.
const GROUP: u64 = 10_000;

/// Which changes a watch is about; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The path of a collection.
    pub collection: Option<String>,
    /// What keys start with.
    pub prefix: String,
}

/// A stream of changes.
pub struct Watch {
    database: Database,
    filter: Filter,
    next: u64,
    since: Token,
    changed: tokio::sync::watch::Receiver<u64>,
}

/// A key that changed, with its value at the group's cut.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The path of the collection.
    pub collection: String,
    /// The key.
    pub key: String,
    /// What its rows come to; `None` when there is no such key any more.
    pub outcome: Option<Outcome>,
    /// The region of the last write in this group that touched it, when known.
    pub region: Option<String>,
}

/// A group of changes and the cut that it ends in.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    /// Each changed key once.
    pub changes: Vec<Change>,
    /// All up to here has been told: begin again from it and nothing is missed.
    pub token: Token,
    /// What the values show. The same as `token`, or more, when there was so much to tell that it takes several groups.
    pub shown: Token,
}

impl Watch {
    pub(crate) fn new(database: Database, filter: Filter, since: Option<&Token>) -> Result<Self, ReadError> {
        let changed = database.subscribe();
        let view = database.view();
        let next = since.map_or(Ok(view.index), |token| first_beyond(&view, token))?;
        let since = since.cloned().unwrap_or_else(|| view.token());
        Ok(Self { database, filter, next, since, changed })
    }

    /// The next group, waiting for it. Also a group without changes is a cut, when others' changes went by.
    ///
    /// # Errors
    /// [`ReadError`]; [`WaitError::Closed`] once the database is closed.
    pub async fn next(&mut self) -> Result<Cut, ReadError> {
        loop {
            if let Some(cut) = self.poll()? {
                return Ok(cut);
            }
            if *self.changed.borrow_and_update() == u64::MAX {
                return Err(WaitError::Closed.into());
            }
            if self.database.view().index == self.next && self.changed.changed().await.is_err() {
                return Err(WaitError::Closed.into());
            }
        }
    }

    /// The next group, if there is one now.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn poll(&mut self) -> Result<Option<Cut>, ReadError> {
        let view = self.database.view();
        if view.index <= self.next {
            return Ok(None);
        }
        if self.database.is_closed() {
            return Err(WaitError::Closed.into());
        }
        let told = self.collect(&view)?;
        let mut changes = Vec::with_capacity(told.keys.len());
        for ((name, kind, key), region) in told.keys {
            let Some(collection) = view.catalog().get(&name, kind) else { continue };
            let path = view.catalog().path(collection);
            let outcome = match view.get(&path, &key) {
                Err(ReadError::Parked { .. }) => continue,
                outcome => outcome?,
            };
            changes.push(Change { collection: path, key, outcome, region });
        }
        // Only now: a group whose values could not be read is told again.
        (self.next, self.since) = (told.next, told.since);
        if self.next == view.index {
            self.since.join(&view.token());
        }
        Ok(Some(Cut { changes, token: self.since.clone(), shown: view.token() }))
    }

    /// The keys that changed since the last cut, each with the region of its last write.
    fn collect(&self, view: &Arc<View>) -> Result<Told, ReadError> {
        let mut keys = BTreeMap::new();
        let mut failed: Option<StoreError> = None;
        let wanted = self.filter.collection.as_ref().and_then(|path| view.catalog().find(path));
        let wanted = wanted.map(|collection| (collection.name.clone(), collection.kind));
        let (filter, mut next) = (&self.filter, self.next);
        let mut since = view.lineages.expand(&self.since.vector(SHARD).cloned().unwrap_or_default());
        let last = view.index.min(next + GROUP);
        view.read.log(next, &mut |index, bytes| {
            if index >= last {
                return ControlFlow::Break(());
            }
            next = index + 1;
            let transaction = match Record::decode(bytes).and_then(|record| record.decode_transaction()) {
                Ok(transaction) => transaction,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            };
            let dot = transaction.dot;
            if since.get(dot.origin) >= dot.seq {
                return ControlFlow::Continue(());
            }
            // The log is in causal order: all up to any place in it is a cut.
            since.raise(dot.origin, dot.seq);
            let region = view.lineages.get(dot.origin).map(|lineage| lineage.region.clone());
            for effect in transaction.effects {
                let place = (effect.collection, effect.kind);
                let asked = match (&filter.collection, &wanted) {
                    (None, _) => !place.0.starts_with('_'),
                    (Some(_), wanted) => wanted.as_ref() == Some(&place),
                };
                if asked && !effect.key.is_empty() && effect.key.starts_with(&filter.prefix) {
                    keys.insert((place.0, place.1, effect.key), region.clone());
                }
            }
            ControlFlow::Continue(())
        })?;
        let mut told = self.since.clone();
        told.join_vector(SHARD, &view.lineages.compact(&since));
        failed.map_or(Ok(Told { keys, next, since: told }), |error| Err(error.into()))
    }
}

/// Collection, kind and key of what was touched, with the region of the last write.
type Touched = BTreeMap<(String, Kind, String), Option<String>>;

/// What one group tells, and where the next begins.
struct Told {
    keys: Touched,
    next: u64,
    since: Token,
}

/// The first log index whose transaction the token does not name, or one before it.
fn first_beyond(view: &View, token: &Token) -> Result<u64, ReadError> {
    let vector = token.vector(SHARD).cloned().unwrap_or_default();
    let vector = view.lineages.expand(&vector);
    let mut first = view.index;
    for (origin, seq) in view.full.iter() {
        if seq > vector.get(origin) {
            let index = anabranch_engine::query::log_index(&*view.read, origin, vector.get(origin) + 1)?;
            first = first.min(index);
        }
    }
    Ok(first)
}
