//! Settings of the store on disk.

/// Settings of a [`DiskStore`](crate::DiskStore). The defaults suit a replica with some million rows in 256 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size in bytes at which a memtable goes to disk; under load there are up to five of them.
    /// Larger ones mean less to merge, more to replay after a crash, and longer syncs, which hold up those of commits. Default 4 MiB.
    pub memtable_bytes: u64,
    /// Memory for blocks read from disk, in bytes, taken as they are read. Default 64 MiB, which holds the indices and filters of
    /// some ten million rows: with less, each look at a row reads those from the file, too.
    pub cache_bytes: u64,
    /// A commit is refused with `Full` when less than this would stay free, in bytes; on a small file system an
    /// eighth of its size, where that is less. The reserve is for the work in the background, which must not run into a full disk.
    /// Default 64 MiB. Zero switches the check off; elsewhere than on Unix there is none.
    pub min_free_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { memtable_bytes: 4 << 20, cache_bytes: 64 << 20, min_free_bytes: 64 << 20 }
    }
}
