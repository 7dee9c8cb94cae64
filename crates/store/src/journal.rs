//! Looks through the journals before fjall opens them.
//!
//! A crash may leave the last batch half-written, in any order of its pages. fjall discards some of these tails, but
//! refuses to open on others; and where a journal is damaged in the middle, it silently drops everything after. Here the
//! first is cut off and the second is told: each batch is synced before the next is written, so that only the very last
//! one can be torn. A lost end is told apart from a torn one by what [`crate::synced`] knows.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anabranch_engine::store::StoreError;
use xxhash_rust::xxh3::Xxh3;

use crate::directory::io_error;
use crate::synced::Mark;

// The format of fjall 3: a start, the items, an end with the checksum of the items.
const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
/// Value type, compression, keyspace, length of the key, of the value, of the value as stored.
const ITEM_HEAD: usize = 1 + 1 + 8 + 2 + 4 + 4;
const UNCOMPRESSED: u8 = 0;
const MAGIC: [u8; 4] = [b'F', b'J', b'L', 3];

/// A complete batch with the right checksum.
struct Found {
    seqno: u64,
    length: u64,
}

/// What a look through a journal found.
struct Looked {
    /// The number of the last batch, if there is one.
    last: Option<u64>,
    /// Where a torn batch begins, if there is one.
    torn: Option<u64>,
}

/// Cuts a torn batch off the last journal in `store`.
///
/// # Errors
/// `Corrupt`, naming file and position, when a batch is damaged that is not the last one, or when batches end before one that
/// was durable; `Io`. Then nothing was modified.
pub(crate) fn repair(store: &Path, durable: Option<Mark>) -> Result<(), StoreError> {
    let mut journals = journals(store).map_err(|error| io_error(store, &error))?;
    journals.sort();
    let (mut last, mut torn): (Option<u64>, Option<(&Path, u64)>) = (None, None);
    for (_, path) in &journals {
        if let Some((path, at)) = torn {
            return Err(damaged(path, at));
        }
        let looked = look(path)?;
        last = last.max(looked.last);
        torn = looked.torn.map(|at| (path.as_path(), at));
    }
    if let Some(durable) = durable {
        let newest = journals.last();
        let must_be_there = last.is_some() || newest.is_none_or(|(number, _)| *number <= durable.journal);
        if must_be_there && last < Some(durable.batch) {
            return Err(shortened(newest.map_or(store, |(_, path)| path)));
        }
    }
    match torn {
        None => Ok(()),
        Some((path, at)) => cut(path, at).map_err(|error| io_error(path, &error)),
    }
}

/// The number of the newest journal in `store`.
///
/// # Errors
/// `Io`.
pub(crate) fn newest(store: &Path) -> Result<u64, StoreError> {
    let journals = journals(store).map_err(|error| io_error(store, &error))?;
    Ok(journals.into_iter().map(|(number, _)| number).max().unwrap_or(0))
}

fn shortened(path: &Path) -> StoreError {
    let path = path.display();
    StoreError::corrupt(format!("{path} has lost its end, which was durable: of what it lacks, tables may have parts"))
}

fn journals(store: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(store)? {
        let path = entry?.path();
        let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(number), Some("jnl")) = (number, path.extension().and_then(|end| end.to_str())) {
            found.push((number, path));
        }
    }
    Ok(found)
}

fn look(path: &Path) -> Result<Looked, StoreError> {
    let mut reader = BufReader::with_capacity(1 << 16, File::open(path).map_err(|error| io_error(path, &error))?);
    let (mut at, mut last) = (0, None);
    while let Some(found) = batch(&mut reader).map_err(|error| io_error(path, &error))? {
        at += found.length;
        last = Some(found.seqno);
    }
    let rest = rest(&mut reader, at).map_err(|error| io_error(path, &error))?;
    if rest.is_empty() {
        return Ok(Looked { last, torn: None });
    }
    let later = (1..rest.len()).filter(|start| rest[*start] == START);
    let mut later = later.filter_map(|start| batch(&mut &rest[start..]).ok().flatten());
    let is_last = !later.any(|found| found.seqno > last.unwrap_or(0));
    if is_last { Ok(Looked { last, torn: Some(at) }) } else { Err(damaged(path, at)) }
}

/// What follows from `at` on, without the zeros at the end: the file is allocated in advance.
fn rest(reader: &mut BufReader<File>, at: u64) -> io::Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(at))?;
    let (mut position, mut length) = (0, 0);
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = reader.read(&mut chunk)?;
        if read == 0 {
            break;
        }
        if let Some(last) = chunk[..read].iter().rposition(|byte| *byte != 0) {
            length = position + last as u64 + 1;
        }
        position += read as u64;
    }
    reader.seek(SeekFrom::Start(at))?;
    let mut rest = Vec::new();
    reader.take(length).read_to_end(&mut rest)?;
    Ok(rest)
}

fn cut(path: &Path, at: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(at)?;
    file.sync_all()
}

fn damaged(path: &Path, at: u64) -> StoreError {
    StoreError::corrupt(format!("{} is damaged at byte {at}, what follows was not torn by a crash", path.display()))
}

/// Reads one batch; `None` if there is no complete, undamaged one.
fn batch(reader: &mut impl Read) -> io::Result<Option<Found>> {
    match read_batch(reader) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

fn read_batch(reader: &mut impl Read) -> io::Result<Option<Found>> {
    let [START] = bytes(reader)? else { return Ok(None) };
    let count = u32::from_le_bytes(bytes(reader)?);
    let seqno = u64::from_le_bytes(bytes(reader)?);
    let mut length = 1 + 4 + 8;
    let mut hasher = Xxh3::new();
    for _ in 0..count {
        let [ITEM] = bytes(reader)? else { return Ok(None) };
        let head: [u8; ITEM_HEAD] = bytes(reader)?;
        let [_, compression, _, _, _, _, _, _, _, _, k0, k1, v0, v1, v2, v3, s0, s1, s2, s3] = head;
        if compression != UNCOMPRESSED || [v0, v1, v2, v3] != [s0, s1, s2, s3] {
            return Ok(None);
        }
        hasher.update(&[ITEM]);
        hasher.update(&head);
        let body = u64::from(u16::from_le_bytes([k0, k1])) + u64::from(u32::from_le_bytes([v0, v1, v2, v3]));
        if hash(reader, body, &mut hasher)? < body {
            return Ok(None);
        }
        length += 1 + ITEM_HEAD as u64 + body;
    }
    let [END] = bytes(reader)? else { return Ok(None) };
    let checksum = u64::from_le_bytes(bytes(reader)?);
    let intact = bytes(reader)? == MAGIC && checksum == hasher.digest();
    length += 1 + 8 + 4;
    Ok(intact.then_some(Found { seqno, length }))
}

fn bytes<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Hashes `length` bytes without holding them: a damaged length may be huge. Returns how many there were.
fn hash(reader: &mut impl Read, length: u64, hasher: &mut Xxh3) -> io::Result<u64> {
    let mut buffer = [0; 4096];
    let mut done = 0;
    while done < length {
        let most = buffer.len().min(usize::try_from(length - done).unwrap_or(usize::MAX));
        match reader.read(&mut buffer[..most]) {
            Ok(0) => break,
            Ok(read) => {
                hasher.update(&buffer[..read]);
                done += read as u64;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

#[cfg(test)]
#[path = "journal_test.rs"]
mod tests;
