//! What readers see: the state after the last commit.

use super::members::Members;
use super::waiters::{Full, MAX_WAITING, Waiters};
use crate::conflicts::Held;
use crate::error::WaitError;
use crate::view::{Closed, View};
use anabranch_causality::Token;
use arc_swap::ArcSwap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Instant;

/// A state that somebody may have let go of already.
type WeaklyHeld = Weak<Mutex<Option<Arc<View>>>>;

/// The state after the last commit, and who waits for the next.
pub(crate) struct Published {
    view: ArcSwap<View>,
    changed: tokio::sync::watch::Sender<u64>,
    closed: Mutex<bool>,
    woken: Condvar,
    waiters: Waiters,
    /// How many threads wait.
    blocked: AtomicUsize,
    members: tokio::sync::watch::Sender<Arc<Members>>,
    /// States that somebody holds on to.
    held: Mutex<Vec<WeaklyHeld>>,
    /// Places for those that wait for other members' acknowledgements.
    pub(crate) acknowledgements: tokio::sync::Semaphore,
}

impl Published {
    pub(crate) fn new(view: View) -> Self {
        Self {
            changed: tokio::sync::watch::Sender::new(view.index),
            view: ArcSwap::from_pointee(view),
            closed: Mutex::new(false),
            woken: Condvar::new(),
            waiters: Waiters::default(),
            blocked: AtomicUsize::new(0),
            members: tokio::sync::watch::Sender::default(),
            held: Mutex::default(),
            acknowledgements: tokio::sync::Semaphore::new(MAX_WAITING),
        }
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    pub(crate) fn publish(&self, view: View) {
        let view = Arc::new(view);
        let (index, full) = (view.index, view.full.clone());
        self.view.store(view);
        // After the new state can be seen: whoever comes to wait from here on sees it first.
        self.waiters.reached(&full);
        self.wake(index);
    }

    fn wake(&self, index: u64) {
        // Under the lock, so that nobody who looked before and waits after misses it.
        let guard = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        self.woken.notify_all();
        drop(guard);
        self.changed.send_replace(index);
    }

    /// Whether somebody waits for what has yet to be published: a state, or what other members have.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiters.any()
            || self.blocked.load(Ordering::Relaxed) > 0
            || self.acknowledgements.available_permits() < MAX_WAITING
    }

    /// No more states will come, and the last one is let go so that the store can be opened again.
    pub(crate) fn close(&self) {
        let last = self.view();
        let closed = View { read: Arc::new(Closed), ..(*last).clone() };
        drop(last);
        self.view.store(Arc::new(closed));
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = true;
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        for held in held.iter().filter_map(Weak::upgrade) {
            *held.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        self.wake(u64::MAX);
        self.waiters.close();
    }

    /// A state to hold on to for long: until the database is closed.
    pub(crate) fn hold(&self, view: Arc<View>) -> Held {
        let held = Held::default();
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.closed.lock().unwrap_or_else(PoisonError::into_inner) {
            return held;
        }
        all.retain(|held| held.strong_count() > 0);
        all.push(Arc::downgrade(&held));
        *held.lock().unwrap_or_else(PoisonError::into_inner) = Some(view);
        held
    }

    /// What the other members have on disk, and each change of it.
    pub(crate) fn members(&self) -> tokio::sync::watch::Receiver<Arc<Members>> {
        self.members.subscribe()
    }

    pub(crate) fn publish_members(&self, members: Members) {
        self.members.send_replace(Arc::new(members));
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
            self.blocked.fetch_add(1, Ordering::Relaxed);
            closed = self.woken.wait_timeout(closed, left).unwrap_or_else(PoisonError::into_inner).0;
            self.blocked.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// As [`Published::reach`], costing no thread, and nothing while what is missing does not come.
    pub(crate) async fn reach_async(&self, token: &Token, deadline: Instant) -> Result<Arc<View>, WaitError> {
        loop {
            if *self.changed.borrow() == u64::MAX {
                return Err(WaitError::Closed);
            }
            let view = self.view();
            let Err(missing) = view.satisfies(token) else { return Ok(view) };
            let WaitError::NotReached { need, .. } = &missing else { return Err(missing) };
            let lacking = need.iter().find(|(origin, seq)| view.full.get(*origin) < *seq);
            let Some((origin, seq)) = lacking else { return Ok(view) };
            let mut place = self.waiters.wait_for(origin, seq).map_err(|Full| WaitError::Busy)?;
            if self.view().full.get(origin) >= seq {
                continue;
            }
            if tokio::time::timeout_at(deadline.into(), place.woken()).await.is_err() {
                return self.view().satisfies(token).map(|()| self.view());
            }
        }
    }
}
