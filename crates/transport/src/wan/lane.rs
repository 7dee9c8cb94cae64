//! One direction of a simulated link: what is under way, and when each datagram is due.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::profile::LinkProfile;
use super::random::Random;

/// How much may be under way in one direction, in bytes.
const CAPACITY: usize = 32 * 1024 * 1024;
/// What a datagram costs beside its bytes, so that empty ones are bounded too.
const OVERHEAD: usize = 64;
/// How many datagrams are taken out at a time.
const BATCH: usize = 64;

/// What has become of the datagrams of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Sent on to the other side, copies included.
    pub delivered: u64,
    /// Bytes sent on to the other side, copies included.
    pub delivered_bytes: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Copies made by chance.
    pub duplicated: u64,
    /// Held back by chance, for others to overtake.
    pub reordered: u64,
    /// Lost because the direction was cut.
    pub cut: u64,
    /// Dropped because too much was under way.
    pub overflowed: u64,
    /// Dropped because too many clients use the link.
    pub refused: u64,
}

/// A datagram and where it is to go: over `socket`, to `to` unless the socket is connected.
#[derive(Debug, Clone)]
pub(super) struct Datagram {
    pub(super) bytes: Vec<u8>,
    pub(super) socket: Arc<UdpSocket>,
    pub(super) to: Option<SocketAddr>,
}

#[derive(Debug)]
pub(super) struct Lane {
    state: Mutex<State>,
    /// Rung when something is due earlier than the deliverer thinks.
    bell: Notify,
}

#[derive(Debug)]
struct State {
    profile: LinkProfile,
    cut: bool,
    random: Random,
    under_way: BinaryHeap<Waiting>,
    queued_bytes: usize,
    arrivals: u64,
    /// When the last datagram is due which kept its place in the order.
    last_due: Instant,
    stats: LinkStats,
}

#[derive(Debug)]
struct Waiting {
    due: Instant,
    number: u64,
    datagram: Datagram,
}

impl Lane {
    pub(super) fn new(profile: LinkProfile, seed: u64) -> Self {
        Self {
            state: Mutex::new(State {
                profile,
                cut: false,
                random: Random::new(seed),
                under_way: BinaryHeap::new(),
                queued_bytes: 0,
                arrivals: 0,
                last_due: Instant::now(),
                stats: LinkStats::default(),
            }),
            bell: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_profile(&self, profile: LinkProfile) {
        self.lock().profile = profile;
    }

    pub(super) fn set_cut(&self, cut: bool) {
        let mut state = self.lock();
        state.cut = cut;
        if cut {
            state.stats.cut += state.under_way.len() as u64;
            state.under_way.clear();
            state.queued_bytes = 0;
            state.last_due = Instant::now();
        }
    }

    pub(super) fn stats(&self) -> LinkStats {
        self.lock().stats
    }

    pub(super) fn refuse(&self) {
        self.lock().stats.refused += 1;
    }

    /// Lets a datagram into the link.
    pub(super) fn offer(&self, datagram: Datagram) {
        let now = Instant::now();
        let mut state = self.lock();
        let due_before = state.under_way.peek().map(|first| first.due);
        state.offer(now, datagram);
        let due_after = state.under_way.peek().map(|first| first.due);
        drop(state);
        if due_after.is_some() && due_before.is_none_or(|before| due_after < Some(before)) {
            self.bell.notify_one();
        }
    }

    /// Takes out what is due, and says when the next datagram is.
    fn take_due(&self, now: Instant, batch: &mut Vec<Datagram>) -> Option<Instant> {
        let mut state = self.lock();
        while batch.len() < BATCH && state.under_way.peek().is_some_and(|w| w.due <= now) {
            let Some(waiting) = state.under_way.pop() else {
                break;
            };
            state.queued_bytes -= cost(&waiting.datagram);
            state.stats.delivered += 1;
            state.stats.delivered_bytes += waiting.datagram.bytes.len() as u64;
            batch.push(waiting.datagram);
        }
        state.under_way.peek().map(|first| first.due)
    }
}

impl State {
    fn offer(&mut self, now: Instant, datagram: Datagram) {
        // Every datagram takes the same number of draws, so that the fate of the n-th does not
        // depend on what was done to those before.
        let [loss, duplicate, reorder, jitter, extra] = std::array::from_fn(|_| self.random.unit());
        let profile = self.profile;
        if self.cut {
            self.stats.cut += 1;
            return;
        }
        if loss < profile.loss {
            self.stats.lost += 1;
            return;
        }
        let plain = now + profile.delay + profile.jitter.mul_f64(jitter);
        let due = if reorder < profile.reorder {
            self.stats.reordered += 1;
            let span = (profile.delay / 2).max(Duration::from_millis(5));
            plain + span.mul_f64(extra)
        } else {
            self.last_due = self.last_due.max(plain);
            self.last_due
        };
        if duplicate < profile.duplicate {
            self.stats.duplicated += 1;
            self.enqueue(due, datagram.clone());
        }
        self.enqueue(due, datagram);
    }

    fn enqueue(&mut self, due: Instant, datagram: Datagram) {
        if self.queued_bytes + cost(&datagram) > CAPACITY {
            self.stats.overflowed += 1;
            return;
        }
        self.queued_bytes += cost(&datagram);
        self.arrivals += 1;
        self.under_way.push(Waiting { due, number: self.arrivals, datagram });
    }
}

fn cost(datagram: &Datagram) -> usize {
    datagram.bytes.len() + OVERHEAD
}

/// Sends on what is due, for as long as the link lives. One timer serves all that is under way.
pub(super) async fn deliver(lane: Arc<Lane>) {
    let mut batch = Vec::with_capacity(BATCH);
    loop {
        let next = lane.take_due(Instant::now(), &mut batch);
        if batch.is_empty() {
            match next {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due) => {}
                    () = lane.bell.notified() => {}
                },
                None => lane.bell.notified().await,
            }
        }
        for datagram in batch.drain(..) {
            // A datagram which cannot be sent is lost, as in any network.
            let _ = match datagram.to {
                Some(to) => datagram.socket.send_to(&datagram.bytes, to).await,
                None => datagram.socket.send(&datagram.bytes).await,
            };
        }
    }
}

// The heap gives the greatest first: what is due earliest, then what came earliest.
impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.due, other.number).cmp(&(self.due, self.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}
