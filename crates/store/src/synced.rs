//! What the journals must hold at least, kept beside them: the number of a batch that was synced.
//!
//! A journal that loses its end looks like one whose last batch was torn by a crash. So the number of each batch is written
//! here *after* the journal was synced, and not synced itself: that costs a write into the page cache. After a power loss it
//! may be an older number, or unreadable; it is never one whose batch was not durable before.
//!
//! With it goes the number of a journal that was there by then. Journals go in order, and only when tables hold all that is in
//! them: while that one or any earlier batch is there, so is the batch.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use anabranch_engine::store::StoreError;
use xxhash_rust::xxh3::xxh3_64;

use crate::directory::io_error;

/// Name of the file in `store/`. fjall leaves alone what is no journal of its own.
pub(crate) const SYNCED: &str = "synced";
/// The two numbers, and a checksum.
const BYTES: usize = 24;

/// What was durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// A number that some batch has reached.
    pub(crate) batch: u64,
    /// A journal not after the one that has the batch.
    pub(crate) journal: u64,
}

/// The file, open for writing.
#[derive(Debug)]
pub(crate) struct Synced {
    file: File,
}

impl Synced {
    /// Opens the file, creating it where it is missing.
    ///
    /// # Errors
    /// `Io`.
    pub(crate) fn open(store: &Path) -> Result<Self, StoreError> {
        let path = store.join(SYNCED);
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        opened.map(|file| Self { file }).map_err(|error| io_error(&path, &error))
    }

    /// Notes what is durable. Where that fails, less is known: no harm.
    pub(crate) fn note(&self, mark: Mark) {
        let _ = write(&self.file, &encode(mark));
    }
}

/// What was durable, as far as that is known.
pub(crate) fn known(store: &Path) -> Option<Mark> {
    decode(&std::fs::read(store.join(SYNCED)).ok()?)
}

#[cfg(unix)]
fn write(file: &File, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, 0)
}

#[cfg(not(unix))]
fn write(mut file: &File, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek as _, Write as _};
    file.rewind()?;
    file.write_all(bytes)
}

fn encode(mark: Mark) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&mark.batch.to_le_bytes());
    bytes[8..16].copy_from_slice(&mark.journal.to_le_bytes());
    let sum = xxh3_64(&bytes[..16]);
    bytes[16..].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<Mark> {
    let number = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let mark = Mark { batch: number(0)?, journal: number(8)? };
    (bytes == encode(mark)).then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_known_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(known(dir.path()), None);
        let synced = Synced::open(dir.path()).expect("a file");
        assert_eq!(known(dir.path()), None);
        for mark in [(7, 0), (300, 2), (u64::MAX, u64::MAX)].map(|(batch, journal)| Mark { batch, journal }) {
            synced.note(mark);
            assert_eq!(known(dir.path()), Some(mark));
        }
        let whole = std::fs::read(dir.path().join(SYNCED)).expect("a file");
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 4;
            assert_eq!((decode(&damaged), decode(&whole[..at])), (None, None), "byte {at}");
        }
    }
}
