//! What is known of the replicas that a client may ask.

use crate::choice::{self, Want};
use crate::replica::{Replica, Standing};
use anabranch_causality::Token;
use std::collections::BTreeMap;

/// The replicas that a client was configured with, and what it has learnt of them. Notes on a replica that was not added
/// are dropped.
///
/// Times are milliseconds of any clock that never goes back; latencies are microseconds.
#[derive(Clone, Debug)]
pub struct Fleet {
    replicas: BTreeMap<String, Replica>,
    lag_limit_ms: u64,
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new(Self::LAG_LIMIT_MS)
    }
}

impl Fleet {
    /// A replica further behind than this is asked only after the others, unless the client says otherwise.
    pub const LAG_LIMIT_MS: u64 = 1_000;

    /// Nothing known, nothing configured. Replicas more than `lag_limit_ms` behind are asked after the others.
    #[must_use]
    pub fn new(lag_limit_ms: u64) -> Self {
        Self { replicas: BTreeMap::new(), lag_limit_ms }
    }

    /// A replica that may be asked, under the name that the client calls it by, with its region if that is known.
    pub fn add(&mut self, name: &str, region: Option<&str>) {
        self.replicas.entry(name.to_owned()).or_insert_with(|| Replica::new(region));
    }

    /// What is known of one of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Replica> {
        self.replicas.get(name)
    }

    /// What is known of all of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Replica)> {
        self.replicas.iter().map(|(name, replica)| (name.as_str(), replica))
    }

    /// How far behind a replica may be and still be asked first, in milliseconds.
    #[must_use]
    pub fn lag_limit_ms(&self) -> u64 {
        self.lag_limit_ms
    }

    /// Takes note of what a replica says of itself.
    pub fn note_standing(&mut self, name: &str, now_ms: u64, standing: Standing) {
        self.with(name, |replica| replica.note_standing(now_ms, standing));
    }

    /// Takes note of a round trip that the replica answered at once.
    pub fn note_latency(&mut self, name: &str, micros: u64) {
        self.with(name, |replica| replica.note_round_trip(micros));
    }

    /// Takes note of how long a read took, waiting included, from which it is learnt when one is late.
    pub fn note_read_latency(&mut self, name: &str, micros: u64) {
        self.with(name, |replica| replica.note_read(micros));
    }

    /// Takes note that a replica could not be reached or did not answer. It is asked after the others for a while: 100 ms,
    /// then twice as long each time, up to 5 s.
    pub fn note_failure(&mut self, name: &str, now_ms: u64) {
        self.with(name, |replica| replica.note_failure(now_ms));
    }

    /// Takes note that a replica answered.
    pub fn note_success(&mut self, name: &str) {
        self.with(name, Replica::note_success);
    }

    /// Takes note that a leader takes no writes: for a second it is asked for some after the others.
    pub fn note_unwritable(&mut self, name: &str, now_ms: u64) {
        self.with(name, |replica| replica.note_unwritable(now_ms));
    }

    /// Takes note that a replica answered showing this much: it has at least that.
    pub fn note_token(&mut self, name: &str, token: &Token) {
        self.with(name, |replica| replica.note_token(token));
    }

    /// Whether a replica is known to have applied all that `token` names, from its last standing and its answers since.
    #[must_use]
    pub fn satisfies(&self, name: &str, token: &Token) -> bool {
        self.get(name).is_some_and(|replica| replica.satisfies(token))
    }

    /// The replicas in the order in which to ask them; all of them, so never none while any is configured.
    ///
    /// Those that failed come last. Before that, for writes, leaders come before followers; then those that are not
    /// lagging before those that are; then the nearest (a round trip within half as much again and a millisecond counts as
    /// equally near). Among equals a hash of session and replica decides, so that a session stays and sessions spread.
    #[must_use]
    pub fn candidates(&self, want: &Want<'_>, now_ms: u64) -> Vec<&str> {
        choice::order(self, want, now_ms)
    }

    /// A replica to ask as well when `asked` are late with a read: the first candidate that answers at once, being
    /// known to satisfy the token and the freshness asked for.
    #[must_use]
    pub fn hedge_candidate(&self, want: &Want<'_>, asked: &[&str], now_ms: u64) -> Option<&str> {
        self.candidates(want, now_ms).into_iter().find(|name| {
            let suits = |replica: &Replica| {
                let fresh = |limit| replica.lag_ms(now_ms).is_some_and(|lag| lag <= limit);
                let known = replica.satisfies(want.token) && want.max_lag_ms.is_none_or(fresh);
                known && !replica.is_failing(now_ms) && replica.round_trip_micros().is_some()
            };
            !asked.contains(name) && self.get(name).is_some_and(suits)
        })
    }

    /// After how many microseconds a read of this replica is late, when that is known.
    #[must_use]
    pub fn hedge_after_micros(&self, name: &str) -> Option<u64> {
        self.get(name)?.hedge_after_micros()
    }

    fn with(&mut self, name: &str, note: impl FnOnce(&mut Replica)) {
        if let Some(replica) = self.replicas.get_mut(name) {
            note(replica);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Purpose;
    use crate::replica::Role;
    use anabranch_causality::{Origin, SessionId, ShardId};

    fn token(seq: u64) -> Token {
        Token::of(ShardId(0), [(Origin(1), seq)].into_iter().collect())
    }

    fn fleet() -> Fleet {
        let mut fleet = Fleet::default();
        for name in ["a", "b", "c"] {
            fleet.add(name, None);
            fleet.note_latency(name, 1_000);
            fleet.note_standing(name, 0, standing(name, 5, 0));
        }
        fleet
    }

    fn standing(name: &str, seq: u64, lag_ms: u64) -> Standing {
        let (region, vector) = (name.to_owned(), token(seq));
        Standing { role: Role::Leader, region, vector, lag_ms: Some(lag_ms), lagging: false }
    }

    #[test]
    fn a_hedge_goes_only_to_a_replica_that_is_known_to_satisfy() {
        let mut fleet = fleet();
        let ask = |fleet: &Fleet, seq: u64, max_lag_ms| {
            let token = token(seq);
            let want = Want { session: SessionId([7; 16]), purpose: Purpose::Read, token: &token, max_lag_ms };
            fleet.hedge_candidate(&want, &["a"], 10).map(str::to_owned)
        };
        assert!(ask(&fleet, 5, None).is_some_and(|name| name != "a"));
        assert_eq!(ask(&fleet, 6, None), None);
        fleet.note_token("c", &token(6));
        assert_eq!(ask(&fleet, 6, None).as_deref(), Some("c"));
        assert_eq!(ask(&fleet, 6, Some(100)).as_deref(), Some("c"));
        fleet.note_standing("c", 0, standing("c", 6, 101));
        assert_eq!(ask(&fleet, 6, Some(100)), None, "not as fresh as asked for");
        fleet.note_failure("c", 0);
        assert_eq!(ask(&fleet, 6, None), None, "it failed just now");
    }

    #[test]
    fn what_was_never_added_is_not_noted() {
        let mut fleet = fleet();
        fleet.note_latency("d", 1);
        fleet.note_token("d", &token(1));
        assert!(fleet.get("d").is_none() && !fleet.satisfies("d", &Token::new()));
        fleet.add("a", Some("other"));
        assert_eq!(fleet.get("a").and_then(Replica::region), Some("a"), "adding again forgets nothing");
    }
}
