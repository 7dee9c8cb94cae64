//! Whether there is room on the file system for one more batch. Asked before writing: a write that fails half-way leaves
//! the store unusable until it is opened again.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anabranch_engine::store::{StoreError, StoreErrorKind};

/// A batch is written twice: to the log now, to a table later.
const COPIES: u64 = 2;

/// How long an answer of the operating system is relied on, and for which part of the reserve.
const ANSWER_HOLDS: Duration = Duration::from_millis(10);
const PART: u64 = 64;

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
    /// When the operating system was asked last, and how much more could be written then.
    asked: Option<(Instant, u64)>,
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
            asked: None,
            #[cfg(test)]
            pretend: None,
        }
    }

    /// # Errors
    /// `Full` when the batch would leave too little.
    pub(crate) fn check(&mut self, size: u64) -> Result<(), StoreError> {
        if self.min_free == 0 {
            return Ok(());
        }
        let need = size.saturating_mul(COPIES);
        #[cfg(test)]
        if self.pretend.is_some() {
            self.asked = None;
        }
        // Others write to the disk as well: an answer is good for a moment, and for a small part of what is kept in reserve.
        if let Some((at, left)) = &mut self.asked
            && at.elapsed() < ANSWER_HOLDS
            && need <= *left
        {
            *left -= need;
            return Ok(());
        }
        self.asked = None;
        // Not told: then the write itself has to show it.
        let Some(free) = self.free() else { return Ok(()) };
        let left = self.judge(free, need)?;
        self.asked = Some((Instant::now(), left.min(self.min_free / PART)));
        Ok(())
    }

    /// How much may be written beyond what is needed now.
    fn judge(&self, free: Free, need: u64) -> Result<u64, StoreError> {
        let reserve = self.min_free.min(free.total / 8);
        if let Some(left) = free.available.checked_sub(reserve.saturating_add(need)) {
            return Ok(left);
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
