//! The process that is recorded: opens the store, writes, and notes each acknowledgement in a file.

use crate::random::Random;
use crate::replica::Replica;
use anabranch_engine::store::StoreErrorKind;
use anabranch_store::{DiskStore, Options};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// Tells a process of this test to be the writer: the words of a [`Task`].
pub(crate) const TASK: &str = "ANABRANCH_POWER_TASK";

/// The data directory, below the recorder's root.
pub(crate) const DATA: &str = "data";

/// Where acknowledgements are noted, below the recorder's root: lines of origin and sequence number.
pub(crate) const ACKS: &str = "acks";

/// What the writer does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) seed: u64,
    /// How often it opens the store.
    pub(crate) openings: usize,
    /// Batches in each opening.
    pub(crate) batches: usize,
    /// Bytes of each value, at most.
    pub(crate) payload: usize,
    pub(crate) memtable: u64,
}

impl Task {
    pub(crate) fn words(&self) -> String {
        format!("{} {} {} {} {}", self.seed, self.openings, self.batches, self.payload, self.memtable)
    }

    fn of_words(words: &str) -> Self {
        let words: Vec<u64> = words.split(' ').map(|word| word.parse().expect("a number")).collect();
        let [seed, openings, batches, payload, memtable] = words[..] else { panic!("five numbers") };
        let small = |number| usize::try_from(number).expect("a small number");
        Self { seed, openings: small(openings), batches: small(batches), payload: small(payload), memtable }
    }
}

/// From so many rows on, a thread of its own syncs while they go to the memtable.
const MANY: usize = 64;

/// Small memtables bring flushes and compactions early; a test's disk may be small.
pub(crate) fn options(memtable_bytes: u64) -> Options {
    Options { memtable_bytes, min_free_bytes: 0, ..Options::default() }
}

/// Not a test by itself: what the recorded process runs.
#[test]
fn as_the_recorded_process() {
    if let (Ok(words), Ok(root)) = (std::env::var(TASK), std::env::var("ANABRANCH_RECORD_ROOT")) {
        run(Task::of_words(&words), Path::new(&root));
    }
}

fn run(task: Task, root: &Path) {
    let mut random = Random::new(task.seed);
    let mut acks = File::create(root.join(ACKS)).expect("a file for acknowledgements");
    for _ in 0..task.openings {
        if !session(task, root, &mut random, &mut acks) {
            return;
        }
    }
}

/// One opening; says whether the store never failed.
fn session(task: Task, root: &Path, random: &mut Random, acks: &mut File) -> bool {
    let origin = random.bits();
    let opened = DiskStore::open_with(&root.join(DATA), options(task.memtable));
    let Ok(mut replica) = opened.and_then(|store| Replica::open(store, origin)) else { return false };
    let mut last = 0;
    for _ in 0..task.batches {
        // Writes that waited together share a batch, and a sync; which is made by another thread where they are many.
        let many = random.chance(10);
        let (writes, most) = if many { (MANY, task.payload.min(300)) } else { (1 + random.below(4), task.payload) };
        for _ in 0..writes {
            last += 1;
            replica.write(&format!("{origin:016x}-{last}"), random.below(most + 1)).expect("reading works");
        }
        assert!(!many || replica.engine.batch().rows.len() >= MANY);
        match replica.commit() {
            Ok(written) => {
                for written in written {
                    writeln!(acks, "{} {}", written.dot.origin.0, written.dot.seq).expect("an acknowledgement noted");
                }
            }
            Err(error) => {
                // For ever: a sync is not tried again.
                assert!(matches!(error.kind, StoreErrorKind::Io | StoreErrorKind::Poisoned), "{error}");
                let again = replica.commit().expect_err("a store that failed stays failed");
                assert_eq!(again.kind, StoreErrorKind::Poisoned, "{again}");
                return false;
            }
        }
    }
    true
}
