//! A segment: a file of fixed size, written with zeros in advance, that frames fill from the beginning.
//!
//! | bytes | |
//! |---|---|
//! | 0 to 7 | `anabrlog` |
//! | 8 to 11 | version `u32`: 1 |
//! | 12 to 15 | zeros |
//! | 16 to 23 | ordinal `u64`: counts segments from 0 on |
//! | 24 to 31 | size of the file in bytes, `u64` |
//! | 32 to 39 | salt `u64`: random, so that nobody can write a value that looks like a frame |
//! | 40 to 47 | xxh3 of all before |
//! | 64 | the first frame |
//!
//! Written in advance, for a sync then need not write where the file's blocks are. A file of another length than its head says is damaged.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anabranch_causality::{Reader, Writer};
use anabranch_engine::store::{StoreError, StoreErrorKind};
use xxhash_rust::xxh3::xxh3_64;

use super::at;
use crate::directory::{io_error, sync_dir};

/// Where the first frame begins.
pub(crate) const START: u64 = 64;

const MAGIC: &[u8; 8] = b"anabrlog";
const VERSION: u32 = 1;
const ENDING: &str = "seg";
const ENDING_NEW: &str = "seg.new";

/// The size of the first segment, and of those from the seventh on.
const SMALLEST: u64 = 256 << 10;
const DOUBLINGS: u64 = 6;

/// Zeros are written, and synced, so many at a time: in between the log's own syncs get their turn.
const PIECE: usize = 1 << 20;

/// An opened segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) ordinal: u64,
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    pub(crate) size: u64,
    pub(crate) salt: u64,
}

impl Segment {
    /// Creates a segment that has room for a frame of `least` bytes. When this returns, it is durable.
    ///
    /// # Errors
    /// `Full` when the file system has no room; `Io`.
    pub(crate) fn create(dir: &Path, ordinal: u64, least: u64) -> Result<Self, StoreError> {
        let size = (SMALLEST << ordinal.min(DOUBLINGS)).max((START + least).next_multiple_of(4096));
        let new = dir.join(format!("{ordinal:08x}.{ENDING_NEW}"));
        let path = dir.join(format!("{ordinal:08x}.{ENDING}"));
        let salt = salt().map_err(|error| io_error(&new, &error))?;
        let made = fill(&new, &head(ordinal, size, salt), size).and_then(|file| {
            fs::rename(&new, &path)?;
            Ok(file)
        });
        let file = made.map_err(|error| {
            // Half a segment would take the room that others wait for; what is left is replaced next time.
            let _ = fs::remove_file(&new);
            match error.kind() {
                io::ErrorKind::StorageFull => {
                    StoreError::new(StoreErrorKind::Full, format!("{}: {error}", new.display()))
                }
                _ => io_error(&new, &error),
            }
        })?;
        sync_dir(dir)?;
        Ok(Self { ordinal, path, file: Arc::new(file), size, salt })
    }

    /// Opens a segment.
    ///
    /// # Errors
    /// `Corrupt`, naming the file, when it is not what was created; `NewerFormat`; `Io`.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(|error| io_error(path, &error))?;
        let mut head = [0; START as usize];
        at::read(&file, &mut head, 0).map_err(|error| io_error(path, &error))?;
        let length = file.metadata().map_err(|error| io_error(path, &error))?.len();
        let (ordinal, size, salt) = read_head(path, &head)?;
        if length != size {
            let what = format!("{} has {length} bytes, {size} were written", path.display());
            return Err(StoreError::corrupt(what));
        }
        Ok(Self { ordinal, path: path.to_owned(), file: Arc::new(file), size, salt })
    }
}

/// The segments in a directory, by their names; what a crash left of making one is removed.
///
/// # Errors
/// `Corrupt` for a file that is none of ours; `Io`.
pub(crate) fn list(dir: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| io_error(dir, &error))? {
        let path = entry.map_err(|error| io_error(dir, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match name.split_once('.') {
            Some((_, ENDING)) => found.push(path),
            Some((_, ENDING_NEW)) => fs::remove_file(&path).map_err(|error| io_error(&path, &error))?,
            _ => return Err(StoreError::corrupt(format!("{} does not belong there", path.display()))),
        }
    }
    found.sort();
    Ok(found)
}

fn salt() -> io::Result<u64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(u64::from_le_bytes(bytes))
}

fn head(ordinal: u64, size: u64, salt: u64) -> Vec<u8> {
    let mut writer = Writer::with_capacity(48);
    writer.raw(MAGIC).u32(VERSION).u32(0).u64(ordinal).u64(size).u64(salt);
    let checksum = xxh3_64(writer.as_bytes());
    writer.u64(checksum);
    writer.into_bytes()
}

fn read_head(path: &Path, bytes: &[u8]) -> Result<(u64, u64, u64), StoreError> {
    let damaged = || StoreError::corrupt(format!("{} does not begin as a segment of the log", path.display()));
    let read = |mut reader: Reader<'_>| {
        let magic = reader.array::<8>("magic")?;
        let version = reader.u32("version")?;
        reader.u32("zeros")?;
        let numbers = (reader.u64("ordinal")?, reader.u64("size")?, reader.u64("salt")?);
        Ok::<_, anabranch_causality::DecodeError>((magic, version, numbers, reader.u64("checksum")?))
    };
    let (magic, version, numbers, checksum) = read(Reader::new(bytes)).map_err(|_| damaged())?;
    if &magic != MAGIC || checksum != xxh3_64(&bytes[..40]) {
        return Err(damaged());
    }
    if version > VERSION {
        let what = format!("{} has version {version}, this one knows {VERSION}", path.display());
        return Err(StoreError::new(StoreErrorKind::NewerFormat, what));
    }
    let named = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| u64::from_str_radix(stem, 16).ok());
    if named != Some(numbers.0) {
        return Err(StoreError::corrupt(format!("{} says that it is segment {:08x}", path.display(), numbers.0)));
    }
    Ok(numbers)
}

fn fill(path: &Path, head: &[u8], size: u64) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    let mut piece = vec![0; PIECE.min(size as usize)];
    piece[..head.len()].copy_from_slice(head);
    let mut offset = 0;
    while offset < size {
        let length = (size - offset).min(PIECE as u64);
        at::write(&file, &piece[..length as usize], offset)?;
        file.sync_data()?;
        piece[..head.len()].fill(0);
        offset += length;
    }
    file.sync_all()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_golden() {
        let hex: String = head(2, 1 << 20, 3).iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(
            hex.starts_with(
                "616e6162726c6f6701000000000000000200000000000000000010000000000003000000000000 00"
                    .replace(' ', "")
                    .as_str()
            )
        );
        assert_eq!(hex.len(), 96);
    }

    #[test]
    fn what_was_created_opens_and_what_was_changed_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let made = Segment::create(dir.path(), 1, 0).unwrap();
        assert_eq!(made.size, 512 << 10);
        let again = Segment::open(&made.path).unwrap();
        assert_eq!((again.ordinal, again.size, again.salt), (1, made.size, made.salt));
        for at in 0..48 {
            let mut bytes = fs::read(&made.path).unwrap();
            bytes[at] ^= 4;
            let other = dir.path().join("00000001.seg");
            fs::write(&other, &bytes).unwrap();
            let error = Segment::open(&other).unwrap_err();
            assert!(error.what.contains("00000001.seg"), "{error}");
            bytes[at] ^= 4;
            fs::write(&other, &bytes).unwrap();
        }
        made.file.set_len(1000).unwrap();
        assert_eq!(Segment::open(&made.path).unwrap_err().kind, StoreErrorKind::Corrupt);
    }

    #[test]
    fn a_large_frame_gets_a_segment_of_its_own_size() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Segment::create(dir.path(), 0, 3 << 20).unwrap().size >= (3 << 20) + START);
    }

    #[test]
    fn leftovers_of_making_one_are_removed_and_strangers_told() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("00000000.seg.new"), b"half").unwrap();
        assert_eq!(list(dir.path()).unwrap(), Vec::<PathBuf>::new());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
        assert_eq!(list(dir.path()).unwrap_err().kind, StoreErrorKind::Corrupt);
    }
}
