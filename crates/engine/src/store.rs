//! The store that the engine needs: ordered spaces of small rows, an append-only log, atomic durable batches.
//!
//! The engine hands over transactions, rows and clocks **together**, in one [`Batch`]; how a store makes the batch
//! atomic and durable is its own affair. Reads are synchronous and see only what was committed.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A family of rows with one ordered key space. The number is part of the disk format: append only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Space {
    /// Version vector, own identity, digests, collections, origins: few and small.
    Meta = 1,
    /// The state of all collections.
    Rows = 2,
    /// Operation ids that were applied.
    Actors = 3,
    /// Where in the log an origin's transactions are.
    Index = 4,
    /// Where conflicts are open, and what was decided: derived from the rows, not replicated.
    Conflicts = 5,
}

impl Space {
    /// Every space, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::Meta, Self::Rows, Self::Actors, Self::Index, Self::Conflicts];
}

/// What one atomic, durable step changes. Either all of it is there after a crash, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Log records to append: the index, which grows by one from record to record, and the bytes.
    pub log: Vec<(u64, Vec<u8>)>,
    /// Rows to put (`Some`) or to delete (`None`).
    pub rows: BTreeMap<(Space, Vec<u8>), Option<Vec<u8>>>,
}

impl Batch {
    /// Whether there is nothing to commit.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.log.is_empty() && self.rows.is_empty()
    }
}

/// Called for each row of a scan, in order; `Break` ends the scan early.
pub type Visit<'a> = &'a mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Reads from one consistent state.
pub trait Read {
    /// The value under `key`, if there is one.
    ///
    /// # Errors
    /// [`StoreError`] when the medium fails or its content is damaged.
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Hands the value under `key` to `see`, if there is one: [`Read::get`] without a copy, where the store can.
    ///
    /// # Errors
    /// As [`Read::get`].
    fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        if let Some(value) = self.get(space, key)? {
            see(&value);
        }
        Ok(())
    }

    /// Visits all rows with `from <= key < to` in ascending order. An empty `to` means "to the end".
    ///
    /// # Errors
    /// As [`Read::get`].
    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError>;

    /// As [`Read::scan`], in descending order.
    ///
    /// # Errors
    /// As [`Read::get`].
    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError>;

    /// Visits log records from `index` on, ascending.
    ///
    /// # Errors
    /// As [`Read::get`].
    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError>;
}

/// [`Read::get`] for those whose own part is [`Read::look`].
///
/// # Errors
/// As [`Read::look`].
pub fn get_by_look(read: &dyn Read, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let mut found = None;
    read.look(space, key, &mut |value| found = Some(value.to_vec()))?;
    Ok(found)
}

/// A place that keeps batches. There is one writer: `commit` takes `&mut self`.
pub trait Store: Read + Send {
    /// A consistent state that later commits do not change, cheap to make and to share between threads.
    type Snapshot: Read + Send + Sync + 'static;

    /// The committed state as it is now.
    fn snapshot(&self) -> Self::Snapshot;

    /// Makes the batch durable, whole. When this returns `Ok`, the batch survives any crash.
    ///
    /// # Errors
    /// After an error nothing of the batch is visible in this process, but whether it is on disk is unknown. A store
    /// that failed once stays failed ([`StoreErrorKind::Poisoned`]) until it is opened again: a sync is never retried.
    /// The exception is [`StoreErrorKind::Full`], which is found before anything is written.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;
}

/// What went wrong in the store, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {what}")]
pub struct StoreError {
    /// The class, for deciding what to do next.
    pub kind: StoreErrorKind,
    /// What happened, with the path or the row it happened to.
    pub what: String,
}

impl StoreError {
    /// An error of that kind.
    #[must_use]
    pub fn new(kind: StoreErrorKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }

    /// A row or record that cannot be what the engine wrote.
    #[must_use]
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self::new(StoreErrorKind::Corrupt, what)
    }
}

/// Classes of store errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreErrorKind {
    /// Another process has the data directory open.
    #[error("data directory in use")]
    InUse,
    /// The directory holds something that is not ours.
    #[error("not an Anabranch data directory")]
    Foreign,
    /// Written by a newer version of the format.
    #[error("newer format")]
    NewerFormat,
    /// The content contradicts itself.
    #[error("damaged data")]
    Corrupt,
    /// No space left.
    #[error("disk full")]
    Full,
    /// An earlier error left the state on disk unknown; open the store again.
    #[error("store failed earlier")]
    Poisoned,
    /// The operating system refused.
    #[error("input/output error")]
    Io,
}
