//! Whether there is room on the file system for one more batch. Asked before writing: a write that fails half-way leaves
//! the store unusable until it is opened again.

use std::path::PathBuf;

use anabranch_engine::store::{Batch, StoreError, StoreErrorKind};

use crate::limits;

/// A batch is written twice: to the log now, to a table later.
const COPIES: u64 = 2;

/// Free and total bytes of a file system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    pub(crate) available: u64,
    pub(crate) total: u64,
}

/// The watch over one file system.
#[derive(Debug)]
pub(crate) struct Room {
    path: PathBuf,
    min_free: u64,
    /// Instead of asking the operating system.
    #[cfg(test)]
    pub(crate) pretend: Option<Free>,
}

impl Room {
    /// Watches the file system of `path`.
    pub(crate) fn new(path: PathBuf, min_free: u64) -> Self {
        Self {
            path,
            min_free,
            #[cfg(test)]
            pretend: None,
        }
    }

    /// # Errors
    /// `Full` when the batch would leave too little.
    pub(crate) fn check(&self, batch: &Batch) -> Result<(), StoreError> {
        if self.min_free == 0 {
            return Ok(());
        }
        match self.free() {
            Some(free) => self.judge(free, limits::size(batch).saturating_mul(COPIES)),
            // Not told: then the write itself has to show it.
            None => Ok(()),
        }
    }

    fn judge(&self, free: Free, need: u64) -> Result<(), StoreError> {
        let reserve = self.min_free.min(free.total / 8);
        if free.available >= reserve.saturating_add(need) {
            return Ok(());
        }
        let what = format!(
            "{} has {} bytes left, {reserve} are kept in reserve and {need} are needed",
            self.path.display(),
            free.available
        );
        Err(StoreError::new(StoreErrorKind::Full, what))
    }

    fn free(&self) -> Option<Free> {
        #[cfg(test)]
        if self.pretend.is_some() {
            return self.pretend;
        }
        free(&self.path)
    }
}

#[cfg(unix)]
fn free(path: &std::path::Path) -> Option<Free> {
    let stat = rustix::fs::statvfs(path).ok()?;
    Some(Free {
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
    })
}

#[cfg(not(unix))]
fn free(_path: &std::path::Path) -> Option<Free> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_reserve_is_the_smaller_one() {
        let room = Room::new(PathBuf::from("/"), 64 * MIB);
        let large = |available| Free { available, total: 100_000 * MIB };
        assert!(room.judge(large(65 * MIB), MIB).is_ok());
        assert_eq!(room.judge(large(64 * MIB), MIB).unwrap_err().kind, StoreErrorKind::Full);
        let small = |available| Free { available, total: 200 * MIB };
        assert!(room.judge(small(26 * MIB), MIB).is_ok());
        assert_eq!(room.judge(small(25 * MIB), MIB).unwrap_err().kind, StoreErrorKind::Full);
    }

    #[test]
    fn the_real_file_system_tells() {
        assert!(!cfg!(unix) || free(&std::env::temp_dir()).is_some_and(|free| free.total > 0));
    }
}
