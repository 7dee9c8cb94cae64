//! Who waits for which transaction: each is woken when that one is applied, and not before.

use anabranch_causality::{Origin, VersionVector};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// The most requests that wait for their tokens at a time.
pub(crate) const MAX_WAITING: usize = 10_000;

/// Who waits. A commit costs one look per origin that is waited for, however many wait.
#[derive(Default)]
pub(crate) struct Waiters {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    by_origin: BTreeMap<Origin, BTreeMap<(u64, u64), oneshot::Sender<()>>>,
    count: usize,
    next_id: u64,
    closed: bool,
}

/// As many wait as may.
pub(crate) struct Full;

/// A place among those that wait: given up when dropped.
pub(crate) struct Place<'a> {
    waiters: &'a Waiters,
    origin: Origin,
    at: (u64, u64),
    woken: oneshot::Receiver<()>,
}

impl Waiters {
    /// Waits for that transaction. Look at the state once more after this: it may have come in between.
    pub(crate) fn wait_for(&self, origin: Origin, seq: u64) -> Result<Place<'_>, Full> {
        let mut inner = self.lock();
        if inner.count >= MAX_WAITING {
            return Err(Full);
        }
        let (sender, woken) = oneshot::channel();
        inner.next_id += 1;
        let at = (seq, inner.next_id);
        if !inner.closed {
            inner.count += 1;
            inner.by_origin.entry(origin).or_default().insert(at, sender);
        }
        drop(inner);
        Ok(Place { waiters: self, origin, at, woken })
    }

    /// Whether somebody waits.
    pub(crate) fn any(&self) -> bool {
        self.lock().count > 0
    }

    /// Wakes those whose transaction has been applied.
    pub(crate) fn reached(&self, vector: &VersionVector) {
        let mut inner = self.lock();
        if inner.count == 0 {
            return;
        }
        let mut woken = 0;
        inner.by_origin.retain(|origin, waiting| {
            let rest = waiting.split_off(&(vector.get(*origin).saturating_add(1), 0));
            woken += waiting.len();
            // Dropping its sender wakes who waits.
            *waiting = rest;
            !waiting.is_empty()
        });
        inner.count -= woken;
    }

    /// Wakes everybody: nothing more will come.
    pub(crate) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.count = 0;
        inner.by_origin.clear();
    }

    /// A panic of another thread leaves count and lists in step: each change to them is whole.
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Returns when the transaction was applied, or nothing more will come.
    pub(crate) async fn woken(&mut self) {
        // Nothing is ever sent: the sender is dropped.
        let _ = (&mut self.woken).await;
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = self.waiters.lock();
        let Some(waiting) = inner.by_origin.get_mut(&self.origin) else { return };
        if waiting.remove(&self.at).is_some() {
            if waiting.is_empty() {
                inner.by_origin.remove(&self.origin);
            }
            inner.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(waiters: &Waiters) -> usize {
        waiters.lock().count
    }

    #[test]
    fn who_has_what_it_waits_for_is_woken_and_nobody_else() {
        let waiters = Waiters::default();
        let place = |origin, seq| waiters.wait_for(Origin(origin), seq).ok().expect("room");
        let (mut first, mut second, mut other) = (place(1, 5), place(1, 6), place(2, 1));
        waiters.reached(&[(Origin(1), 5)].into_iter().collect());
        assert!(first.woken.try_recv() == Err(oneshot::error::TryRecvError::Closed));
        assert!(second.woken.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert!(other.woken.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert_eq!(count(&waiters), 2);
        drop((first, second, other));
        assert_eq!(count(&waiters), 0);
    }

    #[test]
    fn no_more_wait_than_may_and_places_come_back() {
        let waiters = Waiters::default();
        let places: Vec<_> = (0..MAX_WAITING as u64).map(|seq| waiters.wait_for(Origin(1), seq + 1).ok()).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(waiters.wait_for(Origin(1), 1).is_err());
        drop(places);
        assert!(waiters.wait_for(Origin(1), 1).is_ok());
    }

    #[test]
    fn nobody_waits_for_what_is_closed() {
        let waiters = Waiters::default();
        let mut before = waiters.wait_for(Origin(1), 1).ok().expect("room");
        waiters.close();
        let mut after = waiters.wait_for(Origin(1), 1).ok().expect("room");
        for place in [&mut before, &mut after] {
            assert!(place.woken.try_recv() == Err(oneshot::error::TryRecvError::Closed));
        }
    }
}
