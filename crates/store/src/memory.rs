//! A store in memory that models a disk: what was not synced is gone after a crash.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anabranch_engine::store::{Batch, Read, Space, Store, StoreError, StoreErrorKind, Visit};

use crate::cow::CowMap;
use crate::limits;

/// The log is a family of rows like the spaces, under the index in big-endian bytes.
const LOG: usize = Space::ALL.len();
const FAMILIES: usize = LOG + 1;

/// How much a [`MemoryStore`] and its snapshots have done, for tests which assert that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches written successfully, synced or not.
    pub commits: u64,
    /// Successful syncs.
    pub syncs: u64,
    /// Calls of `get`.
    pub gets: u64,
    /// Rows and log records handed to the visitor of a scan.
    pub rows: u64,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    syncs: AtomicU64,
    gets: AtomicU64,
    rows: AtomicU64,
}

/// A copy of what was on the disk. Cheap to take and to keep: it shares what did not change since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    families: [CowMap; FAMILIES],
}

/// A consistent state of a [`MemoryStore`]. Outlives changes, crashes and the store.
#[derive(Clone, Debug, Default)]
pub struct MemorySnapshot {
    image: Image,
    counters: Arc<Counters>,
}

/// What was in a family under a key before an unsynced write.
type Undo = (usize, Vec<u8>, Option<Arc<[u8]>>);

/// The fault that the next write runs into.
#[derive(Debug)]
struct Fault {
    kind: StoreErrorKind,
    on_disk: bool,
}

/// A store in memory, for tests and simulations.
///
/// [`Store::commit`] is [`MemoryStore::write`] followed by [`MemoryStore::sync`]. In between, the batch is visible in
/// this process but a [`MemoryStore::crash`] forgets it, whole.
#[derive(Debug, Default)]
pub struct MemoryStore {
    now: MemorySnapshot,
    /// Undoes, from back to front, all that was written since the last sync.
    unsynced: Vec<Undo>,
    poisoned: Option<String>,
    fault: Option<Fault>,
    /// A batch that was reported as failed but did reach the disk: it is there after the next crash.
    surprise: Option<Batch>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes a batch: visible in this process from now on, durable only after [`MemoryStore::sync`].
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.may_write(batch)?;
        apply(&mut self.now.image, batch, |family, key, before| self.unsynced.push((family, key.to_vec(), before)));
        self.now.counters.commits.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn may_write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.usable()?;
        limits::check(batch)?;
        self.fault.take().map_or(Ok(()), |fault| Err(self.run_into(&fault, batch)))
    }

    /// Makes everything durable that was written so far.
    ///
    /// # Errors
    /// `Poisoned` after an earlier error.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.usable()?;
        self.unsynced.clear();
        self.now.counters.syncs.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Forgets all that was not synced. Afterwards the store is as if freshly opened: not poisoned, no fault pending.
    /// The counts go on.
    pub fn crash(&mut self) {
        undo(&mut self.now.image, &mut self.unsynced);
        self.poisoned = None;
        self.fault = None;
        if let Some(batch) = self.surprise.take() {
            apply_for_good(&mut self.now.image, &batch);
        }
    }

    /// What is on the disk now: the synced state.
    #[must_use]
    pub fn image(&self) -> Image {
        let mut image = self.now.image.clone();
        undo(&mut image, &mut self.unsynced.clone());
        image
    }

    /// Replaces the disk by an earlier one, as when a machine is restored from a copy. As after [`MemoryStore::crash`],
    /// the store is freshly opened.
    pub fn roll_back(&mut self, image: Image) {
        self.surprise = None;
        self.crash();
        self.now.image = image;
    }

    /// Lets the next write or commit fail with this kind. Nothing of it will be there, not even after a crash. Any kind
    /// but [`StoreErrorKind::Full`] poisons the store.
    pub fn fail_next_commit(&mut self, kind: StoreErrorKind) {
        self.fault = Some(Fault { kind, on_disk: false });
    }

    /// As [`MemoryStore::fail_next_commit`], but the batch did reach the disk, as when only the confirmation got lost:
    /// invisible in this process, it is there after the next [`MemoryStore::crash`].
    pub fn fail_next_commit_on_disk(&mut self, kind: StoreErrorKind) {
        self.fault = Some(Fault { kind, on_disk: true });
    }

    /// What this store and its snapshots have done since it was made, or since [`MemoryStore::reset_counts`].
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = &self.now.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            commits: read(&counters.commits),
            syncs: read(&counters.syncs),
            gets: read(&counters.gets),
            rows: read(&counters.rows),
        }
    }

    /// Sets all counts to zero.
    pub fn reset_counts(&self) {
        let counters = &self.now.counters;
        for counter in [&counters.commits, &counters.syncs, &counters.gets, &counters.rows] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// The number of rows in a space, for tests.
    #[must_use]
    pub fn len(&self, space: Space) -> usize {
        self.now.image.families[family(space)].len()
    }

    /// Whether there is neither a row nor a log record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.now.image.families.iter().all(|family| family.len() == 0)
    }

    fn usable(&self) -> Result<(), StoreError> {
        self.poisoned.as_ref().map_or(Ok(()), |why| Err(StoreError::new(StoreErrorKind::Poisoned, why)))
    }

    fn run_into(&mut self, fault: &Fault, batch: &Batch) -> StoreError {
        let mut what = String::from("injected");
        if fault.kind != StoreErrorKind::Full {
            if fault.on_disk {
                // The disk takes writes in order: what was written before is there as well.
                self.unsynced.clear();
                self.surprise = Some(batch.clone());
            }
            // Writing to a String cannot fail.
            let _ = write!(what, " ({} rows, {} log records)", batch.rows.len(), batch.log.len());
            self.poisoned = Some(what.clone());
        }
        StoreError::new(fault.kind, what)
    }
}

fn family(space: Space) -> usize {
    match space {
        Space::Meta => 0,
        Space::Rows => 1,
        Space::Actors => 2,
        Space::Index => 3,
        Space::Conflicts => 4,
    }
}

/// Changes the image; `changed` hears family, key and what was there before.
fn apply(image: &mut Image, batch: &Batch, mut changed: impl FnMut(usize, &[u8], Option<Arc<[u8]>>)) {
    for_each(batch, |family, key, value| {
        let before = image.families[family].set(key, value);
        changed(family, key, before);
    });
}

/// Changes the image for good.
fn apply_for_good(image: &mut Image, batch: &Batch) {
    for_each(batch, |family, key, value| image.families[family].put(key, value));
}

/// What a batch puts or deletes: family, key, value.
fn for_each(batch: &Batch, mut change: impl FnMut(usize, &[u8], Option<&[u8]>)) {
    for ((space, key), value) in &batch.rows {
        change(family(*space), key, value.as_deref());
    }
    for (index, record) in &batch.log {
        change(LOG, &index.to_be_bytes(), Some(record));
    }
}

fn undo(image: &mut Image, unsynced: &mut Vec<Undo>) {
    while let Some((family, key, before)) = unsynced.pop() {
        image.families[family].set(&key, before.as_deref());
    }
}

impl MemorySnapshot {
    fn visit(&self, family: usize, from: &[u8], to: &[u8], back: bool, visit: Visit<'_>) {
        self.image.families[family].scan(from, to, back, &mut |key, value| {
            self.counters.rows.fetch_add(1, Ordering::Relaxed);
            visit(key, value)
        });
    }
}

impl Read for MemorySnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.counters.gets.fetch_add(1, Ordering::Relaxed);
        Ok(self.image.families[family(space)].get(key).map(|value| value.to_vec()))
    }

    fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        self.counters.gets.fetch_add(1, Ordering::Relaxed);
        if let Some(value) = self.image.families[family(space)].get(key) {
            see(value);
        }
        Ok(())
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.visit(family(space), from, to, false, visit);
        Ok(())
    }

    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.visit(family(space), from, to, true, visit);
        Ok(())
    }

    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut odd = false;
        self.visit(LOG, &index.to_be_bytes(), &[], false, &mut |key, record| match key.try_into() {
            Ok(index) => visit(u64::from_be_bytes(index), record),
            Err(_) => {
                odd = true;
                ControlFlow::Break(())
            }
        });
        if odd { Err(StoreError::corrupt("a log record without an index")) } else { Ok(()) }
    }
}

impl Read for MemoryStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.now.get(space, key)
    }

    fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        self.now.look(space, key, see)
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.now.scan(space, from, to, visit)
    }

    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.now.scan_back(space, from, to, visit)
    }

    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.now.log(index, visit)
    }
}

impl Store for MemoryStore {
    type Snapshot = MemorySnapshot;

    fn snapshot(&self) -> MemorySnapshot {
        self.now.clone()
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.may_write(batch)?;
        // As writing and syncing, but nobody can come in between: nothing has to be undone.
        apply_for_good(&mut self.now.image, batch);
        self.now.counters.commits.fetch_add(1, Ordering::Relaxed);
        self.sync()
    }
}

#[cfg(test)]
#[path = "memory_test.rs"]
mod tests;
