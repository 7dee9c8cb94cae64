//! What readers see: the state after the last commit.

use crate::error::WaitError;
use crate::view::{Closed, View};
use anabranch_causality::Token;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

/// The most requests that wait for their tokens at a time.
const MAX_WAITING: usize = 10_000;

/// The state after the last commit, and who waits for the next.
pub(crate) struct Published {
    view: ArcSwap<View>,
    changed: tokio::sync::watch::Sender<u64>,
    closed: Mutex<bool>,
    woken: Condvar,
    waiting: AtomicUsize,
}

impl Published {
    pub(crate) fn new(view: View) -> Self {
        Self {
            changed: tokio::sync::watch::Sender::new(view.index),
            view: ArcSwap::from_pointee(view),
            closed: Mutex::new(false),
            woken: Condvar::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    pub(crate) fn publish(&self, view: View) {
        let index = view.index;
        self.view.store(Arc::new(view));
        self.wake(index);
    }

    fn wake(&self, index: u64) {
        // Under the lock, so that nobody who looked before and waits after misses it.
        let guard = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        self.woken.notify_all();
        drop(guard);
        self.changed.send_replace(index);
    }

    /// No more states will come, and the last one is let go so that the store can be opened again.
    pub(crate) fn close(&self) {
        let last = self.view();
        let closed = View { read: Arc::new(Closed), ..(*last).clone() };
        drop(last);
        self.view.store(Arc::new(closed));
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake(u64::MAX);
    }

    /// Hears of every new state: the log index after its last transaction; `u64::MAX` once the database is closed.
    pub(crate) fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The first state that has all that the token names, waiting for it until the deadline.
    pub(crate) fn reach(&self, token: &Token, deadline: Instant) -> Result<Arc<View>, WaitError> {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if *closed {
                return Err(WaitError::Closed);
            }
            let view = self.view();
            let Err(missing) = view.satisfies(token) else { return Ok(view) };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || missing == WaitError::NoSuchShard {
                return Err(missing);
            }
            closed = self.woken.wait_timeout(closed, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// As [`Published::reach`], costing no thread.
    pub(crate) async fn reach_async(&self, token: &Token, deadline: Instant) -> Result<Arc<View>, WaitError> {
        if *self.changed.borrow() == u64::MAX {
            return Err(WaitError::Closed);
        }
        let view = self.view();
        let Err(missing) = view.satisfies(token) else { return Ok(view) };
        if missing == WaitError::NoSuchShard {
            return Err(missing);
        }
        let _place = Place::take(&self.waiting)?;
        let mut changed = self.subscribe();
        let reached = async {
            loop {
                // Marked as seen before looking, so that a state that comes between the two wakes us.
                if *changed.borrow_and_update() == u64::MAX {
                    return Err(WaitError::Closed);
                }
                let view = self.view();
                if view.satisfies(token).is_ok() {
                    return Ok(view);
                }
                if changed.changed().await.is_err() {
                    return Err(WaitError::Closed);
                }
            }
        };
        match tokio::time::timeout_at(deadline.into(), reached).await {
            Ok(reached) => reached,
            Err(_) => self.view().satisfies(token).map(|()| self.view()),
        }
    }
}

/// A place among those that wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Result<Self, WaitError> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING { Err(WaitError::Busy) } else { Ok(place) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
