//! The end of the log, in memory: what peers that keep up are sent without reading the disk.

use anabranch_causality::Dot;
use std::collections::VecDeque;

const MAX_BYTES: usize = 8 << 20;

/// One transaction of the log.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) dot: Dot,
    pub(crate) bytes: Vec<u8>,
}

/// The newest transactions that are on disk, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    entries: VecDeque<Entry>,
    bytes: usize,
}

impl Tail {
    /// Appends the log's next transaction; the oldest make room.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes.len();
        self.entries.push_back(entry);
        while self.bytes > MAX_BYTES && self.entries.len() > 1 {
            if let Some(oldest) = self.entries.pop_front() {
                self.bytes -= oldest.bytes.len();
            }
        }
    }

    /// The transaction at a log index, if it is here.
    pub(crate) fn get(&self, index: u64) -> Option<&Entry> {
        let first = self.entries.front()?.index;
        self.entries.get(usize::try_from(index.checked_sub(first)?).ok()?)
    }
}
