//! In which order to ask the replicas.

use crate::fleet::Fleet;
use crate::replica::{Replica, Role};
use anabranch_causality::{SessionId, Token, hash64};
use std::cmp::Reverse;

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It reads.
    Read,
    /// It writes.
    Write,
}

/// What a call needs of a replica.
#[derive(Clone, Copy, Debug)]
pub struct Want<'a> {
    /// Whose call it is.
    pub session: SessionId,
    /// What it is for.
    pub purpose: Purpose,
    /// What the replica must have applied.
    pub token: &'a Token,
    /// How far behind it may be, in milliseconds; `None` for no matter.
    pub max_lag_ms: Option<u64>,
}

/// What counts more than nearness; less is better.
type Rank = (bool, u8, u8);

struct Candidate<'a> {
    name: &'a str,
    rank: Rank,
    micros: u64,
    weight: u64,
}

/// The names of the fleet, the best first.
pub(crate) fn order<'a>(fleet: &'a Fleet, want: &Want<'_>, now_ms: u64) -> Vec<&'a str> {
    let candidate = |(name, replica): (&'a str, &Replica)| Candidate {
        name,
        rank: rank(replica, want, fleet.lag_limit_ms(), now_ms),
        micros: replica.round_trip_micros().unwrap_or(u64::MAX),
        weight: hash64("anabranch choice of a replica 1", &[&want.session.0, name.as_bytes()]),
    };
    let mut candidates: Vec<Candidate<'a>> = fleet.iter().map(candidate).collect();
    candidates.sort_unstable_by_key(|candidate| (candidate.rank, candidate.micros));
    let mut rest = candidates.as_mut_slice();
    while !rest.is_empty() {
        let (near, farther) = rest.split_at_mut(equally_near(rest));
        near.sort_unstable_by_key(|candidate| (Reverse(candidate.weight), candidate.name));
        rest = farther;
    }
    candidates.into_iter().map(|candidate| candidate.name).collect()
}

fn rank(replica: &Replica, want: &Want<'_>, lag_limit_ms: u64, now_ms: u64) -> Rank {
    let writes = want.purpose == Purpose::Write;
    let failing = replica.is_failing(now_ms) || (writes && replica.is_unwritable(now_ms));
    let role = match (writes, replica.role()) {
        (false, _) | (true, Some(Role::Leader)) => 0,
        (true, None) => 1,
        (true, Some(Role::Follower)) => 2,
    };
    let lagging = match (want.max_lag_ms, replica.lag_ms(now_ms)) {
        (None, _) => u8::from(replica.is_lagging(lag_limit_ms, now_ms)),
        // Who asks for a bound asks first whoever is known to keep it.
        (Some(most), Some(lag)) if lag <= most => 0,
        (Some(_), None) => 1,
        (Some(_), Some(_)) => 2,
    };
    (failing, role, lagging)
}

/// How many of the first count as equally near, of candidates sorted by rank and round trip.
fn equally_near(sorted: &[Candidate<'_>]) -> usize {
    let Some(first) = sorted.first() else { return 0 };
    let reach = first.micros.saturating_add(first.micros / 2).saturating_add(1_000);
    let near = |candidate: &&Candidate<'_>| candidate.rank == first.rank && candidate.micros <= reach;
    sorted.iter().take_while(near).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::Standing;
    use std::collections::BTreeSet;

    const NOW: u64 = 10_000;

    fn session(number: u16) -> SessionId {
        let [high, low] = number.to_be_bytes();
        SessionId([1, 2, 3, 4, 5, 6, 0x70, 8, 0x80, 10, 11, 12, 13, 14, high, low])
    }

    fn standing(role: Role, lag_ms: Option<u64>) -> Standing {
        Standing { role, region: "r".into(), vector: Token::new(), lag_ms, lagging: false }
    }

    /// Leaders at these round trips, in milliseconds.
    fn fleet(replicas: &[(&str, u64)]) -> Fleet {
        let mut fleet = Fleet::default();
        for (name, millis) in replicas {
            fleet.add(name, None);
            fleet.note_latency(name, millis * 1_000);
            fleet.note_standing(name, NOW, standing(Role::Leader, Some(0)));
        }
        fleet
    }

    fn ask(fleet: &Fleet, number: u16, purpose: Purpose, max_lag_ms: Option<u64>) -> Vec<String> {
        let want = Want { session: session(number), purpose, token: &Token::new(), max_lag_ms };
        fleet.candidates(&want, NOW).into_iter().map(str::to_owned).collect()
    }

    fn reads(fleet: &Fleet, number: u16) -> Vec<String> {
        ask(fleet, number, Purpose::Read, None)
    }

    #[test]
    fn the_nearest_comes_first_and_the_unknown_last() {
        let mut fleet = fleet(&[("far", 200), ("near", 1), ("middle", 40)]);
        fleet.add("unknown", None);
        assert_eq!(reads(&fleet, 1), ["near", "middle", "far", "unknown"]);
    }

    #[test]
    fn a_session_stays_and_sessions_spread_among_the_equally_near() {
        let names = [("a", 10), ("b", 11), ("c", 15), ("far", 17)];
        let fleet = fleet(&names);
        let mut firsts = BTreeSet::new();
        for number in 0..200 {
            let order = reads(&fleet, number);
            assert_eq!(order, reads(&fleet, number));
            assert_eq!(order[3], "far");
            firsts.insert(order[0].clone());
        }
        assert_eq!(firsts.len(), 3);
    }

    #[test]
    fn only_the_sessions_of_a_replica_that_failed_move() {
        let mut fleet = fleet(&[("a", 10), ("b", 10), ("c", 10)]);
        let before: Vec<_> = (0..100).map(|number| reads(&fleet, number)).collect();
        fleet.note_failure("b", NOW);
        for (number, before) in (0..100).zip(before) {
            let after = reads(&fleet, number);
            assert_eq!(after[2], "b");
            let rest: Vec<_> = before.into_iter().filter(|name| name != "b").collect();
            assert_eq!(after[..2], rest);
        }
        fleet.note_success("b");
        assert!((0..100).any(|number| reads(&fleet, number)[0] == "b"));
    }

    #[test]
    fn a_lagging_replica_comes_after_a_fresh_one_however_near_it_is() {
        let mut fleet = fleet(&[("near", 1), ("far", 100)]);
        fleet.note_standing("near", NOW, standing(Role::Leader, Some(1_001)));
        assert_eq!(reads(&fleet, 1), ["far", "near"]);
        fleet.note_standing("near", NOW, standing(Role::Leader, Some(1_000)));
        assert_eq!(reads(&fleet, 1), ["near", "far"]);
        fleet.note_standing("near", NOW, standing(Role::Leader, None));
        assert_eq!(reads(&fleet, 1), ["near", "far"], "nothing said against it");
    }

    #[test]
    fn who_asks_for_freshness_asks_those_known_to_have_it() {
        let mut fleet = fleet(&[("behind", 1), ("silent", 2), ("fresh", 100)]);
        fleet.note_standing("behind", NOW, standing(Role::Leader, Some(300)));
        fleet.note_standing("silent", NOW, standing(Role::Leader, None));
        assert_eq!(ask(&fleet, 1, Purpose::Read, Some(200)), ["fresh", "silent", "behind"]);
        assert_eq!(ask(&fleet, 1, Purpose::Read, Some(300)), ["behind", "fresh", "silent"]);
    }

    #[test]
    fn writes_go_to_leaders_that_take_them() {
        let mut fleet = fleet(&[("follower", 1), ("leader", 50), ("other", 100)]);
        fleet.note_standing("follower", NOW, standing(Role::Follower, Some(0)));
        assert_eq!(ask(&fleet, 1, Purpose::Write, None), ["leader", "other", "follower"]);
        assert_eq!(reads(&fleet, 1), ["follower", "leader", "other"]);
        fleet.note_unwritable("leader", NOW);
        assert_eq!(ask(&fleet, 1, Purpose::Write, None), ["other", "follower", "leader"]);
        assert_eq!(reads(&fleet, 1), ["follower", "leader", "other"], "its reads go on");
    }

    #[test]
    fn nobody_is_left_out_even_when_all_fail() {
        let mut fleet = fleet(&[("a", 1), ("b", 50)]);
        fleet.note_failure("a", NOW);
        fleet.note_failure("b", NOW);
        assert_eq!(reads(&fleet, 1), ["a", "b"]);
        assert_eq!(reads(&Fleet::default(), 1), Vec::<String>::new());
    }
}
