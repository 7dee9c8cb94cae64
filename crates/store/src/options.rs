//! Settings of the store on disk.

/// Settings of a [`FjallStore`](crate::FjallStore). The defaults suit a replica with some million rows in 256 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size in bytes at which a memtable goes to disk; there are five, and each may exist up to four times under load.
    /// Larger ones mean fewer but longer pauses of single commits. Fixed when the directory is created. Default 4 MiB.
    pub memtable_bytes: u64,
    /// Memory for blocks read from disk, in bytes. Default 16 MiB.
    pub cache_bytes: u64,
    /// A commit is refused with `Full` when less than this would stay free, in bytes; on a small file system an
    /// eighth of its size, where that is less. The reserve is for the work in the background, which must not run into a full disk.
    /// Default 64 MiB. Zero switches the check off; elsewhere than on Unix there is none.
    pub min_free_bytes: u64,
    /// Threads for the work in the background. Default and least 2: a lone one can wait for itself, as it both fills and
    /// drains a bounded queue.
    pub workers: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { memtable_bytes: 4 << 20, cache_bytes: 16 << 20, min_free_bytes: 64 << 20, workers: 2 }
    }
}
