//! Threads that write full memtables to disk and merge tables.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anabranch_engine::store::{StoreError, StoreErrorKind};
use lsm_tree::compaction::Leveled;
use lsm_tree::{AbstractTree, AnyTree};

use super::failed;
use super::snapshots::Snapshots;

/// Size of a table: what a merge needs in passing is some ten times as much, and must fit into the free space that
/// `Options::min_free_bytes` keeps.
const TABLE_BYTES: u64 = 8 << 20;

/// From so many full memtables, or runs of tables not yet merged, the writer waits.
const MOST_MEMTABLES: usize = 4;
const MOST_RUNS: usize = 20;

/// How often a waiting writer looks again, if nobody tells it.
const LOOK: Duration = Duration::from_millis(10);

/// The threads, for the writer.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    tree: AnyTree,
    snapshots: Arc<Snapshots>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    to_flush: bool,
    to_merge: bool,
    /// The strategy found nothing to do, and no table was written since.
    merged: bool,
    closed: bool,
    failed: Option<StoreError>,
}

impl Workers {
    pub(crate) fn start(tree: AnyTree, snapshots: Arc<Snapshots>) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared { tree, snapshots, state: Mutex::default(), changed: Condvar::new() });
        let mut workers = Self { shared: shared.clone(), threads: Vec::new() };
        let named = |name: &str| std::thread::Builder::new().name(name.to_owned());
        let (flushing, merging) = (shared.clone(), shared);
        for started in [
            named("anabranch-flush").spawn(move || flushing.run(|state| &mut state.to_flush, Shared::flush)),
            named("anabranch-merge").spawn(move || merging.run(|state| &mut state.to_merge, Shared::merge)),
        ] {
            let started = started.map_err(|error| StoreError::new(StoreErrorKind::Io, format!("a thread: {error}")))?;
            workers.threads.push(started);
        }
        Ok(workers)
    }

    /// There is a full memtable.
    pub(crate) fn flush(&self) {
        self.shared.lock().to_flush = true;
        self.shared.changed.notify_all();
    }

    /// What the work in the background failed with.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        self.shared.lock().failed.clone().map_or(Ok(()), Err)
    }

    /// Waits while too much has yet to be written or merged.
    pub(crate) fn wait_for_room(&self, tree: &AnyTree) -> Result<(), StoreError> {
        if tree.sealed_memtable_count() < MOST_MEMTABLES && tree.l0_run_count() < MOST_RUNS {
            return Ok(());
        }
        let mut state = self.shared.lock();
        // Where many runs are all that the strategy wants, waiting would not make them fewer.
        while tree.sealed_memtable_count() >= MOST_MEMTABLES || (tree.l0_run_count() >= MOST_RUNS && !state.merged) {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            state.to_merge = true;
            self.shared.changed.notify_all();
            state = self.shared.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            // Panics were caught.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `work` whenever `wanted` says so, until the store is closed or something fails.
    fn run(&self, wanted: fn(&mut State) -> &mut bool, work: fn(&Self) -> lsm_tree::Result<()>) {
        let mut state = self.lock();
        while !state.closed && state.failed.is_none() {
            if !std::mem::take(wanted(&mut state)) {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            drop(state);
            let done = self.guarded(work);
            state = self.lock();
            if let Err(error) = done {
                state.failed = Some(error);
            }
            self.changed.notify_all();
        }
    }

    /// A panic is an error as others, so that nobody waits for a thread that is gone.
    fn guarded(&self, work: fn(&Self) -> lsm_tree::Result<()>) -> Result<(), StoreError> {
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(done) => done.map_err(|error| failed("write or merge tables", error)),
            Err(_) => Err(StoreError::new(StoreErrorKind::Io, "writing or merging tables panicked")),
        }
    }

    /// Writes full memtables to a table.
    fn flush(&self) -> lsm_tree::Result<()> {
        let lock = self.tree.get_flush_lock();
        self.tree.flush(&lock, self.snapshots.watermark())?;
        drop(lock);
        let mut state = self.lock();
        (state.to_merge, state.merged) = (true, false);
        Ok(())
    }

    /// Merges tables until the strategy finds nothing to do.
    fn merge(&self) -> lsm_tree::Result<()> {
        let strategy = Arc::new(Leveled::default().with_table_target_size(TABLE_BYTES));
        loop {
            let before = self.tree.current_version().id();
            self.tree.compact(strategy.clone(), self.snapshots.watermark())?;
            let mut state = self.lock();
            let unchanged = self.tree.current_version().id() == before;
            if unchanged || state.closed {
                state.merged = unchanged;
                return Ok(());
            }
            drop(state);
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use lsm_tree::{Config, SequenceNumberCounter};

    use super::*;

    fn shared(dir: &tempfile::TempDir, state: State) -> Arc<Shared> {
        let (seqno, visible) = (SequenceNumberCounter::new(1), SequenceNumberCounter::new(1));
        let tree = Config::new(dir.path(), seqno, visible.clone()).open().unwrap();
        let snapshots = Arc::new(Snapshots::new(visible));
        Arc::new(Shared { tree, snapshots, state: Mutex::new(state), changed: Condvar::new() })
    }

    #[test]
    fn nobody_waits_for_merges_that_the_strategy_does_not_want() {
        let dir = tempfile::tempdir().unwrap();
        let shared = shared(&dir, State { merged: true, ..State::default() });
        let tree = &shared.tree.clone();
        for n in 0..=MOST_RUNS {
            tree.insert([1], "", n as u64);
            tree.flush_active_memtable(0).unwrap();
        }
        let workers = Workers { shared, threads: Vec::new() };
        assert!(tree.l0_run_count() >= MOST_RUNS);
        workers.wait_for_room(tree).unwrap();
        // A new table may be what it wants.
        tree.insert([1], "", 99);
        tree.rotate_memtable();
        workers.shared.flush().unwrap();
        assert!(!workers.shared.lock().merged);
        workers.shared.merge().unwrap();
        assert!(workers.shared.lock().merged && tree.l0_run_count() < MOST_RUNS);
    }

    #[test]
    fn nobody_waits_for_a_thread_that_panicked() {
        let dir = tempfile::tempdir().unwrap();
        let shared = shared(&dir, State { to_flush: true, ..State::default() });
        let tree = shared.tree.clone();
        shared.run(|state| &mut state.to_flush, |_| panic!("planted"));
        for n in 0..MOST_MEMTABLES {
            tree.insert([1], "", n as u64);
            tree.rotate_memtable();
        }
        let workers = Workers { shared, threads: Vec::new() };
        assert!(workers.check().unwrap_err().what.contains("panicked"));
        assert!(workers.wait_for_room(&tree).is_err());
    }
}
