//! What all measurements share.

use std::path::PathBuf;
use std::time::Duration;

/// How long, how much and where.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How long one measured part takes.
    pub length: Duration,
    /// Sizes are divided by this: 1, or 1,000 in a smoke test.
    pub scale: u64,
    /// A folder on the disk that is measured.
    pub dir: PathBuf,
}

impl Setting {
    /// That many, or fewer in a smoke test; never none.
    pub fn scaled(&self, count: u64) -> u64 {
        (count / self.scale).max(1)
    }

    /// A new folder, removed when it is dropped.
    pub fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(&self.dir)?)
    }
}
