//! How old what this replica shows may be: from what its peers said that they had, and when they said it.
//!
//! A peer's word counts from the moment it is heard, or from before, when it seems to have been longer under way than others. While
//! we lack something that a peer said it had, we are behind it since then; while a peer is silent, nobody knows.

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
    /// When it last said what it has; `None` since it was connected anew.
    claimed_ms: Option<u64>,
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
    /// Since when we may have lacked some of it: since it was said, or it was not known before.
    since_ms: u64,
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
            claimed_ms: None,
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
            // It was said later than the one before, however long it seems to have been under way.
            let at_ms = self.even.map_or(claim.at_ms, |even| even.at_ms.max(claim.at_ms));
            self.even = Some(Even { at_ms, behind_ms: claim.behind_ms });
            self.claim = self.next.take();
        }
    }

    /// Takes in what it says at `now_ms`, and seems to have said at `at_ms`.
    fn note_claim(&mut self, now_ms: u64, silent_after_ms: u64, claim: (u64, Option<u64>, &VersionVector)) {
        let (at_ms, behind_ms, vector) = claim;
        let since_ms = if self.is_silent(now_ms, silent_after_ms) { self.known_ms() } else { at_ms };
        self.claimed_ms = Some(now_ms);
        let claim = Claim { at_ms, since_ms, behind_ms, vector: vector.clone() };
        if self.claim.is_none() {
            self.claim = Some(claim);
        } else {
            // Those between the oldest and the latest are forgotten, but not since when there have been some.
            let since_ms = self.next.as_ref().map_or(since_ms, |next| next.since_ms);
            self.next = Some(Claim { since_ms, ..claim });
        }
    }

    fn is_silent(&self, now_ms: u64, silent_after_ms: u64) -> bool {
        self.claimed_ms.is_none_or(|claimed_ms| now_ms.saturating_sub(claimed_ms) > silent_after_ms)
    }

    /// The last moment when it is known that we lacked nothing.
    fn known_ms(&self) -> u64 {
        self.even.map_or(self.since_ms, |even| even.at_ms)
    }

    /// For how long we have lacked something of it, or not known whether we do, in milliseconds.
    fn lag_ms(&self, now_ms: u64, silent_after_ms: u64, connected: bool) -> u64 {
        if !self.may_write() {
            return 0;
        }
        if !connected || self.is_silent(now_ms, silent_after_ms) {
            return now_ms.saturating_sub(self.known_ms());
        }
        self.claim.as_ref().map_or(0, |claim| now_ms.saturating_sub(claim.since_ms))
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
        // It may have lost what it had.
        (seen.claimed_ms, seen.claim, seen.next, seen.offered) = (None, None, None, VersionVector::new());
    }

    pub(crate) fn forget_seen(&mut self, peer: &str) {
        if self.seen.get(peer).is_some_and(|seen| !seen.expected) {
            self.seen.remove(peer);
        }
    }

    /// A peer said what it has; `behind_ms`: how old that may be; `late_ms`: by how much longer than others it was under way.
    pub(crate) fn note_claim(
        &mut self,
        time: Time,
        peer: &str,
        vector: &VersionVector,
        behind_ms: Option<u64>,
        late_ms: u64,
    ) {
        let silent_after_ms = self.silent_after_ms();
        let Some(seen) = self.seen.get_mut(peer) else { return };
        seen.offered.join(vector);
        let at_ms = time.mono_ms.saturating_sub(late_ms);
        seen.note_claim(time.mono_ms, silent_after_ms, (at_ms, behind_ms, vector));
        seen.settle(&self.state.vector);
    }

    fn silent_after_ms(&self) -> u64 {
        MISSED * self.config.heartbeat_ms
    }

    /// A peer said in passing what it has, between two heartbeats.
    pub(crate) fn note_offer(&mut self, peer: &str, vector: &VersionVector) {
        if let Some(seen) = self.seen.get_mut(peer) {
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
        let connected = self.peers.contains_key(peer);
        self.seen.get(peer).map_or(0, |seen| seen.lag_ms(time.mono_ms, self.silent_after_ms(), connected))
    }

    /// How old what this replica shows may be, in milliseconds: everything that was on disk at any expected or connected
    /// leader longer ago than that is here. `None` while that is not known. About the heartbeat interval when all is well.
    ///
    /// Precise to the time that a heartbeat takes from there to here when nothing holds it up (of a follower: to its leader, and
    /// on to it): how much longer one was under way than the quickest of the last few is made up for, by the sender's clock,
    /// but the way itself nobody can measure from one side. The time while this machine slept does not count.
    ///
    /// A leader that is neither expected nor connected does not count, whatever others relay of it; nor does a node that was a
    /// follower when it was last heard, with what it wrote before or after that.
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
