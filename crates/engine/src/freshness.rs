//! How old what this replica shows may be: from what its peers said that they had, and when they said it.
//!
//! A peer's word counts from the moment it is heard. While we lack something that a peer said it had, we are behind it since
//! then; while a peer is silent, nobody knows.

use crate::engine::Engine;
use crate::time::Time;
use anabranch_causality::VersionVector;
use anabranch_protocol::Role;

/// After how many missed heartbeats a peer counts as silent.
const MISSED: u64 = 3;

/// What is remembered of a peer, connected or not.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) region: String,
    pub(crate) role: Option<Role>,
    /// It is remembered while it is not connected: its silence makes what we show old. Not so for devices.
    expected: bool,
    since_ms: u64,
    heard_ms: u64,
    /// The latest claim of it that we meet.
    even: Option<Even>,
    /// The oldest claim that we do not meet, and the latest.
    claim: Option<Claim>,
    next: Option<Claim>,
    /// The most that it said it has.
    pub(crate) offered: VersionVector,
}

/// What a peer said that it had.
#[derive(Debug)]
struct Claim {
    at_ms: u64,
    behind_ms: Option<u64>,
    vector: VersionVector,
}

/// When a peer had nothing that we lack, and how old what it showed was then.
#[derive(Clone, Copy, Debug)]
struct Even {
    at_ms: u64,
    behind_ms: Option<u64>,
}

impl Seen {
    fn new(now_ms: u64) -> Self {
        Self {
            region: String::new(),
            role: None,
            expected: false,
            since_ms: now_ms,
            heard_ms: now_ms,
            even: None,
            claim: None,
            next: None,
            offered: VersionVector::new(),
        }
    }

    /// Followers write nothing of their own: their silence hides nothing.
    fn may_write(&self) -> bool {
        self.role != Some(Role::Follower)
    }

    fn settle(&mut self, have: &VersionVector) {
        while let Some(claim) = self.claim.take_if(|claim| have.covers(&claim.vector)) {
            self.even = Some(Even { at_ms: claim.at_ms, behind_ms: claim.behind_ms });
            self.claim = self.next.take();
        }
    }

    /// For how long we have lacked something of it, or not known whether we do, in milliseconds.
    fn lag_ms(&self, now_ms: u64, silent_after_ms: u64, connected: bool) -> u64 {
        if !self.may_write() {
            return 0;
        }
        let silent = !connected || now_ms.saturating_sub(self.heard_ms) > silent_after_ms;
        match (&self.claim, self.even) {
            (_, Some(even)) if silent => now_ms.saturating_sub(even.at_ms),
            (_, None) if silent => now_ms.saturating_sub(self.since_ms),
            (Some(claim), _) => now_ms.saturating_sub(claim.at_ms),
            (None, _) => 0,
        }
    }
}

impl Engine {
    /// A peer of that name and region belongs to the cluster, connected or not: while it is silent, what this replica
    /// shows grows old. Peers that come and go as they like (devices) are not expected.
    pub fn expect(&mut self, time: Time, peer: &str, region: Option<&str>) {
        let follows = region == Some(&*self.config.region) && self.config.role == Role::Leader;
        let seen = self.seen.entry(peer.to_owned()).or_insert_with(|| Seen::new(time.mono_ms));
        seen.expected = true;
        if let Some(region) = region {
            region.clone_into(&mut seen.region);
        }
        // A region has one leader.
        seen.role = seen.role.or(follows.then_some(Role::Follower));
    }

    pub(crate) fn note_seen(&mut self, time: Time, peer: &str, region: &str, role: Role) {
        let seen = self.seen.entry(peer.to_owned()).or_insert_with(|| Seen::new(time.mono_ms));
        region.clone_into(&mut seen.region);
        seen.role = Some(role);
        seen.heard_ms = time.mono_ms;
        // It may have lost what it had.
        (seen.claim, seen.next, seen.offered) = (None, None, VersionVector::new());
    }

    pub(crate) fn forget_seen(&mut self, peer: &str) {
        if self.seen.get(peer).is_some_and(|seen| !seen.expected) {
            self.seen.remove(peer);
        }
    }

    /// A peer said what it has; `behind_ms`: how old that may be.
    pub(crate) fn note_claim(&mut self, time: Time, peer: &str, vector: &VersionVector, behind_ms: Option<u64>) {
        let Some(seen) = self.seen.get_mut(peer) else { return };
        seen.heard_ms = time.mono_ms;
        seen.offered.join(vector);
        let claim = Claim { at_ms: time.mono_ms, behind_ms, vector: vector.clone() };
        if seen.claim.is_none() {
            seen.claim = Some(claim);
        } else {
            seen.next = Some(claim);
        }
        seen.settle(&self.state.vector);
    }

    /// A peer said in passing what it has, between two heartbeats.
    pub(crate) fn note_offer(&mut self, time: Time, peer: &str, vector: &VersionVector) {
        if let Some(seen) = self.seen.get_mut(peer) {
            seen.heard_ms = time.mono_ms;
            seen.offered.join(vector);
        }
    }

    /// Looks at what was applied since.
    pub(crate) fn settle_claims(&mut self) {
        for seen in self.seen.values_mut() {
            seen.settle(&self.state.vector);
        }
    }

    /// For how long we have lacked something of the peer, or not known whether we do, in milliseconds.
    pub(crate) fn lag_ms(&self, time: Time, peer: &str) -> u64 {
        let silent_after_ms = MISSED * self.config.heartbeat_ms;
        let connected = self.peers.contains_key(peer);
        self.seen.get(peer).map_or(0, |seen| seen.lag_ms(time.mono_ms, silent_after_ms, connected))
    }

    /// How old what this replica shows may be, in milliseconds: everything that was written at any expected or connected
    /// leader longer ago than that is here. `None` while that is not known. About the heartbeat interval when all is well.
    #[must_use]
    pub fn behind_ms(&self, time: Time) -> Option<u64> {
        let age = |even: Even| time.mono_ms.saturating_sub(even.at_ms);
        if self.config.role == Role::Follower {
            let even = self.seen.get(&self.config.leader)?.even?;
            return Some(age(even).saturating_add(even.behind_ms?));
        }
        let leaders = self.seen.values().filter(|seen| seen.may_write());
        leaders.map(|seen| seen.even.map(age)).try_fold(0, |most, age| Some(most.max(age?)))
    }
}
