//! Where a view is read: a key of few rows at once, everything else on a thread that may wait for the disk.

use crate::problem::{Code, Problem};
use anabranch::{Kind, View};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A read that took longer than this has waited for the disk, or for a core while others had it.
const SLOW: Duration = Duration::from_millis(1);
/// So many quick reads after a slow one, it was the core: a disk that is read at all is read more often.
const FORGET: u32 = 32;
/// For how long reads go to the threads that may wait, when it was the disk.
const AVOID: Duration = Duration::from_millis(100);

/// How reads have gone of late.
///
/// A key in memory or in the page cache is read in microseconds, less than it costs to wake another thread for it. One
/// that comes from a slow disk would hold up all that shares the thread, so that two of them with few others in between
/// send the next ones elsewhere for a while.
pub(crate) struct Reads {
    start: Instant,
    /// Until when not to read at once, in microseconds since `start`.
    avoid_until: AtomicU64,
    /// Quick ones since the last slow one.
    quick: AtomicU32,
}

impl Default for Reads {
    fn default() -> Self {
        Self { start: Instant::now(), avoid_until: AtomicU64::new(0), quick: AtomicU32::new(FORGET) }
    }
}

impl Reads {
    /// Reads one key of a collection of that kind: at once, if it has few rows and reads have been quick of late.
    pub(crate) async fn key<T: Send + 'static>(
        &self,
        view: &Arc<View>,
        kind: Kind,
        read: impl FnOnce(&Arc<View>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let begun = self.start.elapsed();
        if !has_few_rows(kind) || micros(begun) < self.avoid_until.load(Ordering::Relaxed) {
            return apart(view.clone(), read).await;
        }
        // Resolvers may be others' code: one that panics fails this read only, as it would on another thread.
        let found = catch_unwind(AssertUnwindSafe(|| read(view))).unwrap_or_else(|_| Err(failed()));
        self.note(begun, self.start.elapsed());
        found
    }

    fn note(&self, begun: Duration, now: Duration) {
        if now - begun <= SLOW {
            // Nothing is written once it is forgotten: all threads come by here. What they miss of each other is little.
            let quick = self.quick.load(Ordering::Relaxed);
            if quick < FORGET {
                self.quick.store(quick + 1, Ordering::Relaxed);
            }
        } else if self.quick.swap(0, Ordering::Relaxed) < FORGET {
            self.avoid_until.store(micros(now + AVOID), Ordering::Relaxed);
        }
    }
}

/// Whether reading a key takes a handful of rows. Of the other kinds, all of a set or of a text is read for its value.
pub(crate) fn has_few_rows(kind: Kind) -> bool {
    matches!(kind, Kind::REGISTER | Kind::G_COUNTER | Kind::PN_COUNTER)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Reads from a view on a thread that may wait for the disk.
pub(crate) async fn apart<T: Send + 'static>(
    view: Arc<View>,
    read: impl FnOnce(&Arc<View>) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let task = tokio::task::spawn_blocking(move || read(&view));
    task.await.unwrap_or_else(|_| Err(failed()))
}

fn failed() -> Problem {
    Problem::new(Code::Internal, "reading failed: this is a fault of the server")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch::Database;
    use std::thread::{self, ThreadId};

    async fn thread_of(reads: &Reads, kind: Kind) -> ThreadId {
        let dir = tempfile::tempdir().expect("a directory");
        let database = Database::open(dir.path()).expect("a database");
        reads.key(&database.view(), kind, |_| Ok(thread::current().id())).await.expect("read")
    }

    #[tokio::test]
    async fn keys_of_few_rows_are_read_at_once_others_apart() {
        let here = thread::current().id();
        for kind in [Kind::REGISTER, Kind::G_COUNTER, Kind::PN_COUNTER] {
            assert_eq!(thread_of(&Reads::default(), kind).await, here, "{kind}");
        }
        for kind in [Kind::OR_SET, Kind::MAP, Kind::CART, Kind::CALENDAR, Kind::TEXT, Kind(200)] {
            assert_ne!(thread_of(&Reads::default(), kind).await, here, "{kind}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_that_reads_failure_only() {
        let dir = tempfile::tempdir().expect("a directory");
        let database = Database::open(dir.path()).expect("a database");
        for kind in [Kind::REGISTER, Kind::OR_SET] {
            let read = |_: &Arc<View>| -> Result<(), Problem> { panic!("a test's panic") };
            let problem = Reads::default().key(&database.view(), kind, read).await.expect_err("it failed");
            assert_eq!(problem.code(), Code::Internal, "{kind}");
        }
    }

    /// Whether reads are sent elsewhere after two slow ones with so many quick ones in between; for the time after `now`.
    fn avoids(between: u32, now: Duration) -> (Reads, bool) {
        let (reads, slow) = (Reads::default(), SLOW * 2);
        reads.note(now - slow, now);
        (0..between).for_each(|_| reads.note(now, now));
        assert_eq!(reads.avoid_until.load(Ordering::Relaxed), 0, "once is nothing");
        reads.note(now - slow, now);
        let avoids = reads.avoid_until.load(Ordering::Relaxed) > micros(now);
        (reads, avoids)
    }

    #[tokio::test]
    async fn slow_reads_close_together_send_the_next_ones_elsewhere_for_a_while() {
        let an_hour = Duration::from_secs(3_600);
        assert!(!avoids(FORGET, an_hour).1);
        let (reads, avoids) = avoids(FORGET - 1, an_hour);
        let here = thread::current().id();
        assert!(avoids);
        assert_ne!(thread_of(&reads, Kind::REGISTER).await, here);
        reads.avoid_until.store(micros(reads.start.elapsed()), Ordering::Relaxed);
        assert_eq!(thread_of(&reads, Kind::REGISTER).await, here, "it is over");
    }
}
