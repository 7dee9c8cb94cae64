//! The rows on disk: a log-structured merge tree without a journal of its own.
//!
//! All spaces share one tree, each key with its space before it. A memtable goes to disk together with the place in the log up
//! to which it knows everything, so whoever opens the tree knows from where to replay.

mod cache;
mod snapshots;
mod workers;

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use anabranch_engine::store::{Space, StoreError, StoreErrorKind, Visit};
use lsm_tree::config::{BlockSizePolicy, CompressionPolicy, HashRatioPolicy, PinningPolicy, RestartIntervalPolicy};
use lsm_tree::{AbstractTree, AnyTree, Cache, CompressionType, Config, Guard, SeqNo, SequenceNumberCounter};

use crate::limits;
use crate::log::position::Position;
use crate::options::Options;
use cache::{Copied, RowCache};
use snapshots::Snapshots;
use workers::Workers;

/// Before all spaces: what is the tree's own.
const OWN: u8 = 0;
/// How far the log is in the tables: a [`Position`].
const POSITION: &[u8] = &[OWN, 1];

/// The tree, for its only writer.
pub(crate) struct Rows {
    tree: AnyTree,
    seqno: SequenceNumberCounter,
    visible: SequenceNumberCounter,
    snapshots: Arc<Snapshots>,
    cache: Arc<RowCache>,
    workers: Workers,
    memtable_bytes: u64,
    /// The number of the last batch.
    inserted: SeqNo,
    /// The size of the memtable.
    memtable: u64,
}

/// The rows as they were at one moment.
pub(crate) struct RowsView {
    tree: AnyTree,
    seqno: SeqNo,
    snapshots: Arc<Snapshots>,
    cache: Arc<RowCache>,
}

impl Rows {
    /// Opens the tree in `dir`, creating it where there is none.
    ///
    /// # Errors
    /// `Corrupt` or `Io`.
    pub(crate) fn open(dir: &Path, options: Options) -> Result<Self, StoreError> {
        let (seqno, visible) = (SequenceNumberCounter::default(), SequenceNumberCounter::default());
        let config = Config::new(dir, seqno.clone(), visible.clone())
            .use_cache(Arc::new(Cache::with_capacity_bytes(options.cache_bytes)))
            .data_block_size_policy(BlockSizePolicy::all(4_096))
            // Rows are looked up one by one far more often than scanned: a byte per row says where in its block it lies, and few are
            // written relative to the one before. Compression makes up for the room.
            .data_block_hash_ratio_policy(HashRatioPolicy::all(1.0))
            .data_block_restart_interval_policy(RestartIntervalPolicy::all(4))
            // The upper levels are looked at for every row of the lower ones, and are small.
            .filter_block_pinning_policy(PinningPolicy::new([true, true, true, false]))
            .index_block_pinning_policy(PinningPolicy::new([true, true, true, false]))
            .data_block_compression_policy(CompressionPolicy::new([CompressionType::None, CompressionType::Lz4]));
        // It asserts what a damaged list of tables may not keep.
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let panicked = |_| StoreError::corrupt(format!("cannot open {}: lsm-tree panicked", dir.display()));
        let opened = opened.map_err(panicked)?;
        let tree = opened.map_err(|error| failed(&format!("open {}", dir.display()), error))?;
        let next = tree.get_highest_seqno().map_or(1, |highest| highest + 1);
        seqno.fetch_max(next);
        visible.fetch_max(next);
        let snapshots = Arc::new(Snapshots::new(visible.clone()));
        let workers = Workers::start(tree.clone(), snapshots.clone())?;
        Ok(Self {
            tree,
            seqno,
            visible,
            snapshots,
            cache: Arc::new(RowCache::new()),
            workers,
            memtable_bytes: options.memtable_bytes,
            inserted: 0,
            memtable: 0,
        })
    }

    /// Up to where the log is in the tables; `None` when nothing of it is.
    pub(crate) fn position(&self) -> Result<Option<Position>, StoreError> {
        let found = self.tree.get(POSITION, SeqNo::MAX).map_err(|error| failed("read the tables", error))?;
        found.map(|bytes| Position::decode(&bytes)).transpose()
    }

    /// Puts or deletes rows. No reader sees them, and none of them goes to a table, before [`Rows::publish`]; [`Rows::look`] does.
    pub(crate) fn insert<'a>(&mut self, rows: impl Iterator<Item = (Space, &'a [u8], Option<&'a [u8]>)>) {
        let (seqno, mut placed) = (self.seqno.next(), Vec::new());
        self.inserted = seqno;
        for (space, key, value) in rows {
            self.cache.change(seqno, space, key, value);
            place(&mut placed, space, key);
            (_, self.memtable) = match value {
                Some(value) => self.tree.insert(&placed[..], value, seqno),
                None => self.tree.remove(&placed[..], seqno),
            };
        }
    }

    /// Shows readers what was inserted, all of it at once. `position` is the place in the log after the batch that it is of, which is durable.
    ///
    /// # Errors
    /// What the work in the background failed with.
    pub(crate) fn publish(&mut self, position: Position) -> Result<(), StoreError> {
        self.workers.check()?;
        let is_full = self.memtable > self.memtable_bytes;
        if is_full {
            self.tree.insert(POSITION, position.encode(), self.inserted);
        }
        self.visible.fetch_max(self.inserted + 1);
        if is_full {
            self.tree.rotate_memtable();
            self.memtable = 0;
            self.workers.flush();
        }
        self.workers.wait_for_room(&self.tree)
    }

    /// The rows as they are now. Not between [`Rows::insert`] and [`Rows::publish`]: the work in the background may have shown some of them.
    pub(crate) fn view(&self) -> RowsView {
        let (seqno, snapshots) = (self.snapshots.open(), self.snapshots.clone());
        RowsView { tree: self.tree.clone(), seqno, snapshots, cache: self.cache.clone() }
    }

    /// Hands the value under `key` as it is now to `see`, if there is one.
    pub(crate) fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        // Not what is visible at this moment: that state is not held, and the work in the background may drop it meanwhile.
        look((&self.tree, &self.cache), SeqNo::MAX, space, key, see)
    }

    /// Bytes of the tables.
    pub(crate) fn bytes(&self) -> u64 {
        self.tree.disk_space()
    }
}

impl Clone for RowsView {
    fn clone(&self) -> Self {
        self.snapshots.again(self.seqno);
        let (tree, snapshots, cache) = (self.tree.clone(), self.snapshots.clone(), self.cache.clone());
        Self { tree, seqno: self.seqno, snapshots, cache }
    }
}

impl Drop for RowsView {
    fn drop(&mut self) {
        self.snapshots.close(self.seqno);
    }
}

impl RowsView {
    pub(crate) fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        look((&self.tree, &self.cache), self.seqno, space, key, see)
    }

    pub(crate) fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        match self.range(space, from, to) {
            Some(rows) => each(rows, space, visit),
            None => Ok(()),
        }
    }

    pub(crate) fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        match self.range(space, from, to) {
            Some(rows) => each(rows.rev(), space, visit),
            None => Ok(()),
        }
    }

    /// The rows with `from <= key < to`, or nothing if there can be none.
    fn range(
        &self,
        space: Space,
        from: &[u8],
        to: &[u8],
    ) -> Option<impl DoubleEndedIterator<Item = impl Guard + use<>> + use<>> {
        if !to.is_empty() && from >= to {
            return None;
        }
        // Bounds may be longer than any key. The rows from there on are those after the longest key that begins so, and
        // the rows up to there include it.
        let (start, end) = (&from[..from.len().min(limits::KEY_MAX)], &to[..to.len().min(limits::KEY_MAX)]);
        let lower = match in_space(space, start) {
            key if start.len() < from.len() => Bound::Excluded(key),
            key => Bound::Included(key),
        };
        let upper = match end {
            [] => Bound::Excluded(vec![space as u8 + 1]),
            _ if start == end => return None,
            _ if end.len() < to.len() => Bound::Included(in_space(space, end)),
            _ => Bound::Excluded(in_space(space, end)),
        };
        Some(self.tree.range::<Vec<u8>, _>((lower, upper), self.seqno, None))
    }
}

/// A key as it is in the tree.
fn in_space(space: Space, key: &[u8]) -> Vec<u8> {
    let mut placed = Vec::with_capacity(1 + key.len());
    place(&mut placed, space, key);
    placed
}

/// As [`in_space`], where there was another one.
fn place(placed: &mut Vec<u8>, space: Space, key: &[u8]) {
    placed.clear();
    placed.push(space as u8);
    placed.extend_from_slice(key);
}

/// Hands the value that the state before batch `seqno` has to `see`.
fn look(
    (tree, cache): (&AnyTree, &RowCache),
    seqno: SeqNo,
    space: Space,
    key: &[u8],
    see: &mut dyn FnMut(&[u8]),
) -> Result<(), StoreError> {
    if !limits::possible(key) {
        return Ok(());
    }
    let mut copied = Copied::default();
    if let Some(known) = cache.get(seqno, space, key, &mut copied) {
        known.iter().for_each(|value| see(value));
        return Ok(());
    }
    let found = tree.get(in_space(space, key), seqno);
    let found = found.map_err(|error| failed(&format!("read {space:?}"), error))?;
    cache.found(seqno, space, key, found.as_deref());
    found.iter().for_each(|value| see(value));
    Ok(())
}

/// Hands rows to a visitor until it has had enough.
fn each(rows: impl Iterator<Item = impl Guard>, space: Space, visit: Visit<'_>) -> Result<(), StoreError> {
    for row in rows {
        let (key, value) = row.into_inner().map_err(|error| failed(&format!("scan {space:?}"), error))?;
        if visit(&key[1..], &value).is_break() {
            break;
        }
    }
    Ok(())
}

/// Whether an error of this kind says that a file is missing or not what was written.
fn is_damage(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, UnexpectedEof};
    matches!(kind, InvalidData | InvalidInput | NotFound | UnexpectedEof)
}

/// An error of the tree in our classes.
pub(crate) fn failed(action: &str, error: lsm_tree::Error) -> StoreError {
    let kind = match &error {
        lsm_tree::Error::Io(error) if !is_damage(error.kind()) => StoreErrorKind::Io,
        _ => StoreErrorKind::Corrupt,
    };
    let what = match error {
        lsm_tree::Error::Io(error) => format!("cannot {action}: {error}"),
        other => format!("cannot {action}: {other}"),
    };
    StoreError::new(kind, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_writer_reads_while_states_that_nobody_holds_go() {
        let dir = tempfile::tempdir().unwrap();
        let mut rows = Rows::open(dir.path(), Options { memtable_bytes: 0, ..Options::default() }).unwrap();
        let visible = rows.visible.get();
        // Too large for the cache.
        let value = [b'v'; 1_000];
        for n in 1..50_u64 {
            rows.insert([(Space::Rows, &b"k"[..], Some(&value[..]))].into_iter());
            rows.publish(Position::default()).unwrap();
            while rows.tree.sealed_memtable_count() > 0 || (n > 10 && rows.tree.l0_run_count() > 4) {
                std::thread::yield_now();
            }
        }
        // As if the writer had looked at the counter, and then slept for long.
        rows.visible.set(visible);
        let mut found = None;
        rows.look(Space::Rows, b"k", &mut |value| found = Some(value.to_vec())).unwrap();
        assert_eq!(found, Some(value.to_vec()));
        assert_eq!(rows.position().unwrap(), Some(Position::default()));
    }
}
