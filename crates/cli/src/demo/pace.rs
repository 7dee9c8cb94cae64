//! How fast clients write: spread over the demonstration, and no further than its story has come.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long all writes together take when nothing holds them up.
const WHOLE: Duration = Duration::from_secs(8);
/// Long enough that a handful of writes are under way at the same moment.
const TICK: Duration = Duration::from_millis(20);

/// Lets writes begin: each needs a permit.
pub(super) struct Pace {
    permits: Semaphore,
    total: u64,
    clock: Mutex<Clock>,
}

impl Pace {
    /// No write begins before [`Pace::allow`].
    pub(super) fn new(total: u64) -> Self {
        Self { permits: Semaphore::new(0), total, clock: Mutex::default() }
    }

    /// How many writes that percentage of all is.
    pub(super) fn share(&self, percent: u64) -> u64 {
        self.total * percent / 100
    }

    /// Lets writes begin until that percentage of all has.
    pub(super) fn allow(&self, percent: u64) {
        self.clock().ceiling = self.share(percent);
    }

    /// Lets that many writes begin at the same moment, within what is allowed.
    pub(super) fn burst(&self, writes: u64) {
        let due = self.clock().advance(writes as f64);
        self.permits.add_permits(due as usize);
    }

    /// Hands out permits for ever.
    pub(super) async fn run(&self) -> Infallible {
        let each = self.total as f64 * TICK.as_secs_f64() / WHOLE.as_secs_f64();
        let mut tick = tokio::time::interval(TICK);
        loop {
            tick.tick().await;
            let due = self.clock().advance(each);
            self.permits.add_permits(due as usize);
        }
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more write may begin.
    pub(super) async fn one_more(&self) {
        // Fails only when closed, which nobody does.
        if let Ok(permit) = self.permits.acquire().await {
            permit.forget();
        }
    }
}

/// How many permits are due.
#[derive(Default)]
struct Clock {
    ceiling: u64,
    due: f64,
    handed_out: u64,
}

impl Clock {
    /// Permits to hand out when that many more are due, up to the ceiling.
    fn advance(&mut self, more: f64) -> u64 {
        self.due = (self.due + more).min(self.ceiling as f64);
        let permits = (self.due as u64).saturating_sub(self.handed_out);
        self.handed_out += permits;
        permits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_begin_up_to_the_ceiling() {
        let mut clock = Clock::default();
        assert_eq!(clock.advance(7.0), 0);
        clock.ceiling = 600;
        // Parts of a write add up.
        assert_eq!((0..100).map(|_| clock.advance(2.5)).sum::<u64>(), 250);
        assert_eq!(clock.advance(1_000.0), 350);
        assert_eq!(clock.advance(1.0), 0);
        clock.ceiling = 1_000;
        assert_eq!(clock.advance(96.0), 96);
    }
}
