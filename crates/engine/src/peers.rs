//! Peers come and go, say what they have, and are compared with us.

use crate::digest;
use crate::engine::{Alarm, Engine, Output, Peer};
use crate::incoming::{Incoming, MAX_ORIGINS};
use crate::mutant::Mutant;
use crate::outgoing::Outgoing;
use crate::store::{Read, StoreError};
use crate::time::Time;
use anabranch_causality::Origin;
use anabranch_protocol::{BucketSample, Heartbeat, Message, Role};

/// How many buckets one heartbeat carries: all of them come round in 17.
const SAMPLES: u16 = 16;
/// How long a member counts as heard.
const HEARD_MS: u64 = 60_000;

impl Engine {
    /// A peer is connected: its name, region and role, and the origin under which it writes, from its hello. A peer that
    /// was connected before is connected anew.
    pub fn handle_connected(&mut self, time: Time, peer: &str, region: &str, role: Role, origin: Origin) {
        let incoming = Incoming { ack_due: true, heard_ms: time.mono_ms, ..Incoming::default() };
        let outgoing = Outgoing::default();
        let found = Peer { region: region.to_owned(), role, origin, incoming, outgoing };
        self.peers.insert(peer.to_owned(), found);
        self.relays.connected(origin);
        self.note_seen(time, peer, region, role);
        self.acks_version += 1;
        // Ahead of all that it lacks, so that it sees our clock undelayed.
        self.heartbeat_due = true;
    }

    /// A peer is gone.
    pub fn handle_disconnected(&mut self, peer: &str) {
        self.peers.remove(peer);
        self.forget_seen(peer);
        self.acks_version += 1;
    }

    /// A peer sent a message. Messages of peers that are not connected are ignored.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read: the engine must be dropped and opened again.
    pub fn handle_message(
        &mut self,
        store: &dyn Read,
        time: Time,
        peer: &str,
        message: Message,
    ) -> Result<(), StoreError> {
        let Some(found) = self.peers.get_mut(peer) else { return Ok(()) };
        found.incoming.heard_ms = time.mono_ms;
        let shard = match &message {
            Message::Transactions(_) => self.config.shard,
            Message::Ack(ack) => ack.shard,
            Message::Heartbeat(heartbeat) => heartbeat.shard,
        };
        if shard != self.config.shard {
            let reason = format!("speaks of shard {shard}, which is not here");
            self.outputs.push_back(Output::Disconnect { peer: peer.to_owned(), reason });
            return Ok(());
        }
        if self.claims_too_much(peer, &message) {
            return Ok(());
        }
        match message {
            Message::Transactions(list) => self.handle_transactions(store, time, peer, list)?,
            Message::Ack(ack) => self.handle_ack(store, peer, ack)?,
            Message::Heartbeat(heartbeat) => self.handle_heartbeat(time, peer, &heartbeat),
        }
        self.bound_offer(peer);
        Ok(())
    }

    /// Nobody can have more of the origin under which we write than we wrote. Believed, it would never be sent what comes, and
    /// count as having it.
    fn claims_too_much(&mut self, peer: &str, message: &Message) -> bool {
        let seq = match message {
            Message::Transactions(_) => return false,
            Message::Ack(ack) => ack.vector.get(self.origin),
            Message::Heartbeat(heartbeat) => heartbeat.vector.get(self.origin),
        };
        if seq <= self.own_seq {
            return false;
        }
        let (peer, own) = (peer.to_owned(), self.own_seq);
        self.alarm(Alarm::OwnOriginAhead { peer: peer.clone(), seq, own });
        let reason = format!("says that it has number {seq} of the receiver's own origin, which wrote {own}");
        self.outputs.push_back(Output::Disconnect { peer, reason });
        true
    }

    /// What a peer says it has is remembered: it may not make us remember without end.
    fn bound_offer(&mut self, peer: &str) {
        let lineages = &self.state.lineages;
        let named = |found: &Peer| lineages.compact(&found.incoming.offered).len();
        // Counting is worth it only when there are many.
        let many = self.peers.get(peer).filter(|found| found.incoming.offered.len() > MAX_ORIGINS);
        if many.is_some_and(|found| named(found) > MAX_ORIGINS) {
            let reason = format!("names more than {MAX_ORIGINS} origins");
            self.outputs.push_back(Output::Disconnect { peer: peer.to_owned(), reason });
            self.handle_disconnected(peer);
        }
    }

    fn handle_heartbeat(&mut self, time: Time, peer: &str, heartbeat: &Heartbeat) {
        let vector = self.state.lineages.expand(&heartbeat.vector);
        let wall_ms = i64::try_from(heartbeat.wall_ms).unwrap_or(i64::MAX);
        let seems = wall_ms.saturating_sub_unsigned(time.wall_ms);
        let (mut ahead, mut judged) = (seems, false);
        if let Some(found) = self.peers.get_mut(peer) {
            found.incoming.note_clock(seems);
            ahead = found.incoming.clock_ahead_ms().unwrap_or(seems);
            judged = found.incoming.clock_is_judged();
            found.incoming.offered.join(&vector);
            found.outgoing.acknowledge(&vector);
        }
        self.acks_version += 1;
        self.note_claim(time, peer, &vector, heartbeat.behind_ms, ahead.abs_diff(seems));
        let skewed = judged && ahead.unsigned_abs() > self.config.max_clock_skew_ms;
        if !skewed {
            self.skewed.remove(peer);
        } else if self.skewed.insert(peer.to_owned()) {
            self.alarm(Alarm::ClockSkew { peer: peer.to_owned(), ahead_ms: ahead });
        }
        self.compare_digests(peer, heartbeat);
    }

    /// Equal transactions must mean equal rows: of everything when the vectors are equal, of a bucket when the same
    /// transactions touched it.
    fn compare_digests(&mut self, peer: &str, heartbeat: &Heartbeat) {
        let Some(theirs) = heartbeat.digest else { return };
        if self.state.catalog.any_parked() {
            return;
        }
        if heartbeat.vector == self.state.lineages.compact(&self.state.vector) {
            self.note_digest(peer, None, theirs == self.state.digest.total());
        }
        for sample in &heartbeat.buckets {
            if let Some(ours) = self.state.digest.at(sample.bucket, sample.touched) {
                self.note_digest(peer, Some(sample.bucket), sample.digest == digest::fold(ours));
            }
        }
    }

    fn note_digest(&mut self, peer: &str, bucket: Option<u16>, equal: bool) {
        let place = (peer.to_owned(), bucket);
        if equal {
            self.alarmed.remove(&place);
        } else if self.alarmed.insert(place) {
            self.counters.digest_mismatches += 1;
            self.alarm(Alarm::DigestMismatch { peer: peer.to_owned(), bucket });
        }
    }

    /// Time passes: call a few times per heartbeat interval.
    pub fn handle_tick(&mut self, time: Time) {
        if time.mono_ms >= self.heartbeat_at_ms {
            self.heartbeat_at_ms = time.mono_ms + self.config.heartbeat_ms;
            self.heartbeat_due = true;
            if self.planted.is(Mutant::HeartbeatUnsynced) {
                self.send_heartbeats(time);
            }
        }
    }

    /// Only what is on disk is told: called when the batch is empty.
    pub(crate) fn send_heartbeats(&mut self, time: Time) {
        let digest = (!self.state.catalog.any_parked()).then(|| self.state.digest.total());
        let sample = |bucket: u16| {
            let found = self.state.digest.bucket(bucket);
            BucketSample { bucket, touched: found.touched, digest: digest::fold(found.digest) }
        };
        let count = digest::BUCKETS as u16;
        let buckets = match digest {
            None => Vec::new(),
            Some(_) => (0..SAMPLES).map(|step| sample((self.next_bucket + step) % count)).collect(),
        };
        self.next_bucket = (self.next_bucket + SAMPLES) % count;
        let known = if self.planted.is(Mutant::HeartbeatUnsynced) { &self.state.vector } else { &self.durable };
        let vector = self.state.lineages.compact(known);
        let behind_ms = self.behind_ms(time);
        let (shard, wall_ms) = (self.config.shard, time.wall_ms);
        let heartbeat = Heartbeat { shard, wall_ms, behind_ms, vector, digest, buckets };
        for (name, peer) in &mut self.peers {
            peer.incoming.ack_due = true;
            let message = Message::Heartbeat(heartbeat.clone());
            self.outputs.push_back(Output::Send { peer: name.clone(), message });
        }
    }

    /// Why local writes are refused for the clock's sake, if they are: a leader ahead of the median of at least three
    /// members, itself included, by more than the limit.
    pub(crate) fn clock_refusal(&self, time: Time) -> Option<String> {
        let heard = |peer: &&Peer| {
            let silent_ms = time.mono_ms.saturating_sub(peer.incoming.heard_ms);
            silent_ms <= HEARD_MS && peer.incoming.clock_is_judged()
        };
        let mut clocks: Vec<i64> =
            self.peers.values().filter(heard).filter_map(|peer| peer.incoming.clock_ahead_ms()).chain([0]).collect();
        if clocks.len() < 3 {
            return None;
        }
        clocks.sort_unstable();
        let ahead = clocks[clocks.len() / 2].saturating_neg();
        (ahead > self.config.max_clock_skew_ms as i64).then(|| {
            let limit = self.config.max_clock_skew_ms;
            format!("the clock is {ahead} ms ahead of the other members' (limit {limit} ms): set it right")
        })
    }
}
