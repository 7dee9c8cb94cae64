//! The store on disk: batches become durable in the [log](crate::log), rows are looked up in a [tree](crate::rows).

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use anabranch_engine::store::{Batch, Read, Space, Store, StoreError, StoreErrorKind, Visit, get_by_look};

use crate::directory::{DataDir, sync_dir};
use crate::limits;
use crate::log::{Log, LogView};
use crate::options::Options;
use crate::room::Room;
use crate::rows::{Rows, RowsView};

const ROWS: &str = "rows";
const LOG: &str = "log";

/// A store on disk. Every commit is one frame of the log, synced before it becomes visible.
pub struct DiskStore {
    rows: Rows,
    /// The rows as of the last batch that is durable.
    shown: RowsView,
    log: Log,
    room: Room,
    poisoned: Option<String>,
    /// Released last.
    directory: Arc<DataDir>,
    #[cfg(test)]
    pub(crate) fail_next: bool,
}

/// A consistent state of a [`DiskStore`]. While one exists, what it sees is kept on disk, and the data directory stays
/// in use even after the store was dropped: make it short-lived.
#[derive(Clone)]
pub struct DiskSnapshot {
    rows: RowsView,
    log: LogView,
    directory: Arc<DataDir>,
}

impl DiskStore {
    /// Opens the store in a data directory with default [`Options`], creating both where they are missing.
    ///
    /// # Errors
    /// As [`DiskStore::open_with`].
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
        let exists = path.try_exists().map_err(|error| crate::directory::io_error(&path, &error))?;
        if !exists {
            // Created aside: a crash in the middle must not leave something that opens as an empty store, or not at all.
            let new = directory.store_new()?;
            drop(Rows::open(&new.join(ROWS), options)?);
            Log::create(&new.join(LOG))?;
            sync_dir(&new.join(ROWS))?;
            sync_dir(&new)?;
            directory.publish_store()?;
        }
        let mut rows = Rows::open(&path.join(ROWS), options)?;
        let from = rows.position()?;
        let log = Log::open(&path.join(LOG), from, &mut |frame, position| {
            let mut changes = Vec::new();
            let visited = frame.visit_rows(&mut |space, key, value| changes.push((space, key, value)));
            visited.map_err(|error| StoreError::corrupt(format!("frame {} of the log: {error}", frame.number)))?;
            rows.insert(changes.into_iter());
            rows.publish(position)
        })?;
        Ok(Self {
            shown: rows.view(),
            rows,
            log,
            room: Room::new(path, options.min_free_bytes),
            poisoned: None,
            directory: Arc::new(directory),
            #[cfg(test)]
            fail_next: false,
        })
    }

    /// The data directory, as an absolute path.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Bytes that tables and log take on disk, with what of the log is written in advance.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.rows.bytes() + self.log.bytes()
    }

    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let rows = batch.rows.iter().map(|((space, key), value)| (*space, key.as_slice(), value.as_deref()));
        #[cfg(test)]
        if self.fail_next {
            // As when the sync fails.
            self.rows.insert(rows);
            return Err(StoreError::new(StoreErrorKind::Io, "injected"));
        }
        let position = self.log.append(batch, || self.rows.insert(rows))?;
        // Only now: what is visible, or in a table, must never be ahead of the log.
        self.rows.publish(position)?;
        self.shown = self.rows.view();
        Ok(())
    }
}

impl std::fmt::Debug for DiskStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields = ("path", self.path(), "poisoned", &self.poisoned);
        formatter.debug_struct("DiskStore").field(fields.0, &fields.1).field(fields.2, fields.3).finish()
    }
}

impl std::fmt::Debug for DiskSnapshot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("DiskSnapshot").field("path", &self.directory.path()).finish_non_exhaustive()
    }
}

impl Read for DiskSnapshot {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get_by_look(self, space, key)
    }

    fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        self.rows.look(space, key, see)
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.rows.scan(space, from, to, visit)
    }

    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.rows.scan_back(space, from, to, visit)
    }

    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.log.read(index, visit)
    }
}

impl Read for DiskStore {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get_by_look(self, space, key)
    }

    fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        match self.poisoned {
            None => self.rows.look(space, key, see),
            // Rows of the batch that failed may be there.
            Some(_) => self.shown.look(space, key, see),
        }
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.shown.scan(space, from, to, visit)
    }

    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.shown.scan_back(space, from, to, visit)
    }

    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.log.view().read(index, visit)
    }
}

impl Store for DiskStore {
    type Snapshot = DiskSnapshot;

    fn snapshot(&self) -> DiskSnapshot {
        DiskSnapshot { rows: self.shown.clone(), log: self.log.view(), directory: self.directory.clone() }
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if let Some(why) = &self.poisoned {
            return Err(StoreError::new(StoreErrorKind::Poisoned, why));
        }
        if batch.is_empty() {
            return Ok(());
        }
        let size = limits::check(batch)?;
        self.room.check(size)?;
        self.write(batch).inspect_err(|error| {
            // Found before anything was written.
            if error.kind != StoreErrorKind::Full {
                self.poisoned = Some(error.what.clone());
            }
        })
    }
}

#[cfg(test)]
#[path = "disk_store_test.rs"]
mod tests;
