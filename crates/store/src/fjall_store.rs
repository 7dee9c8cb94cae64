//! The store on disk: one fjall keyspace per space and one for the log, all on one journal.

use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

use anabranch_engine::store::{Batch, Read, Space, Store, StoreError, StoreErrorKind, Visit};
use fjall::compaction::Leveled;
use fjall::{
    CompressionType, Database, Iter, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode, Readable, Snapshot,
};

use crate::directory::{DataDir, sync_dir};
use crate::options::Options;
use crate::room::Room;
use crate::synced::{self, Mark, Synced};
use crate::{journal, limits};

/// Most journal bytes before the rows that hold back the oldest journal are flushed: bounds disk use and recovery time.
const JOURNAL_BYTES: u64 = 64 << 20;

/// Size of a table: what a compaction needs in passing is some ten times as much, and must fit into the free space that
/// [`Options::min_free_bytes`] keeps.
const TABLE_BYTES: u64 = 8 << 20;

/// A store on disk. Every commit is one journal entry, synced before it becomes visible.
pub struct FjallStore {
    inner: Arc<Inner>,
    room: Room,
    synced: Synced,
    /// How many journals there were when somebody looked, and the number of the newest.
    journals: (usize, u64),
    poisoned: Option<String>,
    #[cfg(test)]
    pub(crate) fail_next: bool,
}

/// A consistent state of a [`FjallStore`]. While one exists, what it sees is kept on disk, and the data directory stays
/// in use even after the store was dropped: make it short-lived.
#[derive(Clone)]
pub struct FjallSnapshot {
    state: Snapshot,
    inner: Arc<Inner>,
}

/// Fields are dropped in this order: the directory is released last.
struct Inner {
    database: Database,
    meta: Keyspace,
    rows: Keyspace,
    actors: Keyspace,
    index: Keyspace,
    conflicts: Keyspace,
    log: Keyspace,
    directory: DataDir,
}

impl FjallStore {
    /// Opens the store in a data directory with default [`Options`], creating both where they are missing.
    ///
    /// # Errors
    /// As [`FjallStore::open_with`].
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Options::default())
    }

    /// Opens the store in a data directory, creating both where they are missing.
    ///
    /// # Errors
    /// Those of [`DataDir::open`]; `Corrupt` or `NewerFormat` when what is in it cannot be read; `Io`.
    pub fn open_with(dir: &Path, options: Options) -> Result<Self, StoreError> {
        let directory = DataDir::open(dir)?;
        let path = directory.store();
        let exists = path.try_exists().map_err(|error| failed("look for the store", error.into()))?;
        if exists {
            journal::repair(&path, synced::known(&path))?;
        } else {
            // Created aside: a crash in the middle must not leave something that opens as an empty store, or not at all.
            let new = directory.store_new()?;
            open(&new, options).map_err(|error| failed("create the store", error))?;
            sync_names(&new)?;
            directory.publish_store()?;
        }
        let (database, [meta, rows, actors, index, conflicts, log]) =
            open(&path, options).map_err(|error| failed(&format!("open {}", path.display()), error))?;
        let synced = Synced::open(&path)?;
        let journals = (database.journal_count(), journal::newest(&path)?);
        // Opening creates the keyspaces that an older version did not have.
        sync_names(&path)?;
        let room = Room::new(path, options.min_free_bytes);
        let inner = Arc::new(Inner { database, meta, rows, actors, index, conflicts, log, directory });
        Ok(Self {
            inner,
            room,
            synced,
            journals,
            poisoned: None,
            #[cfg(test)]
            fail_next: false,
        })
    }

    /// The data directory, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.inner.directory.path()
    }

    /// Bytes that journal and tables take on disk. The journal in use counts whole, though it may be almost empty.
    ///
    /// # Errors
    /// `Io`.
    pub fn disk_bytes(&self) -> Result<u64, StoreError> {
        self.inner.database.disk_space().map_err(|error| failed("measure", error))
    }

    fn write(&mut self, batch: &Batch) -> fjall::Result<()> {
        #[cfg(test)]
        if self.fail_next {
            return Err(std::io::Error::other("injected").into());
        }
        let items = batch.rows.len() + batch.log.len();
        let mut write = fjall::OwnedWriteBatch::with_capacity(self.inner.database.clone(), items)
            .durability(Some(PersistMode::SyncData));
        for ((space, key), value) in &batch.rows {
            match value {
                Some(value) => write.insert(self.inner.keyspace(*space), key.as_slice(), value.as_slice()),
                None => write.remove(self.inner.keyspace(*space), key.as_slice()),
            }
        }
        for (index, record) in &batch.log {
            write.insert(&self.inner.log, index.to_be_bytes(), record.as_slice());
        }
        // The batch gets this number or, when work in the background takes some, a later one.
        let number = self.inner.database.seqno();
        self.look_at_journals();
        write.commit()?;
        self.synced.note(Mark { batch: number, journal: self.journals.1 });
        Ok(())
    }

    /// Where a later journal was begun unnoticed, an earlier one is remembered: no harm.
    fn look_at_journals(&mut self) {
        let count = self.inner.database.journal_count();
        if count != self.journals.0
            && let Ok(newest) = journal::newest(&self.inner.directory.store())
        {
            self.journals = (count, newest);
        }
    }
}

impl std::fmt::Debug for FjallStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields = ("path", self.path(), "poisoned", &self.poisoned);
        formatter.debug_struct("FjallStore").field(fields.0, &fields.1).field(fields.2, fields.3).finish()
    }
}

impl std::fmt::Debug for FjallSnapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("FjallSnapshot").field("path", &self.inner.directory.path()).finish_non_exhaustive()
    }
}

impl Inner {
    fn keyspace(&self, space: Space) -> &Keyspace {
        match space {
            Space::Meta => &self.meta,
            Space::Rows => &self.rows,
            Space::Actors => &self.actors,
            Space::Index => &self.index,
            Space::Conflicts => &self.conflicts,
        }
    }
}

/// Makes the names of journals and keyspaces durable. fjall syncs what is in a new keyspace's directory but not the
/// directory above: after a power loss the keyspace would be gone, and be created anew, empty.
fn sync_names(store: &Path) -> Result<(), StoreError> {
    sync_dir(&store.join("keyspaces"))?;
    sync_dir(store)
}

/// Opens a database and its keyspaces, creating what is missing. The names are part of the disk format.
fn open(path: &Path, options: Options) -> fjall::Result<(Database, [Keyspace; 6])> {
    let database = Database::builder(path)
        .cache_size(options.cache_bytes)
        .max_journaling_size(JOURNAL_BYTES)
        .worker_threads(options.workers.max(2))
        // Recovery compresses again to compare checksums: another version of the compressor would not get the same.
        .journal_compression(CompressionType::None)
        // Each batch says itself how durable it is to be.
        .manual_journal_persist(true)
        .open()?;
    let create = || {
        let compaction = Leveled::default().with_table_target_size(TABLE_BYTES);
        KeyspaceCreateOptions::default()
            .max_memtable_size(options.memtable_bytes)
            .compaction_strategy(Arc::new(compaction))
    };
    let meta = database.keyspace("meta", create)?;
    let rows = database.keyspace("rows", create)?;
    let actors = database.keyspace("actors", create)?;
    let index = database.keyspace("index", create)?;
    let conflicts = database.keyspace("conflicts", create)?;
    let log = database.keyspace("log", create)?;
    Ok((database, [meta, rows, actors, index, conflicts, log]))
}

impl Read for FjallSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if !limits::possible(key) {
            return Ok(None);
        }
        match self.state.get(self.inner.keyspace(space), key) {
            Ok(value) => Ok(value.map(|value| value.to_vec())),
            Err(error) => Err(failed(&format!("read {space:?}"), error)),
        }
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        match self.range(self.inner.keyspace(space), from, to) {
            Some(rows) => each(rows.map(fjall::Guard::into_inner), visit),
            None => Ok(()),
        }
        .map_err(|error| failed(&format!("scan {space:?}"), error))
    }

    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        match self.range(self.inner.keyspace(space), from, to) {
            Some(rows) => each(rows.rev().map(fjall::Guard::into_inner), visit),
            None => Ok(()),
        }
        .map_err(|error| failed(&format!("scan {space:?}"), error))
    }

    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut odd = false;
        let Some(rows) = self.range(&self.inner.log, &index.to_be_bytes(), &[]) else { return Ok(()) };
        each(rows.map(fjall::Guard::into_inner), &mut |key, record| match key.try_into() {
            Ok(index) => visit(u64::from_be_bytes(index), record),
            Err(_) => {
                odd = true;
                ControlFlow::Break(())
            }
        })
        .map_err(|error| failed("read the log", error))?;
        if odd { Err(StoreError::corrupt("a log record without an index")) } else { Ok(()) }
    }
}

impl FjallSnapshot {
    /// The rows with `from <= key < to`, or nothing if there can be none.
    fn range(&self, keyspace: &Keyspace, from: &[u8], to: &[u8]) -> Option<Iter> {
        if !to.is_empty() && from >= to {
            return None;
        }
        // Bounds may be longer than any key. The rows from there on are those after the longest key that begins so, and
        // the rows up to there include it.
        let (start, end) = (&from[..from.len().min(limits::KEY_MAX)], &to[..to.len().min(limits::KEY_MAX)]);
        let lower = match start {
            [] => Bound::Unbounded,
            _ if start.len() < from.len() => Bound::Excluded(start),
            _ => Bound::Included(start),
        };
        let upper = match end {
            [] => Bound::Unbounded,
            _ if start == end => return None,
            _ if end.len() < to.len() => Bound::Included(end),
            _ => Bound::Excluded(end),
        };
        Some(self.state.range::<&[u8], _>(keyspace, (lower, upper)))
    }
}

/// Hands rows to a visitor until it has had enough.
fn each(rows: impl Iterator<Item = fjall::Result<fjall::KvPair>>, visit: Visit<'_>) -> fjall::Result<()> {
    for row in rows {
        let (key, value) = row?;
        if visit(&key, &value).is_break() {
            break;
        }
    }
    Ok(())
}

impl Read for FjallStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.snapshot().get(space, key)
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.snapshot().scan(space, from, to, visit)
    }

    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.snapshot().scan_back(space, from, to, visit)
    }

    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.snapshot().log(index, visit)
    }
}

impl Store for FjallStore {
    type Snapshot = FjallSnapshot;

    fn snapshot(&self) -> FjallSnapshot {
        FjallSnapshot { state: self.inner.database.snapshot(), inner: Arc::clone(&self.inner) }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if let Some(why) = &self.poisoned {
            return Err(StoreError::new(StoreErrorKind::Poisoned, why));
        }
        if batch.is_empty() {
            return Ok(());
        }
        limits::check(batch)?;
        self.room.check(batch)?;
        self.write(batch).map_err(|error| {
            let error = failed("commit", error);
            self.poisoned = Some(error.what.clone());
            error
        })
    }
}

/// An error of fjall in our classes.
fn failed(action: &str, error: fjall::Error) -> StoreError {
    let kind = match &error {
        fjall::Error::Io(_) | fjall::Error::Storage(LsmError::Io(_)) => StoreErrorKind::Io,
        fjall::Error::Locked => StoreErrorKind::InUse,
        // Work in the background failed; fjall says no more than this.
        fjall::Error::Poisoned => StoreErrorKind::Poisoned,
        _ => StoreErrorKind::Corrupt,
    };
    let what = match &error {
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => format!("cannot {action}: {error}"),
        fjall::Error::Poisoned => format!("cannot {action}: flush or compaction failed before"),
        other => format!("cannot {action}: {other}"),
    };
    StoreError::new(kind, what)
}

#[cfg(test)]
#[path = "fjall_store_test.rs"]
mod tests;
