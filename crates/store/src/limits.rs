//! What a batch may hold. The same for every store, so that a simulation refuses what a disk would refuse.

use anabranch_engine::store::{Batch, StoreError, StoreErrorKind};

/// The longest key, in bytes: with the space before it, it has two bytes for its length. The shortest is one byte: no store
/// keeps a row under the empty key.
pub const KEY_MAX: usize = u16::MAX as usize - 1;

/// The longest value or log record, in bytes.
pub const VALUE_MAX: usize = u32::MAX as usize;

/// The most bytes in a batch: keys, values and log records, and some for each of them.
pub const BATCH_MAX: u64 = 1 << 30;

/// Log bytes around each row and each record, generously.
const OVERHEAD: u64 = 32;

/// Checks a batch against the limits before anything of it is written. Says how many bytes it takes in the log, at most.
///
/// # Errors
/// [`StoreErrorKind::Io`], naming the space and the length. The store stays usable.
pub(crate) fn check(batch: &Batch) -> Result<u64, StoreError> {
    for ((space, key), value) in &batch.rows {
        if key.is_empty() || key.len() > KEY_MAX {
            return Err(refused(format!("a key of {} bytes in {space:?}, allowed are 1 to {KEY_MAX}", key.len())));
        }
        let length = value.as_ref().map_or(0, Vec::len);
        if length > VALUE_MAX {
            return Err(refused(format!("a value of {length} bytes in {space:?}, allowed are {VALUE_MAX}")));
        }
    }
    match batch.log.iter().find(|(_, record)| record.len() > VALUE_MAX) {
        Some((index, record)) => {
            Err(refused(format!("log record {index} of {} bytes, allowed are {VALUE_MAX}", record.len())))
        }
        None => check_size(batch, BATCH_MAX),
    }
}

fn check_size(batch: &Batch, most: u64) -> Result<u64, StoreError> {
    match size(batch) {
        size if size > most => Err(refused(format!("a batch of {size} bytes, allowed are {most}"))),
        size => Ok(size),
    }
}

fn size(batch: &Batch) -> u64 {
    let rows = batch.rows.iter().map(|((_, key), value)| key.len() + value.as_ref().map_or(0, Vec::len));
    let log = batch.log.iter().map(|(_, record)| record.len());
    OVERHEAD + rows.chain(log).map(|bytes| bytes as u64 + OVERHEAD).sum::<u64>()
}

/// Whether a row can be under this key at all.
#[cfg(feature = "disk")]
pub(crate) fn possible(key: &[u8]) -> bool {
    (1..=KEY_MAX).contains(&key.len())
}

fn refused(what: String) -> StoreError {
    StoreError::new(StoreErrorKind::Io, what)
}

#[cfg(test)]
mod tests {
    use anabranch_engine::store::Space;

    use super::*;

    #[test]
    fn a_batch_may_be_so_large_and_no_larger() {
        let rows = [((Space::Rows, vec![1; 100]), Some(vec![2; 1_000]))];
        let batch = Batch { log: vec![(0, vec![3; 10_000])], rows: rows.into() };
        assert_eq!(size(&batch), 11_100 + 3 * OVERHEAD);
        assert!(check_size(&batch, size(&batch)).is_ok());
        assert_eq!(check_size(&batch, size(&batch) - 1).unwrap_err().kind, StoreErrorKind::Io);
    }
}
