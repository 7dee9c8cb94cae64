//! What peers send: applied in causal order, exactly once; what comes too early waits in a bounded buffer.

use crate::engine::{Alarm, Engine, Output};
use crate::mutant::Mutant;
use crate::query;
use crate::record::Record;
use crate::store::{Read, StoreError};
use crate::time::Time;
use anabranch_causality::{DecodeError, Dot, Origin, Transaction, VersionVector};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;

/// The receiving side of one connection.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    /// What the peer says it has on disk.
    pub(crate) offered: VersionVector,
    /// Something came from it: it is to hear what we have, once that is on disk.
    pub(crate) ack_due: bool,
    /// Something of it was lost: it must send again.
    pub(crate) rewind_due: bool,
    /// Not before then is it asked again, on the monotonic clock: each time it sends all that we lack.
    pub(crate) rewind_at_ms: u64,
    /// When it was last heard, on the monotonic clock.
    pub(crate) heard_ms: u64,
    /// How far its wall clock was ahead of ours, in milliseconds, when it was last heard.
    pub(crate) ahead: VecDeque<i64>,
}

/// From how many heartbeats the peer's clock is judged, at the most and at the least.
const CLOCK_SAMPLES: usize = 8;
const CLOCK_JUDGED: usize = 4;
/// What a waiting transaction costs beside its bytes, roughly.
const WAITING_BYTES: usize = 512;
/// The most origins that no newer one implies: what tokens, acknowledgements and the clocks row list.
pub(crate) const MAX_ORIGINS: usize = 4_096;
/// The most origins that are parked; a peer that brings more is turned away instead.
const MAX_PARKED: usize = 1_000;
/// How many transactions of one message that came again are compared with the log: each costs a look-up.
const COMPARED: usize = 16;

impl Incoming {
    /// Takes note of how far the peer's clock seems ahead of ours.
    pub(crate) fn note_clock(&mut self, ahead_ms: i64) {
        if self.ahead.len() == CLOCK_SAMPLES {
            self.ahead.pop_front();
        }
        self.ahead.push_back(ahead_ms);
    }

    /// Whether enough was heard to judge the peer's clock by: the first heartbeats may have been long under way.
    pub(crate) fn clock_is_judged(&self) -> bool {
        self.ahead.len() >= CLOCK_JUDGED
    }

    /// How far the peer's clock is ahead of ours, in milliseconds. A message that was long under way makes it look
    /// behind, never ahead: the sample that was under way the shortest is the best.
    pub(crate) fn clock_ahead_ms(&self) -> Option<i64> {
        self.ahead.iter().max().copied()
    }
}

/// Transactions that came before what they depend on.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    by_origin: BTreeMap<Origin, BTreeMap<u64, (Transaction, Vec<u8>)>>,
    pub(crate) count: usize,
    bytes: usize,
}

impl Waiting {
    fn insert(&mut self, transaction: Transaction, bytes: Vec<u8>) {
        let length = bytes.len() + WAITING_BYTES;
        let origin = self.by_origin.entry(transaction.dot.origin).or_default();
        // Of two that claim one dot the first is kept: the second is compared when it comes again.
        if let Entry::Vacant(place) = origin.entry(transaction.dot.seq) {
            place.insert((transaction, bytes));
            self.count += 1;
            self.bytes += length;
        }
    }

    fn take(&mut self, origin: Origin, seq: u64) -> Option<(Transaction, Vec<u8>)> {
        let waiting = self.by_origin.get_mut(&origin)?;
        let found = waiting.remove(&seq);
        if waiting.is_empty() {
            self.by_origin.remove(&origin);
        }
        if let Some((_, bytes)) = &found {
            self.count -= 1;
            self.bytes -= bytes.len() + WAITING_BYTES;
        }
        found
    }

    /// Forgets an origin's transactions that were applied meanwhile, and says which one waits at the front.
    fn front(&mut self, origin: Origin, applied: u64) -> Option<&Transaction> {
        while self.by_origin.get(&origin).and_then(|waiting| waiting.first_key_value()).map(|(seq, _)| *seq)? <= applied
        {
            let seq = self.by_origin.get(&origin)?.first_key_value().map(|(seq, _)| *seq)?;
            self.take(origin, seq);
        }
        self.by_origin.get(&origin)?.first_key_value().map(|(_, (transaction, _))| transaction)
    }

    fn origins(&self) -> Vec<Origin> {
        self.by_origin.keys().copied().collect()
    }

    pub(crate) fn forget(&mut self, origin: Origin) {
        for (_, (_, bytes)) in self.by_origin.remove(&origin).unwrap_or_default() {
            self.count -= 1;
            self.bytes -= bytes.len() + WAITING_BYTES;
        }
    }
}

impl Engine {
    pub(crate) fn handle_transactions(
        &mut self,
        store: &dyn Read,
        time: Time,
        peer: &str,
        list: Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        if let Some(found) = self.peers.get_mut(peer) {
            found.incoming.ack_due = true;
        }
        let mut compared = COMPARED;
        for bytes in list {
            if let Err(error) = self.receive(store, time, peer, bytes, &mut compared)? {
                let reason = format!("sent what is no transaction: {error}");
                self.outputs.push_back(Output::Disconnect { peer: peer.to_owned(), reason });
                return Ok(());
            }
        }
        self.drain(store, time)
    }

    /// Takes one transaction. The inner error: the bytes are to blame, and nothing says whose transaction they were.
    fn receive(
        &mut self,
        store: &dyn Read,
        time: Time,
        peer: &str,
        bytes: Vec<u8>,
        compared: &mut usize,
    ) -> Result<Result<(), DecodeError>, StoreError> {
        let dot = match Transaction::peek(&bytes) {
            Ok(dot) => dot,
            Err(error) => return Ok(Err(error)),
        };
        if dot.shard != self.config.shard {
            return Ok(Err(DecodeError::Invalid("shard")));
        }
        if self.parked_origins.contains_key(&dot.origin) {
            return Ok(Ok(()));
        }
        if dot.origin == self.origin && dot.seq > self.own_seq {
            self.alarm(Alarm::OwnOriginAhead { peer: peer.to_owned(), seq: dot.seq, own: self.own_seq });
            return Ok(Err(DecodeError::Invalid("transaction of the receiver's own origin")));
        }
        let seen = self.state.vector.get(dot.origin);
        if dot.seq <= seen && !self.planted.is(Mutant::ApplyTwice) {
            self.counters.duplicates += 1;
            if *compared > 0 {
                *compared -= 1;
                self.compare(store, dot, &bytes)?;
            }
            return Ok(Ok(()));
        }
        if dot.seq == 1 && self.state.lineages.compact(&self.state.vector).len() >= MAX_ORIGINS {
            return Ok(Err(DecodeError::TooLarge("number of origins")));
        }
        match Transaction::decode_over(std::mem::take(&mut self.spare), &bytes) {
            Err(error) if self.parked_origins.len() >= MAX_PARKED => return Ok(Err(error)),
            Err(error) => self.park_origin(dot.origin, format!("{dot} from {peer} cannot be read: {error}")),
            Ok(transaction) if self.is_ready(&transaction) => self.accept(store, time, transaction, bytes)?,
            Ok(transaction) => self.wait(peer, transaction, bytes),
        }
        Ok(Ok(()))
    }

    fn is_ready(&self, transaction: &Transaction) -> bool {
        let vector = &self.state.vector;
        let previous = transaction.lineage.as_ref().and_then(|lineage| lineage.previous);
        let next = vector.get(transaction.dot.origin) + 1;
        if self.planted.is(Mutant::ApplyTwice) && transaction.dot.seq < next {
            return true;
        }
        if self.planted.is(Mutant::IgnoreDependencies) {
            return transaction.dot.seq == next;
        }
        transaction.dot.seq == next
            && vector.covers(&transaction.dependencies)
            && previous.is_none_or(|(origin, last)| vector.get(origin) >= last)
    }

    fn accept(
        &mut self,
        store: &dyn Read,
        time: Time,
        mut transaction: Transaction,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        let dot = transaction.dot;
        if let Some(ahead_ms) = self.clock.observe(transaction.hlc, time.wall_ms) {
            self.counters.stamps_ahead += 1;
            if self.planted.is(Mutant::DropOnSkew) {
                transaction.effects.clear();
            }
            if self.stamped_ahead.insert(dot.origin) {
                self.alarm(Alarm::StampAhead { origin: dot.origin, ahead_ms });
            }
        }
        self.changed.raise(dot.origin, dot.seq);
        self.apply(store, transaction, bytes)
    }

    /// Keeps a transaction for later. Past the limit it is dropped, and the peer will be asked to send it again.
    fn wait(&mut self, peer: &str, transaction: Transaction, bytes: Vec<u8>) {
        let full = self.waiting.bytes + bytes.len() + WAITING_BYTES > self.config.buffer_bytes;
        if full && !self.planted.is(Mutant::UnboundedBuffer) {
            self.counters.buffer_overflows += 1;
            if let Some(found) = self.peers.get_mut(peer) {
                found.incoming.rewind_due = true;
            }
            return;
        }
        // Not in the memory of a larger one: many may wait.
        self.waiting.insert(transaction.clone(), bytes);
    }

    /// Applies what waits and now can be.
    fn drain(&mut self, store: &dyn Read, time: Time) -> Result<(), StoreError> {
        loop {
            let mut progress = false;
            for origin in self.waiting.origins() {
                while let Some((transaction, bytes)) = self.take_ready(origin) {
                    self.accept(store, time, transaction, bytes)?;
                    progress = true;
                }
            }
            if !progress {
                return Ok(());
            }
        }
    }

    fn take_ready(&mut self, origin: Origin) -> Option<(Transaction, Vec<u8>)> {
        let applied = self.state.vector.get(origin);
        let mut waiting = std::mem::take(&mut self.waiting);
        let ready = waiting.front(origin, applied).filter(|next| self.is_ready(next)).map(|next| next.dot.seq);
        let taken = ready.and_then(|seq| waiting.take(origin, seq));
        self.waiting = waiting;
        taken
    }

    /// A dot that came again must name the same transaction.
    fn compare(&mut self, store: &dyn Read, dot: Dot, bytes: &[u8]) -> Result<(), StoreError> {
        if self.durable.get(dot.origin) < dot.seq {
            return Ok(());
        }
        let start = query::log_index(store, dot.origin, dot.seq)?;
        let mut same = None;
        let mut failed = None;
        let mut steps = 0;
        store.log(start, &mut |_, record| {
            steps += 1;
            match Record::decode(record) {
                Err(error) => failed = Some(error),
                Ok(record) if Transaction::peek(record.transaction) == Ok(dot) => {
                    same = Some(record.transaction == bytes)
                }
                Ok(_) => {}
            }
            let done = same.is_some() || failed.is_some() || steps > 256;
            if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if same == Some(false) {
            self.park_origin(dot.origin, format!("{dot} names two different transactions"));
        }
        failed.map_or(Ok(()), Err)
    }

    fn park_origin(&mut self, origin: Origin, reason: String) {
        self.waiting.forget(origin);
        self.alarm(Alarm::OriginParked { origin, reason: reason.clone() });
        self.parked_origins.insert(origin, reason);
    }
}
