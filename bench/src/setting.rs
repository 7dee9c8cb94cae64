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
    /// A trace of edits for texts, if there is one.
    pub trace: Option<PathBuf>,
}

/// When a measurement is over.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// After so long.
    Time(Duration),
    /// After so many.
    Count(u64),
}

impl Until {
    /// Whether it goes on after `done`, which took `spent`.
    pub fn goes_on(self, spent: Duration, done: u64) -> bool {
        match self {
            Until::Time(length) => spent < length,
            Until::Count(count) => done < count,
        }
    }
}

/// What commits took.
#[derive(Clone, Copy, Debug)]
pub struct Commits {
    pub count: u64,
    pub per_second: f64,
    /// The longest one.
    pub worst: Duration,
}

impl Commits {
    /// So many in so long.
    pub fn new(count: u64, spent: Duration, worst: Duration) -> Self {
        Self { count, per_second: count as f64 / spent.as_secs_f64(), worst }
    }

    /// The longest, in milliseconds.
    pub fn worst_ms(&self) -> f64 {
        self.worst.as_secs_f64() * 1e3
    }
}

impl Setting {
    /// As long as one part of a measurement takes.
    pub fn until(&self) -> Until {
        Until::Time(self.length)
    }

    /// That many, or fewer in a smoke test; never none.
    pub fn scaled(&self, count: u64) -> u64 {
        (count / self.scale).max(1)
    }

    /// That long, or longer where longer was asked for; shorter only in a smoke test.
    pub fn at_least(&self, length: Duration) -> Duration {
        if self.scale == 1 { self.length.max(length) } else { self.length }
    }

    /// A new folder, removed when it is dropped.
    pub fn folder(&self) -> anyhow::Result<tempfile::TempDir> {
        Ok(tempfile::tempdir_in(&self.dir)?)
    }
}
