//! The segments that there are, as readers of the log see them.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use anabranch_engine::store::StoreError;

use super::at;
use super::frame::{self, HEAD, Head};
use super::segment::{START, Segment};
use crate::directory::io_error;

/// Between two marks lie at least so many bytes: what finding a record reads in vain, at most, beside its frame.
const MARK_EVERY: u64 = 16 << 10;

/// How much of a frame is read to know its first log index: its head and two numbers.
const PEEK: usize = HEAD + 20;

/// All segments, in order.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    list: RwLock<Vec<Arc<Listed>>>,
}

impl Segments {
    pub(crate) fn new(list: Vec<Arc<Listed>>) -> Self {
        Self { list: RwLock::new(list) }
    }

    pub(crate) fn push(&self, listed: Listed) {
        self.list.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(listed));
    }

    /// Those that may hold log records from `index` on, up to the segment with that ordinal.
    pub(crate) fn from(&self, index: u64, ordinal: u64) -> Vec<Arc<Listed>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let begin = list.partition_point(|listed| listed.first <= index).saturating_sub(1);
        list[begin..].iter().take_while(|listed| listed.ordinal <= ordinal).cloned().collect()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.list.read().unwrap_or_else(PoisonError::into_inner).iter().map(|listed| listed.size).sum()
    }
}

/// A segment that has frames, or gets the next one.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) ordinal: u64,
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    pub(crate) salt: u64,
    /// The log index of its first record, or of the next to come.
    pub(crate) first: u64,
    marks: Mutex<Marks>,
}

/// Where some frames begin, as far as somebody looked.
#[derive(Debug)]
struct Marks {
    /// Log index and offset, both ascending.
    list: Vec<(u64, u64)>,
    /// The offset up to which frames were looked at.
    known: u64,
}

impl Listed {
    pub(crate) fn new(segment: &Segment, first: u64) -> Self {
        Self {
            ordinal: segment.ordinal,
            path: segment.path.clone(),
            size: segment.size,
            salt: segment.salt,
            first,
            marks: Mutex::new(Marks { list: vec![(first, START)], known: START }),
        }
    }

    pub(crate) fn open(&self) -> Result<File, StoreError> {
        File::open(&self.path).map_err(|error| io_error(&self.path, &error))
    }

    /// The error for a frame that is not right.
    pub(crate) fn damaged(&self, at: u64) -> StoreError {
        StoreError::corrupt(format!("{} is damaged at byte {at}", self.path.display()))
    }

    /// Where to begin looking for the log record `index`, in a segment that is filled up to `limit`.
    pub(crate) fn find(&self, file: &File, index: u64, limit: u64) -> Result<u64, StoreError> {
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        while marks.known < limit && marks.list.last().is_none_or(|(mark, _)| *mark <= index) {
            if !self.look(file, &mut marks, limit)? {
                break;
            }
        }
        let after = marks.list.partition_point(|(mark, _)| *mark <= index);
        Ok(marks.list[after.saturating_sub(1)].1)
    }

    /// Looks at one more frame; `false` when there is none.
    fn look(&self, file: &File, marks: &mut Marks, limit: u64) -> Result<bool, StoreError> {
        let mut bytes = [0; PEEK];
        let read = at::read(file, &mut bytes, marks.known).map_err(|error| io_error(&self.path, &error))?;
        let Some(head) = Head::read(&bytes[..read], self.salt) else { return Ok(false) };
        let Ok((index, _, _)) = frame::start(&bytes[HEAD..read.min(head.length)]) else { return Ok(false) };
        let last = marks.list.last().map_or(START, |(_, offset)| *offset);
        if marks.known >= last + MARK_EVERY {
            marks.list.push((index, marks.known));
        }
        marks.known = (marks.known + head.length as u64).min(limit);
        Ok(true)
    }
}
