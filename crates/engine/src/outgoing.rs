//! What one peer is sent: all it lacks, in the order in which it was applied here, in a window of unacknowledged bytes.

use crate::engine::{Engine, Output};
use crate::mutant::Mutant;
use crate::query;
use crate::record::Record;
use crate::store::{Read, StoreError};
use anabranch_causality::{Dot, Origin, Transaction, VersionVector};
use anabranch_protocol::{Ack, FRAME_TARGET, Message};
use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

/// How many log records are looked at for one peer before others, and writes, have their turn: from the disk, that takes about
/// as long as a sync.
const STEPS: usize = 1_024;

/// The sending side of one connection.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    /// What the peer has on disk.
    pub(crate) acked: VersionVector,
    /// What it has or was sent.
    sent: VersionVector,
    /// The next log index to look at; `None` until the peer said what it has.
    cursor: Option<u64>,
    in_flight: VecDeque<(Origin, u64, usize)>,
    pub(crate) in_flight_bytes: usize,
    /// Origins that the peer wants relayed.
    want: BTreeSet<Origin>,
    /// Origins that the peer cannot read.
    parked: BTreeSet<Origin>,
    /// There was more to look at than one turn allows.
    pub(crate) more: bool,
}

impl Outgoing {
    /// The next log index to look at; `None` until the peer said what it has.
    pub(crate) fn cursor(&self) -> Option<u64> {
        self.cursor
    }

    fn wants(&self, own: Origin, dot: Dot) -> bool {
        (dot.origin == own || self.want.contains(&dot.origin))
            && dot.seq > self.sent.get(dot.origin)
            && !self.parked.contains(&dot.origin)
    }

    /// Whether it was sent all there is of what it gets from here.
    fn has_all(&self, own: Origin, durable: &VersionVector) -> bool {
        // Nearly always it is our own that is not all sent.
        std::iter::once(&own).chain(&self.want).all(|origin| durable.get(*origin) <= self.sent.get(*origin))
    }

    fn forget_acked(&mut self) {
        let (acked, parked) = (&self.acked, &self.parked);
        self.in_flight.retain(|(origin, seq, _)| *seq > acked.get(*origin) && !parked.contains(origin));
        self.in_flight_bytes = self.in_flight.iter().map(|(_, _, bytes)| bytes).sum();
    }

    /// The peer has at least `vector`.
    pub(crate) fn acknowledge(&mut self, vector: &VersionVector) {
        self.acked.join(vector);
        self.sent.join(&self.acked);
        while let Some((origin, seq, bytes)) = self.in_flight.front().copied() {
            if seq > self.acked.get(origin) {
                break;
            }
            self.in_flight.pop_front();
            self.in_flight_bytes -= bytes;
        }
    }
}

impl Engine {
    /// Takes in what a peer has and wants.
    pub(crate) fn handle_ack(&mut self, store: &dyn Read, peer: &str, ack: Ack) -> Result<(), StoreError> {
        let vector = self.state.lineages.expand(&ack.vector);
        self.acks_version += 1;
        self.note_offer(peer, &vector);
        let Some(found) = self.peers.get_mut(peer) else { return Ok(()) };
        found.incoming.offered.join(&vector);
        let outgoing = &mut found.outgoing;
        outgoing.acknowledge(&vector);
        let want: BTreeSet<Origin> = ack.want.into_iter().collect();
        let mut restart: Vec<Origin> = want.difference(&outgoing.want).copied().collect();
        for origin in &restart {
            // What it was sent when it wanted this origin before may have been lost.
            outgoing.sent.set(*origin, outgoing.acked.get(*origin));
            // What fills the window may itself wait for this origin: it must not hold it up.
            outgoing.in_flight.clear();
        }
        if ack.rewind || outgoing.cursor.is_none() {
            outgoing.sent = outgoing.acked.clone();
            outgoing.in_flight.clear();
            restart = want.iter().copied().chain([self.origin]).collect();
        }
        outgoing.want = want;
        outgoing.parked = ack.parked.into_iter().collect();
        outgoing.forget_acked();
        let sent = outgoing.sent.clone();
        let mut cursor = outgoing.cursor.unwrap_or(self.durable_index);
        for origin in restart {
            let lacks_from = sent.get(origin) + 1;
            if self.durable.get(origin) >= lacks_from {
                let indexed = query::log_index(store, origin, lacks_from)?;
                let noted = self.places.before(lacks_from).filter(|_| origin == self.origin);
                cursor = cursor.min(indexed.max(noted.unwrap_or(0)));
            }
        }
        if let Some(found) = self.peers.get_mut(peer) {
            found.outgoing.cursor = Some(cursor);
        }
        // It is sent what it lacks with the batch: after our own first word, and after the peers that lack less.
        Ok(())
    }

    /// Sends what a peer lacks, as far as its window allows.
    pub(crate) fn pump(&mut self, store: &dyn Read, peer: &str) -> Result<(), StoreError> {
        let Some(mut found) = self.peers.remove(peer) else { return Ok(()) };
        let pumped = self.fill_window(store, &mut found.outgoing);
        self.peers.insert(peer.to_owned(), found);
        for mut list in pumped? {
            if self.planted.is(Mutant::UnorderedRelay) {
                list.reverse();
            }
            self.counters.sent += list.len() as u64;
            self.outputs.push_back(Output::Send { peer: peer.to_owned(), message: Message::Transactions(list) });
        }
        Ok(())
    }

    fn fill_window(&self, store: &dyn Read, outgoing: &mut Outgoing) -> Result<Vec<Vec<Vec<u8>>>, StoreError> {
        let mut frames = vec![Vec::new()];
        let mut frame_bytes = 0;
        let Some(mut cursor) = outgoing.cursor else { return Ok(Vec::new()) };
        if outgoing.has_all(self.origin, &self.durable) {
            // Others bring it the rest: for each of many peers, looking at each record would be for nothing.
            outgoing.cursor = Some(self.durable_index);
            outgoing.more = false;
            return Ok(Vec::new());
        }
        let mut take = |outgoing: &mut Outgoing, dot: Dot, bytes: &[u8]| {
            if !outgoing.wants(self.origin, dot) {
                return;
            }
            if frame_bytes > 0 && frame_bytes + bytes.len() > FRAME_TARGET {
                frames.push(Vec::new());
                frame_bytes = 0;
            }
            frame_bytes += bytes.len();
            outgoing.sent.raise(dot.origin, dot.seq);
            outgoing.in_flight.push_back((dot.origin, dot.seq, bytes.len()));
            outgoing.in_flight_bytes += bytes.len();
            if let Some(frame) = frames.last_mut() {
                frame.push(bytes.to_vec());
            }
        };
        let mut steps = STEPS;
        while cursor < self.durable_index && steps > 0 && outgoing.in_flight_bytes < self.config.window_bytes {
            if let Some(entry) = self.tail.get(cursor) {
                take(outgoing, entry.dot, &entry.bytes);
                cursor += 1;
                steps -= 1;
                continue;
            }
            let mut failed = None;
            let before = cursor;
            store.log(cursor, &mut |index, bytes| {
                let read = Record::decode(bytes).and_then(|record| {
                    let dot = Transaction::peek(record.transaction)
                        .map_err(|error| StoreError::corrupt(format!("the log at {index}: {error}")))?;
                    take(outgoing, dot, record.transaction);
                    Ok(())
                });
                failed = read.err();
                cursor = index + 1;
                steps -= 1;
                let full = steps == 0 || outgoing.in_flight_bytes >= self.config.window_bytes;
                let done = failed.is_some() || full || cursor >= self.durable_index || self.tail.get(cursor).is_some();
                if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
            if cursor == before {
                return Err(StoreError::corrupt(format!("the log ends at {cursor}, not at {}", self.durable_index)));
            }
        }
        outgoing.cursor = Some(cursor);
        outgoing.more = steps == 0;
        frames.retain(|frame| !frame.is_empty());
        Ok(frames)
    }

    /// How many transactions of ours a peer has not acknowledged.
    pub(crate) fn unacked(&self, outgoing: &Outgoing) -> u64 {
        self.durable.iter().map(|(origin, seq)| seq.saturating_sub(outgoing.acked.get(origin))).sum()
    }
}
