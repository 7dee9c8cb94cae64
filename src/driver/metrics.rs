//! Counts and times that the driver keeps for operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Upper bounds of the sync histogram's buckets, in microseconds.
const BOUNDS_US: [u64; 10] = [50, 100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000];

/// Counts since the database was opened. Reading is approximate while writes go on.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Batches committed: each is one sync.
    pub commits: AtomicU64,
    /// Writes that were answered.
    pub writes: AtomicU64,
    /// Nanoseconds spent in commits.
    pub commit_nanos: AtomicU64,
    /// The longest commit, in nanoseconds.
    pub worst_commit_nanos: AtomicU64,
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    full_at: Mutex<Option<Instant>>,
}

impl Metrics {
    pub(crate) fn committed(&self, took: Duration) {
        let nanos = took.as_nanos() as u64;
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.commit_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.worst_commit_nanos.fetch_max(nanos, Ordering::Relaxed);
        let bucket = BOUNDS_US.iter().position(|bound| nanos <= bound * 1_000).unwrap_or(BOUNDS_US.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        *self.full_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn disk_full(&self) {
        *self.full_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// How long ago a commit found the disk full, if none has succeeded since.
    #[must_use]
    pub fn disk_full_ago(&self) -> Option<Duration> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner).map(|at| at.elapsed())
    }

    /// The histogram of commit times: upper bound in seconds (`None` for the rest) and how many fell below it and
    /// above the bound before.
    #[must_use]
    pub fn commit_histogram(&self) -> Vec<(Option<f64>, u64)> {
        let bounds = BOUNDS_US.iter().map(|bound| Some(*bound as f64 / 1e6)).chain([None]);
        bounds.zip(&self.buckets).map(|(bound, count)| (bound, count.load(Ordering::Relaxed))).collect()
    }
}
