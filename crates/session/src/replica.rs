//! What is known of one replica.

use crate::carried::{covers, origins};
use crate::latency::{Latencies, Smoothed};
use anabranch_causality::Token;

/// A replica that failed is left alone for this long at first, twice as long each further time.
const FIRST_BACKOFF_MS: u64 = 100;
const LONGEST_BACKOFF_MS: u64 = 5_000;
/// A leader that took no writes is asked for some again after this long.
const UNWRITABLE_MS: u64 = 1_000;
/// What a standing said of lag is not believed for longer.
const LAG_BELIEVED_MS: u64 = 2_000;
/// The most origins that are remembered of a replica's vector between two standings.
const MAX_ORIGINS: usize = 4_096;

/// What a replica does in its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Accepts writes.
    Leader,
    /// Passes writes on.
    Follower,
}

/// What a replica says of itself when asked how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it does.
    pub role: Role,
    /// Its region.
    pub region: String,
    /// What it has applied. Entries that newer origins imply may be left out: it then counts as having less.
    pub vector: Token,
    /// How far it is behind the other replicas, in milliseconds; `None` when it cannot tell.
    pub lag_ms: Option<u64>,
    /// Whether that is beyond the limit of its operator.
    pub lagging: bool,
}

/// What a standing said of lag.
#[derive(Clone, Copy, Debug)]
struct Lag {
    said_ms: u64,
    lag_ms: Option<u64>,
    lagging: bool,
}

/// What is known of one replica.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    region: Option<String>,
    role: Option<Role>,
    vector: Token,
    lag: Option<Lag>,
    round_trip: Smoothed,
    reads: Latencies,
    failures: u32,
    failing_until: u64,
    unwritable_until: u64,
}

impl Replica {
    pub(crate) fn new(region: Option<&str>) -> Self {
        Self { region: region.map(str::to_owned), ..Self::default() }
    }

    /// Its region, when known.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// What it does, when known.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// What it is known to have applied.
    #[must_use]
    pub fn vector(&self) -> &Token {
        &self.vector
    }

    /// How far it is behind, in milliseconds, if that was said within the last 2 s.
    #[must_use]
    pub fn lag_ms(&self, now_ms: u64) -> Option<u64> {
        self.lag(now_ms)?.lag_ms
    }

    /// Whether it is known to be behind by more than `limit_ms`, or by more than its operator allows.
    #[must_use]
    pub fn is_lagging(&self, limit_ms: u64, now_ms: u64) -> bool {
        self.lag(now_ms).is_some_and(|lag| lag.lagging || lag.lag_ms.is_some_and(|lag_ms| lag_ms > limit_ms))
    }

    fn lag(&self, now_ms: u64) -> Option<Lag> {
        self.lag.filter(|lag| now_ms.saturating_sub(lag.said_ms) <= LAG_BELIEVED_MS)
    }

    /// The smoothed round trip to it, in microseconds, when known.
    #[must_use]
    pub fn round_trip_micros(&self) -> Option<u64> {
        self.round_trip.micros()
    }

    /// How often it failed since it last did not.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Whether it failed, and is left alone as long as others can be asked.
    #[must_use]
    pub fn is_failing(&self, now_ms: u64) -> bool {
        now_ms < self.failing_until
    }

    /// Whether it is a leader that takes no writes for the moment.
    #[must_use]
    pub fn is_unwritable(&self, now_ms: u64) -> bool {
        now_ms < self.unwritable_until
    }

    /// Whether it is known to have applied all that `token` names.
    #[must_use]
    pub fn satisfies(&self, token: &Token) -> bool {
        covers(&self.vector, token)
    }

    pub(crate) fn hedge_after_micros(&self) -> Option<u64> {
        self.reads.hedge_after_micros()
    }

    pub(crate) fn note_standing(&mut self, now_ms: u64, standing: Standing) {
        self.role = Some(standing.role);
        self.region = Some(standing.region);
        // Not joined: a replica whose disk was put back has less than it had.
        self.vector = standing.vector;
        self.lag = Some(Lag { said_ms: now_ms, lag_ms: standing.lag_ms, lagging: standing.lagging });
    }

    pub(crate) fn note_token(&mut self, token: &Token) {
        self.vector.join(token);
        if origins(&self.vector) > MAX_ORIGINS {
            self.vector = token.clone();
        }
    }

    pub(crate) fn note_round_trip(&mut self, micros: u64) {
        self.round_trip.note(micros);
    }

    pub(crate) fn note_read(&mut self, micros: u64) {
        self.reads.note(micros);
    }

    pub(crate) fn note_failure(&mut self, now_ms: u64) {
        let doubled = FIRST_BACKOFF_MS << self.failures.min(10);
        self.failures = self.failures.saturating_add(1);
        self.failing_until = now_ms.saturating_add(doubled.min(LONGEST_BACKOFF_MS));
    }

    pub(crate) fn note_success(&mut self) {
        self.failures = 0;
        self.failing_until = 0;
    }

    pub(crate) fn note_unwritable(&mut self, now_ms: u64) {
        self.unwritable_until = now_ms.saturating_add(UNWRITABLE_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Origin, ShardId};

    fn token(entries: &[(u64, u64)]) -> Token {
        Token::of(ShardId(0), entries.iter().map(|(origin, seq)| (Origin(*origin), *seq)).collect())
    }

    fn standing(vector: Token, lag_ms: Option<u64>) -> Standing {
        Standing { role: Role::Leader, region: "eu".into(), vector, lag_ms, lagging: false }
    }

    #[test]
    fn it_is_left_alone_longer_each_time_it_fails() {
        let mut replica = Replica::new(None);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            replica.note_failure(1_000);
            pauses.push((0..).find(|ms| !replica.is_failing(1_000 + ms)).expect("an end"));
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        replica.note_success();
        assert!(!replica.is_failing(1_000));
        replica.note_failure(u64::MAX - 1);
    }

    #[test]
    fn it_has_what_it_said_or_answered() {
        let mut replica = Replica::new(None);
        assert!(replica.satisfies(&Token::new()) && !replica.satisfies(&token(&[(1, 1)])));
        replica.note_standing(0, standing(token(&[(1, 5)]), None));
        replica.note_token(&token(&[(2, 3)]));
        assert!(replica.satisfies(&token(&[(1, 5), (2, 3)])) && !replica.satisfies(&token(&[(1, 6)])));
        replica.note_standing(1, standing(token(&[(1, 4)]), None));
        assert!(!replica.satisfies(&token(&[(1, 5)])), "its disk was put back");
    }

    #[test]
    fn what_it_said_of_lag_is_believed_for_a_while() {
        let mut replica = Replica::new(None);
        replica.note_standing(1_000, standing(Token::new(), Some(70)));
        assert_eq!((replica.lag_ms(3_000), replica.lag_ms(3_001)), (Some(70), None));
        assert!(replica.is_lagging(69, 3_000) && !replica.is_lagging(70, 3_000) && !replica.is_lagging(69, 3_001));
        replica.note_standing(1_000, Standing { lagging: true, ..standing(Token::new(), Some(70)) });
        assert!(replica.is_lagging(70, 3_000), "its operator says so");
    }

    #[test]
    fn what_is_remembered_of_its_vector_is_bounded() {
        let mut replica = Replica::new(None);
        for origin in 0..10_000 {
            replica.note_token(&token(&[(origin, 1)]));
        }
        assert!(origins(replica.vector()) <= MAX_ORIGINS);
        assert!(replica.satisfies(&token(&[(9_999, 1)])));
    }
}
