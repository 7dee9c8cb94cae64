//! Each rule of a call's attempts.

use super::*;
use crate::replica::{Role, Standing};
use anabranch_causality::{Origin, ShardId};

const START: u64 = 1_000;
const DEADLINE: u64 = START + 5_000;

fn token(seq: u64) -> Token {
    Token::of(ShardId(0), [(Origin(1), seq)].into_iter().collect())
}

/// Leaders, the first the nearest, that have applied up to 5.
fn fleet(names: &[&str]) -> Fleet {
    let mut fleet = Fleet::default();
    for (index, name) in names.iter().enumerate() {
        fleet.add(name, None);
        fleet.note_latency(name, 10_000 << (2 * index));
        let (region, vector) = ((*name).to_owned(), token(5));
        let standing = Standing { role: Role::Leader, region, vector, lag_ms: Some(0), lagging: false };
        fleet.note_standing(name, START, standing);
    }
    fleet
}

fn terms(purpose: Purpose) -> Terms {
    Terms {
        session: "019293a4-b5c6-7d7e-8f80-010203040506".parse().expect("a v7 id"),
        purpose,
        token: token(5),
        max_lag_ms: None,
        wait_ms: 1_000,
        deadline_ms: DEADLINE,
        repeatable: true,
        hedge: true,
        only: None,
    }
}

fn call(purpose: Purpose) -> Attempts {
    Attempts::new(terms(purpose))
}

#[track_caller]
fn asked(step: Step) -> AskOne {
    match step {
        Step::Ask(ask) => ask,
        other => panic!("not an attempt: {other:?}"),
    }
}

#[track_caller]
fn asks(call: &mut Attempts, fleet: &Fleet, now_ms: u64, replica: &str) {
    assert_eq!(asked(call.next(fleet, now_ms)).replica, replica);
}

#[test]
fn another_replica_first_then_the_same_again_with_growing_pauses() {
    let fleet = fleet(&["a", "b"]);
    let mut call = call(Purpose::Write);
    let (mut now, mut order, mut pauses) = (START, Vec::new(), Vec::new());
    let verdict = loop {
        match call.next(&fleet, now) {
            Step::Ask(ask) => {
                assert!(now < DEADLINE && ask.give_up_ms <= DEADLINE);
                call.failed(&ask.replica, Failure::NotSent, now);
                order.push(ask.replica);
            }
            Step::Pause { until_ms } => {
                assert!(until_ms > now && until_ms < DEADLINE);
                pauses.push(until_ms - now);
                now = until_ms;
            }
            Step::Stop(verdict) => break verdict,
            Step::Await => panic!("nothing is under way"),
        }
    };
    assert_eq!(order[..2], ["a", "b"]);
    assert!(order[2..].contains(&"a".to_owned()) && order[2..].contains(&"b".to_owned()));
    assert!((12..=25).contains(&pauses[0]) && pauses.iter().all(|pause| *pause <= LONGEST_PAUSE_MS));
    assert!((10..60).contains(&order.len()), "{} attempts", order.len());
    assert_eq!(verdict, Verdict::NoEffect(Failure::NotSent));
}

#[test]
fn while_an_attempt_is_under_way_there_is_only_waiting() {
    let fleet = fleet(&["a", "b"]);
    let mut call = call(Purpose::Write);
    asks(&mut call, &fleet, START, "a");
    assert_eq!(call.next(&fleet, START + 1), Step::Await);
    call.failed("a", Failure::Lost, START + 2);
    asks(&mut call, &fleet, START + 2, "b");
}

#[test]
fn every_attempt_asks_for_what_the_first_did() {
    let mut fleet = fleet(&["a", "b"]);
    let mut call = call(Purpose::Write);
    asks(&mut call, &fleet, START, "a");
    // The session reads on meanwhile: what it learns is no affair of this call.
    fleet.note_token("a", &token(9));
    call.failed("a", Failure::Lost, START + 10);
    asks(&mut call, &fleet, START + 10, "b");
    assert_eq!(call.terms(), &terms(Purpose::Write));
}

#[test]
fn a_refusal_ends_the_call_and_speaks_for_its_own_attempt_only() {
    let fleet = fleet(&["a", "b"]);
    let mut first = call(Purpose::Write);
    asks(&mut first, &fleet, START, "a");
    first.failed("a", Failure::Refused, START);
    assert_eq!(first.next(&fleet, START), Step::Stop(Verdict::Refused { earlier_unknown: false }));

    let mut second = call(Purpose::Write);
    asks(&mut second, &fleet, START, "a");
    second.failed("a", Failure::Lost, START);
    asks(&mut second, &fleet, START, "b");
    second.failed("b", Failure::Refused, START);
    assert_eq!(second.next(&fleet, START), Step::Stop(Verdict::Refused { earlier_unknown: true }));

    let mut read = call(Purpose::Read);
    asks(&mut read, &fleet, START, "a");
    read.failed("a", Failure::Lost, START);
    asks(&mut read, &fleet, START, "b");
    read.failed("b", Failure::Refused, START);
    assert_eq!(
        read.next(&fleet, START),
        Step::Stop(Verdict::Refused { earlier_unknown: false }),
        "reads have no effect"
    );
}

#[test]
fn at_the_deadline_the_verdict_says_whether_a_write_may_have_taken_effect() {
    let fleet = fleet(&["a"]);
    let end = |purpose, failures: &[Failure]| {
        let mut call = call(purpose);
        for (index, failure) in failures.iter().enumerate() {
            asks(&mut call, &fleet, START + 500 * index as u64, "a");
            call.failed("a", *failure, START + 500 * index as u64);
        }
        call.next(&fleet, DEADLINE)
    };
    let busy = Failure::Busy { retry_after_ms: 10 };
    assert_eq!(end(Purpose::Write, &[Failure::Lost, busy]), Step::Stop(Verdict::Unknown));
    assert_eq!(end(Purpose::Write, &[busy, Failure::NotSent]), Step::Stop(Verdict::NoEffect(busy)));
    assert_eq!(end(Purpose::Read, &[Failure::Lost]), Step::Stop(Verdict::NoEffect(Failure::Lost)));
    let mut open = call(Purpose::Write);
    asks(&mut open, &fleet, START, "a");
    assert_eq!(open.next(&fleet, DEADLINE), Step::Stop(Verdict::Unknown), "it is still under way");
    let mut open = call(Purpose::Read);
    asks(&mut open, &fleet, START, "a");
    assert_eq!(open.next(&fleet, DEADLINE), Step::Stop(Verdict::NoEffect(Failure::Lost)));
}

#[test]
fn a_write_without_an_operation_id_is_not_sent_again_once_lost() {
    let fleet = fleet(&["a", "b", "c"]);
    let mut call = Attempts::new(Terms { repeatable: false, ..terms(Purpose::Write) });
    asks(&mut call, &fleet, START, "a");
    call.failed("a", Failure::NotSent, START);
    asks(&mut call, &fleet, START, "b");
    call.failed("b", Failure::Lost, START);
    assert_eq!(call.next(&fleet, START), Step::Stop(Verdict::Unknown));
}

#[test]
fn who_waited_in_vain_for_the_token_is_not_asked_again_and_who_has_it_comes_first() {
    let mut fleet = fleet(&["a", "b", "c"]);
    let mut call = Attempts::new(Terms { token: token(6), ..terms(Purpose::Read) });
    fleet.note_token("c", &token(6));
    asks(&mut call, &fleet, START, "a");
    call.failed("a", Failure::TokenNotReached, START + 1_000);
    asks(&mut call, &fleet, START + 1_000, "c");
    call.failed("c", Failure::Lost, START + 1_500);
    asks(&mut call, &fleet, START + 1_500, "b");
    call.failed("b", Failure::Stale, START + 2_000);
    let Step::Ask(again) = call.next(&fleet, START + 2_000) else { panic!("c only was lost") };
    assert_eq!(again.replica, "c");
    call.failed("c", Failure::TokenNotReached, START + 2_500);
    let verdict = Verdict::NoEffect(Failure::TokenNotReached);
    assert_eq!(call.next(&fleet, START + 2_500), Step::Stop(verdict), "everyone has said so: no use in waiting on");
}

#[test]
fn a_busy_replica_is_left_alone_as_long_as_it_asks() {
    let fleet = fleet(&["a"]);
    let mut call = call(Purpose::Write);
    asks(&mut call, &fleet, START, "a");
    call.failed("a", Failure::Busy { retry_after_ms: 700 }, START);
    assert_eq!(call.next(&fleet, START), Step::Pause { until_ms: START + 700 });
    asks(&mut call, &fleet, START + 700, "a");
    call.failed("a", Failure::Busy { retry_after_ms: 60_000 }, START + 700);
    let verdict = Verdict::NoEffect(Failure::Busy { retry_after_ms: 60_000 });
    assert_eq!(call.next(&fleet, START + 700), Step::Stop(verdict), "it would be after the deadline");
}

#[test]
fn the_only_replica_is_the_only_one_asked() {
    let fleet = fleet(&["a", "b"]);
    let mut call = Attempts::new(Terms { only: Some("b".into()), ..terms(Purpose::Read) });
    asks(&mut call, &fleet, START, "b");
    assert_eq!(call.hedge(&fleet, START + 100), None);
    call.failed("b", Failure::NotReady, START);
    let Step::Pause { until_ms } = call.next(&fleet, START) else { panic!("nobody else may be asked") };
    asks(&mut call, &fleet, until_ms, "b");
}

#[test]
fn without_replicas_the_call_is_over_at_once() {
    assert_eq!(call(Purpose::Read).next(&Fleet::default(), START), Step::Stop(Verdict::NoEffect(Failure::NotSent)));
}

#[test]
fn the_first_attempt_leaves_time_for_another() {
    let fleet = fleet(&["a", "b"]);
    let mut call = Attempts::new(Terms { deadline_ms: START + 800, ..terms(Purpose::Write) });
    let first = asked(call.next(&fleet, START));
    assert_eq!(first.give_up_ms, START + 400);
    assert!(first.wait_ms < 400 && first.wait_ms >= 200, "its answer must arrive: {}", first.wait_ms);
    call.failed("a", Failure::Lost, first.give_up_ms);
    let second = asked(call.next(&fleet, START + 400));
    assert_eq!((second.replica.as_str(), second.give_up_ms), ("b", START + 800));
}

#[test]
fn with_time_enough_a_replica_waits_as_long_as_the_call_allows() {
    let fleet = fleet(&["a", "b"]);
    let ask = asked(call(Purpose::Read).next(&fleet, START));
    assert_eq!((ask.wait_ms, ask.give_up_ms), (1_000, START + 1_000 + PATIENCE_MS + 40));
}

/// A fleet that knows what is late at its nearest replica.
fn learnt() -> Fleet {
    let mut fleet = fleet(&["a", "b", "c"]);
    (0..16).for_each(|_| fleet.note_read_latency("a", 12_000));
    fleet
}

#[test]
fn a_late_read_is_hedged_once_with_a_replica_that_satisfies() {
    let mut fleet = learnt();
    let mut call = Attempts::new(Terms { token: token(6), ..terms(Purpose::Read) });
    assert_eq!(asked(call.next(&fleet, START)).hedge_after_micros, Some(12_000));
    assert_eq!(call.hedge(&fleet, START + 12), None, "nobody is known to have the token");
    fleet.note_token("c", &token(6));
    let hedge = call.hedge(&fleet, START + 12).expect("a hedge");
    assert_eq!((hedge.replica.as_str(), hedge.hedge_after_micros), ("c", None));
    assert_eq!(call.hedge(&fleet, START + 13), None, "once");
    call.failed("c", Failure::Lost, START + 20);
    assert_eq!(call.next(&fleet, START + 20), Step::Await, "the first may still answer");
    call.failed("a", Failure::Lost, START + 30);
    let again = asked(call.next(&fleet, START + 30));
    assert_eq!((again.replica.as_str(), again.hedge_after_micros), ("b", None));
    assert_eq!(call.hedge(&fleet, START + 31), None, "once in a call");
}

#[test]
fn writes_and_reads_that_do_not_want_it_are_never_hedged() {
    let fleet = learnt();
    let unwanted = Terms { hedge: false, ..terms(Purpose::Read) };
    for mut call in [call(Purpose::Write), Attempts::new(unwanted)] {
        assert_eq!(asked(call.next(&fleet, START)).hedge_after_micros, None);
        assert_eq!(call.hedge(&fleet, START + 100), None);
    }
}

#[test]
fn sessions_come_back_at_different_times() {
    let fleet = fleet(&["a"]);
    let mut pauses: Vec<u64> = (0..50u8)
        .map(|number| {
            let mut terms = terms(Purpose::Read);
            terms.session.0[15] = number;
            let mut call = Attempts::new(terms);
            asks(&mut call, &fleet, START, "a");
            call.failed("a", Failure::NotSent, START);
            let Step::Pause { until_ms } = call.next(&fleet, START) else { panic!("a pause") };
            until_ms - START
        })
        .collect();
    pauses.sort_unstable();
    pauses.dedup();
    assert!(pauses.len() > 5 && pauses[0] >= 12 && pauses[pauses.len() - 1] <= 25, "{pauses:?}");
}
