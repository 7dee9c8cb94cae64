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
        while tree.sealed_memtable_count() >= MOST_MEMTABLES || tree.l0_run_count() >= MOST_RUNS {
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
        self.lock().to_merge = true;
        Ok(())
    }

    /// Merges tables until the strategy finds nothing to do.
    fn merge(&self) -> lsm_tree::Result<()> {
        let strategy = Arc::new(Leveled::default().with_table_target_size(TABLE_BYTES));
        loop {
            let before = self.tree.current_version().id();
            self.tree.compact(strategy.clone(), self.snapshots.watermark())?;
            if self.tree.current_version().id() == before || self.lock().closed {
                return Ok(());
            }
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use lsm_tree::{Config, SequenceNumberCounter};

    use super::*;

    #[test]
    fn nobody_waits_for_a_thread_that_panicked() {
        let dir = tempfile::tempdir().unwrap();
        let (seqno, visible) = (SequenceNumberCounter::new(1), SequenceNumberCounter::new(1));
        let tree = Config::new(dir.path(), seqno, visible.clone()).open().unwrap();
        let snapshots = Arc::new(Snapshots::new(visible));
        let state = Mutex::new(State { to_flush: true, ..State::default() });
        let shared = Arc::new(Shared { tree: tree.clone(), snapshots, state, changed: Condvar::new() });
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
