//! Calls against replicas that fail in every way.

use super::random::Random;
use crate::attempts::{AskOne, Attempts, Step, Terms};
use crate::choice::Purpose;
use crate::fleet::Fleet;
use crate::outcome::{Failure, Verdict};
use crate::replica::{Role, Standing};
use anabranch_causality::{Origin, SessionId, ShardId, Token};
use std::collections::BTreeMap;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn token(seq: u64) -> Token {
    Token::of(ShardId(0), [(Origin(1), seq)].into_iter().collect())
}

fn fleet(random: &mut Random, now_ms: u64) -> Fleet {
    let mut fleet = Fleet::default();
    for name in &NAMES[..1 + random.below(4) as usize] {
        fleet.add(name, None);
        if random.chance(80) {
            let role = if random.chance(50) { Role::Leader } else { Role::Follower };
            let lag_ms = random.chance(80).then(|| random.below(2_000));
            let vector = token(1 + random.below(5));
            let standing = Standing { role, region: "r".into(), vector, lag_ms, lagging: random.chance(10) };
            fleet.note_standing(name, now_ms, standing);
            fleet.note_latency(name, random.below(200_000));
            (0..random.below(40)).for_each(|_| fleet.note_read_latency(name, 1_000));
        }
        if random.chance(20) {
            fleet.note_failure(name, now_ms);
        }
    }
    fleet
}

fn terms(random: &mut Random, now_ms: u64) -> Terms {
    Terms {
        session: SessionId([random.below(256) as u8; 16]),
        purpose: if random.chance(50) { Purpose::Read } else { Purpose::Write },
        token: token(1 + random.below(5)),
        max_lag_ms: random.chance(20).then(|| random.below(2_000)),
        wait_ms: random.below(2_000),
        deadline_ms: now_ms + random.below(6_000),
        repeatable: random.chance(70),
        hedge: random.chance(70),
        only: random.chance(10).then(|| "a".to_owned()),
    }
}

fn failure(random: &mut Random) -> Failure {
    match random.below(20) {
        0..4 => Failure::NotSent,
        4..10 => Failure::Lost,
        10..13 => Failure::TokenNotReached,
        13 => Failure::Stale,
        14 => Failure::NotReady,
        15 | 16 => Failure::NotWritable,
        17 | 18 => Failure::Busy { retry_after_ms: random.below(1_000) },
        _ => Failure::Refused,
    }
}

/// One call, as its caller drives it, with what must hold at every step.
struct Run {
    random: Random,
    fleet: Fleet,
    call: Attempts,
    now_ms: u64,
    times: BTreeMap<String, u32>,
    under_way: Vec<AskOne>,
    failures: Vec<Failure>,
    hedges: u32,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let now_ms = 10_000;
        let fleet = fleet(&mut random, now_ms);
        let call = Attempts::new(terms(&mut random, now_ms));
        let (times, under_way, failures) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { random, fleet, call, now_ms, times, under_way, failures, hedges: 0 }
    }

    /// To its verdict; `None` when it was answered.
    fn go(mut self) -> Option<Verdict> {
        for _ in 0..1_000 {
            match self.call.next(&self.fleet, self.now_ms) {
                Step::Ask(ask) => self.ask(ask),
                Step::Pause { until_ms } => {
                    assert!(self.now_ms < until_ms && until_ms < self.call.terms().deadline_ms);
                    self.now_ms = until_ms;
                }
                Step::Await if self.random.chance(20) => return None,
                Step::Await => self.wait(),
                Step::Stop(verdict) => {
                    self.judge(verdict);
                    return Some(verdict);
                }
            }
        }
        panic!("a call without end");
    }

    fn ask(&mut self, ask: AskOne) {
        let terms = self.call.terms();
        assert!(self.now_ms < terms.deadline_ms && ask.give_up_ms <= terms.deadline_ms);
        assert!(self.now_ms + ask.wait_ms <= ask.give_up_ms && ask.wait_ms <= terms.wait_ms);
        assert!(terms.only.as_ref().is_none_or(|only| *only == ask.replica));
        assert!(terms.repeatable || !self.failures.contains(&Failure::Lost), "sent again though lost");
        assert!(ask.hedge_after_micros.is_none() || (terms.purpose == Purpose::Read && terms.hedge));
        let asked = self.times.entry(ask.replica.clone()).or_default();
        *asked += 1;
        let again = *asked > 1 && terms.only.is_none();
        assert!(!again || self.fleet.iter().all(|(name, _)| self.times.contains_key(name)), "somebody was not asked");
        self.under_way.push(ask);
    }

    fn wait(&mut self) {
        if self.random.chance(30) {
            self.now_ms += 1;
            if let Some(hedge) = self.call.hedge(&self.fleet, self.now_ms) {
                self.hedges += 1;
                let terms = self.call.terms();
                assert!(terms.purpose == Purpose::Read && terms.hedge && self.hedges == 1);
                assert!(
                    self.fleet.satisfies(&hedge.replica, &terms.token) && self.under_way[0].replica != hedge.replica
                );
                self.ask(hedge);
            }
        }
        let index = self.random.below(self.under_way.len() as u64) as usize;
        let ask = self.under_way.swap_remove(index);
        let failure = failure(&mut self.random);
        self.now_ms = match failure {
            Failure::Lost => self.now_ms.max(ask.give_up_ms),
            _ => self.now_ms.max(self.now_ms + self.random.below(ask.wait_ms + 1)).min(ask.give_up_ms.max(self.now_ms)),
        };
        self.call.failed(&ask.replica, failure, self.now_ms);
        self.failures.push(failure);
    }

    fn judge(&self, verdict: Verdict) {
        let writes = self.call.terms().purpose == Purpose::Write;
        let lost = self.failures.contains(&Failure::Lost) || !self.under_way.is_empty();
        match verdict {
            Verdict::Refused { earlier_unknown } => {
                assert!(self.failures.contains(&Failure::Refused));
                assert_eq!(earlier_unknown, writes && self.failures.contains(&Failure::Lost));
            }
            Verdict::Unknown => assert!(writes && lost),
            Verdict::NoEffect(reason) => {
                assert!(!(writes && lost), "it may have taken effect");
                assert!(self.failures.is_empty() || self.failures.contains(&reason) || reason == Failure::Lost);
            }
        }
    }
}

#[test]
fn every_call_ends_and_says_the_truth() {
    let verdicts: Vec<Option<Verdict>> = (0..20_000).map(|seed| Run::new(seed).go()).collect();
    let count = |is: fn(&Option<Verdict>) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    assert!(count(Option::is_none) > 100);
    assert!(count(|verdict| *verdict == Some(Verdict::Unknown)) > 100);
    assert!(count(|verdict| matches!(verdict, Some(Verdict::Refused { earlier_unknown: true }))) > 100);
    assert!(count(|verdict| matches!(verdict, Some(Verdict::NoEffect(Failure::TokenNotReached)))) > 100);
}
