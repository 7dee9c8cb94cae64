//! The log on disk: what makes a batch durable, and what peers and watches are sent from.
//!
//! A batch is one [frame]: its log records, and the rows that it changes. Frames fill [segments](segment), which are written with zeros in
//! advance; one `fdatasync` makes a frame durable. Rows go to tables later: until then a crash replays them [from here](recovery).

mod at;
pub(crate) mod frame;
mod listed;
pub(crate) mod position;
mod reader;
mod recovery;
mod segment;
mod syncer;

use std::collections::VecDeque;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use anabranch_engine::store::{Batch, StoreError, StoreErrorKind};

use crate::directory::{io_error, sync_dir};
use frame::Frame;
use listed::{Listed, Segments};
use position::Position;
use reader::End;
use segment::{START, Segment};
use syncer::Syncer;

/// From so many rows on, putting them into a memtable takes longer than to have another thread sync meanwhile.
const MANY_ROWS: usize = 64;

/// The log, for its only writer.
#[derive(Debug)]
pub(crate) struct Log {
    dir: PathBuf,
    segments: Arc<Segments>,
    current: Segment,
    end: Position,
    /// Empty segments that an earlier opening made in advance.
    spare: VecDeque<Segment>,
    /// The next segment is being made.
    making: Option<JoinHandle<Result<Segment, StoreError>>>,
    next_ordinal: u64,
    buffer: Vec<u8>,
    syncer: Syncer,
}

/// The log as it was at one moment, for readers.
#[derive(Clone, Debug)]
pub(crate) struct LogView {
    segments: Arc<Segments>,
    end: End,
}

impl Log {
    /// Creates an empty log in `dir`, which must not exist, durably.
    ///
    /// # Errors
    /// `Full` or `Io`.
    pub(crate) fn create(dir: &Path) -> Result<(), StoreError> {
        fs::create_dir(dir).map_err(|error| io_error(dir, &error))?;
        Segment::create(dir, 0, 0)?;
        dir.parent().map_or(Ok(()), sync_dir)
    }

    /// Opens the log in `dir`. Each frame from `from` on is handed to `each`, with the position after it.
    ///
    /// # Errors
    /// `Corrupt`, naming file and position, when a frame before the last is damaged; `NewerFormat`; `Io`; what `each` says.
    pub(crate) fn open(
        dir: &Path,
        from: Option<Position>,
        each: &mut dyn FnMut(&Frame<'_>, Position) -> Result<(), StoreError>,
    ) -> Result<Self, StoreError> {
        let found = recovery::open(dir, from, each)?;
        Ok(Self {
            dir: dir.to_owned(),
            segments: Arc::new(found.segments),
            current: found.current,
            end: found.end,
            spare: found.spare,
            making: None,
            next_ordinal: found.next_ordinal,
            buffer: Vec::new(),
            syncer: Syncer::default(),
        })
    }

    /// Appends a batch, and does `beside` when it is written, at the same time as it is synced where that pays. When this returns, the batch
    /// is durable and `beside` is done.
    ///
    /// # Errors
    /// `Full`, with nothing changed and nothing done beside; others leave it unknown whether the batch is on disk.
    pub(crate) fn append(&mut self, batch: &Batch, beside: impl FnOnce()) -> Result<Position, StoreError> {
        self.encode(batch)?;
        while self.current.size - self.end.offset < self.buffer.len() as u64 {
            self.advance()?;
            // Salts differ.
            self.encode(batch)?;
        }
        let file = &self.current.file;
        let written = at::write(file, &self.buffer, self.end.offset).and_then(|()| {
            if batch.rows.len() < MANY_ROWS {
                beside();
                file.sync_data()
            } else {
                self.syncer.sync(file, beside)
            }
        });
        written.map_err(|error| io_error(&self.current.path, &error))?;
        self.end.offset += self.buffer.len() as u64;
        self.end.number += 1;
        self.end.index = batch.log.last().map_or(self.end.index, |(index, _)| index + 1);
        self.look_ahead();
        Ok(self.end)
    }

    fn encode(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if let Some((index, _)) = batch.log.first().filter(|(index, _)| *index < self.end.index) {
            return Err(StoreError::new(StoreErrorKind::Io, format!("log record {index} is there already")));
        }
        frame::encode(&mut self.buffer, batch, (self.end.number, self.end.index, self.current.salt))
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        let next = self.next_segment()?;
        (self.end.ordinal, self.end.offset) = (next.ordinal, START);
        self.segments.push(Listed::new(&next, self.end.index));
        self.current = next;
        Ok(())
    }

    /// The segment that was made in advance. Where that failed, or none was, one that has room for the frame at hand.
    fn next_segment(&mut self) -> Result<Segment, StoreError> {
        if let Some(spare) = self.spare.pop_front() {
            return Ok(spare);
        }
        if let Some(Ok(Ok(made))) = self.making.take().map(JoinHandle::join) {
            self.next_ordinal += 1;
            return Ok(made);
        }
        let made = Segment::create(&self.dir, self.next_ordinal, self.buffer.len() as u64)?;
        self.next_ordinal += 1;
        Ok(made)
    }

    /// Has the next segment made when this one is half full.
    fn look_ahead(&mut self) {
        if self.end.offset < self.current.size / 2 || !self.spare.is_empty() || self.making.is_some() {
            return;
        }
        let (dir, ordinal) = (self.dir.clone(), self.next_ordinal);
        let named = std::thread::Builder::new().name("anabranch-log".to_owned());
        // Without a thread it is made when it is needed.
        self.making = named.spawn(move || Segment::create(&dir, ordinal, 0)).ok();
    }

    /// The log as it is now.
    pub(crate) fn view(&self) -> LogView {
        LogView { segments: self.segments.clone(), end: self.end.into() }
    }

    /// Bytes of the files.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.bytes()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if let Some(making) = self.making.take() {
            // Else it could be at work when the directory is somebody else's. The segment is found by who opens it.
            let _ = making.join();
        }
    }
}

impl LogView {
    /// Visits log records from `index` on, ascending.
    ///
    /// # Errors
    /// `Corrupt`, naming file and position; `Io`.
    pub(crate) fn read(
        &self,
        index: u64,
        visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        reader::read(&self.segments, self.end, index, visit)
    }
}

#[cfg(test)]
#[path = "log_test.rs"]
mod tests;
