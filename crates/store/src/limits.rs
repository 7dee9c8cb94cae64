//! What a batch may hold. The same for every store, so that a simulation refuses what a disk would refuse.

use anabranch_engine::store::{Batch, StoreError, StoreErrorKind};

/// The longest key, in bytes: with the space before it, it has two bytes for its length. The shortest is one byte: no store
/// keeps a row under the empty key.
pub const KEY_MAX: usize = u16::MAX as usize - 1;

/// The longest value or log record, in bytes.
pub const VALUE_MAX: usize = u32::MAX as usize;

/// Checks a batch against the limits before anything of it is written.
///
/// # Errors
/// [`StoreErrorKind::Io`], naming the space and the length. The store stays usable.
pub(crate) fn check(batch: &Batch) -> Result<(), StoreError> {
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
        None => Ok(()),
    }
}

/// Whether a row can be under this key at all.
#[cfg(feature = "disk")]
pub(crate) fn possible(key: &[u8]) -> bool {
    (1..=KEY_MAX).contains(&key.len())
}

fn refused(what: String) -> StoreError {
    StoreError::new(StoreErrorKind::Io, what)
}
