//! Many seeds on many threads. Each seed runs on one of them, and knows nothing of the others.

use anabranch_sim::{Options, Report, Violation};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// What came of a seed.
pub(crate) type Outcome = (u64, Result<Report, Box<Violation>>);

/// Which seeds, and how.
pub(crate) struct Batch {
    pub(crate) from: u64,
    pub(crate) to: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) threads: usize,
    pub(crate) options: Options,
    /// Set from outside: no further seed begins.
    pub(crate) stop: Arc<AtomicBool>,
}

impl Batch {
    /// Runs them, and hands over what came of each, in no order; `None` about once a second while there is nothing. Returns the
    /// first seed that was not begun: all before it are done.
    pub(crate) fn run(&self, mut take: impl FnMut(Option<Outcome>)) -> u64 {
        let next = AtomicU64::new(self.from);
        let until = self.time.map(|time| Instant::now() + time);
        let (sender, outcomes) = mpsc::channel();
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                let (sender, next) = (sender.clone(), &next);
                scope.spawn(move || self.work(next, until, &sender));
            }
            drop(sender);
            while let Some(outcome) = wait(&outcomes) {
                take(outcome);
            }
        });
        next.into_inner().min(self.to.unwrap_or(u64::MAX))
    }

    fn work(&self, next: &AtomicU64, until: Option<Instant>, outcomes: &Sender<Outcome>) {
        loop {
            let over = until.is_some_and(|until| Instant::now() >= until);
            if over || self.stop.load(Ordering::Relaxed) {
                return;
            }
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if self.to.is_some_and(|to| seed >= to) {
                return;
            }
            let outcome = anabranch_sim::run(seed, self.options).map_err(Box::new);
            if outcomes.send((seed, outcome)).is_err() {
                return;
            }
        }
    }
}

/// `None` when all threads are done.
fn wait(outcomes: &Receiver<Outcome>) -> Option<Option<Outcome>> {
    match outcomes.recv_timeout(Duration::from_secs(1)) {
        Ok(outcome) => Some(Some(outcome)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}
