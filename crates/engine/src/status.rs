//! What an operator sees of the engine.

use crate::catalog::Collection;
use crate::engine::Engine;
use crate::freshness::Seen;
use crate::time::Time;
use anabranch_causality::{Origin, VersionVector};
use anabranch_protocol::Role;

/// Counts since this opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Transactions applied, own and others'.
    pub applied: u64,
    /// Transactions sent to peers, repeats included.
    pub sent: u64,
    /// Transactions that came again.
    pub duplicates: u64,
    /// Transactions whose operation had been applied from another leader.
    pub copies: u64,
    /// Session counters that were used for two different requests at different leaders: both count.
    pub counters_reused: u64,
    /// Transactions dropped because the buffer was full, to be sent again.
    pub buffer_overflows: u64,
    /// Stamps beyond the limit for clocks.
    pub stamps_ahead: u64,
    /// Digest mismatches found.
    pub digest_mismatches: u64,
}

/// What an operator sees of the engine. Everything here is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The origin under which this opening writes.
    pub origin: Origin,
    /// What has been applied, without what newer origins imply.
    pub vector: VersionVector,
    /// The digest of the rows at `vector`.
    pub digest: u64,
    /// How many transactions the log holds.
    pub log_transactions: u64,
    /// How many transactions wait for what they depend on.
    pub buffered: u64,
    /// Parked origins and why.
    pub parked_origins: Vec<(Origin, String)>,
    /// Parked collections and why.
    pub parked_collections: Vec<(String, String)>,
    /// Peers that are connected, or expected.
    pub peers: Vec<PeerStatus>,
    /// How old what this replica shows may be, in milliseconds; `None` while that is not known.
    pub behind_ms: Option<u64>,
    /// How many origins are relayed to us.
    pub relayed_origins: usize,
    /// Counts since this opening.
    pub counters: Counters,
    /// Why local writes are refused for the clock's sake, if they are.
    pub clock_refusal: Option<String>,
}

/// What a connected peer has on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its region.
    pub region: &'a str,
    /// What it does.
    pub role: Role,
    /// What it has on disk, as far as it said, with what newer origins imply.
    pub vector: &'a VersionVector,
}

/// What an operator sees of a peer. Of one that is not connected: what was last known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its name.
    pub name: String,
    /// Its region; empty while that is not known.
    pub region: String,
    /// What it does; `None` while that is not known.
    pub role: Option<Role>,
    /// Whether it is connected.
    pub connected: bool,
    /// Transactions of its own that it has and we lack.
    pub lag_transactions: u64,
    /// Transactions of any origin that it has and we lack.
    pub missing_transactions: u64,
    /// For how long we have lacked something that it has, or, as it is silent, not known whether we do, in milliseconds.
    pub lag_ms: u64,
    /// Transactions that we have and it has not acknowledged.
    pub unacked_transactions: u64,
    /// Bytes sent and not acknowledged.
    pub in_flight_bytes: usize,
    /// What it has on disk, without what newer origins imply.
    pub acked: VersionVector,
    /// How far its clock is ahead of ours, in milliseconds.
    pub clock_ahead_ms: Option<i64>,
}

impl Engine {
    /// What an operator sees. Call when the batch is empty, between [`Engine::committed`] and the next `handle_*`.
    #[must_use]
    pub fn status(&self, time: Time) -> Status {
        let parked = |found: &Collection| {
            // One whose resolver is not known is applied all the same.
            let reason = found.parked.clone().or_else(|| found.resolver_in(&self.registry).err());
            Some((self.state.catalog.path(found), reason?))
        };
        Status {
            origin: self.origin,
            vector: self.state.lineages.compact(&self.state.vector),
            digest: self.state.digest.total(),
            log_transactions: self.state.next_index,
            buffered: self.waiting.count as u64,
            parked_origins: self.parked_origins.iter().map(|(origin, why)| (*origin, why.clone())).collect(),
            parked_collections: self.state.catalog.iter().filter_map(parked).collect(),
            peers: self.seen.iter().map(|(name, seen)| self.peer_status(time, name, seen)).collect(),
            behind_ms: self.behind_ms(time),
            relayed_origins: self.relays.len(),
            counters: self.counters,
            clock_refusal: self.clock_refusal(time),
        }
    }

    fn peer_status(&self, time: Time, name: &str, seen: &Seen) -> PeerStatus {
        let peer = self.peers.get(name);
        let of_peer = |origin| match self.state.lineages.get(origin) {
            Some(lineage) => lineage.node == name,
            None => peer.is_some_and(|peer| peer.origin == origin),
        };
        // Saturating: what a peer offers is its word.
        let add = |sum: u64, (origin, seq): (Origin, u64)| {
            sum.saturating_add(seq.saturating_sub(self.state.vector.get(origin)))
        };
        PeerStatus {
            name: name.to_owned(),
            region: seen.region.clone(),
            role: seen.role,
            connected: peer.is_some(),
            lag_transactions: seen.offered.iter().filter(|(origin, _)| of_peer(*origin)).fold(0, add),
            missing_transactions: seen.offered.iter().fold(0, add),
            lag_ms: self.lag_ms(time, name),
            unacked_transactions: peer.map_or(0, |peer| self.unacked(&peer.outgoing)),
            in_flight_bytes: peer.map_or(0, |peer| peer.outgoing.in_flight_bytes),
            acked: peer.map(|peer| self.state.lineages.compact(&peer.outgoing.acked)).unwrap_or_default(),
            clock_ahead_ms: peer.and_then(|peer| peer.incoming.clock_ahead_ms()),
        }
    }

    /// What each connected peer has on disk, as far as it said.
    pub fn acknowledged(&self) -> impl Iterator<Item = Acknowledged<'_>> {
        self.peers.iter().map(|(name, peer)| Acknowledged {
            name,
            region: &peer.region,
            role: peer.role,
            vector: &peer.outgoing.acked,
        })
    }

    /// Grows whenever [`Engine::acknowledged`] may say something new.
    #[must_use]
    pub fn acks_version(&self) -> u64 {
        self.acks_version
    }

    /// The collections, as of the batch.
    #[must_use]
    pub fn catalog(&self) -> &crate::catalog::Catalog {
        &self.state.catalog
    }

    /// What has been applied and is on disk, without what newer origins imply.
    #[must_use]
    pub fn durable_vector(&self) -> VersionVector {
        self.state.lineages.compact(&self.durable)
    }

    /// What has been applied and is on disk, whole.
    #[must_use]
    pub fn durable_full(&self) -> &VersionVector {
        &self.durable
    }

    /// The log index after the last transaction on disk.
    #[must_use]
    pub fn durable_index(&self) -> u64 {
        self.durable_index
    }

    /// Which origin continues which, and of what node and region each is.
    #[must_use]
    pub fn lineages(&self) -> &anabranch_causality::Lineages {
        &self.state.lineages
    }
}
