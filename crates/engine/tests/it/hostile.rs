//! Peers that do not follow the protocol: a definite end, and nothing changed.

use crate::replica::{Replica, acked, add, alarms, disconnected, one, sent};
use anabranch_causality::{Origin, ShardId, Transaction, VersionVector};
use anabranch_engine::Alarm;
use anabranch_protocol::{Ack, Heartbeat, Message};

/// Transactions of a node `b` under origin 2.
fn genuine(count: usize) -> Vec<Vec<u8>> {
    let mut b = Replica::new("b", 2);
    b.connect("a", 1);
    let mut all = Vec::new();
    for n in 0..count {
        b.engine.handle_write(&b.store, b.time, 1, &one(add(&format!("p{n}"), 1))).expect("handled");
        all.extend(sent(&b.settle(), "a"));
    }
    all
}

fn receiver() -> Replica {
    let mut a = Replica::new("a", 1);
    a.connect("b", 2);
    a.write(&one(add("own", 1))).expect("a write");
    a
}

#[test]
fn garbage_ends_the_connection_and_changes_nothing() {
    let bytes = genuine(1).remove(0);
    let mut other_shard = bytes.clone();
    other_shard[1] = 9;
    for bad in [vec![], vec![1, 2, 3], other_shard] {
        let mut a = receiver();
        let before = (a.digest(), a.engine.durable_vector());
        assert!(disconnected(&a.message("b", Message::Transactions(vec![bad]))));
        assert_eq!((a.digest(), a.engine.durable_vector()), before);
    }
}

#[test]
fn a_transaction_that_cannot_be_read_parks_its_origin_and_others_go_on() {
    let mut a = receiver();
    let mut all = genuine(2);
    all[1][0] = 9;
    let outputs = a.message("b", Message::Transactions(all));
    assert!(!disconnected(&outputs));
    assert!(matches!(alarms(&outputs)[..], [Alarm::OriginParked { origin: Origin(2), .. }]));
    let ack = acked(&outputs, "b").expect("an acknowledgement");
    assert_eq!((ack.vector.get(Origin(2)), ack.parked), (1, vec![Origin(2)]));
    assert_eq!(a.engine.status(a.time).parked_origins.len(), 1);
    a.write(&one(add("own", 1))).expect("writes go on");
}

#[test]
fn one_dot_with_two_contents_parks_its_origin() {
    let mut a = receiver();
    let all = genuine(1);
    a.message("b", Message::Transactions(all.clone()));
    let before = a.digest();
    let mut other = Transaction::decode(&all[0]).expect("a transaction");
    other.effects[0].key = "another".to_owned();
    let outputs = a.message("b", Message::Transactions(vec![other.encode()]));
    assert!(matches!(alarms(&outputs)[..], [Alarm::OriginParked { .. }]), "{outputs:?}");
    assert_eq!(a.digest(), before);
}

#[test]
fn our_own_origin_is_nobody_elses() {
    let mut a = receiver();
    let mut forged = Transaction::decode(&genuine(1)[0]).expect("a transaction");
    forged.dot.origin = Origin(1);
    forged.dot.seq = 2;
    forged.lineage = None;
    forged.operation.actor = anabranch_causality::Actor::Leader(Origin(1));
    forged.operation.counter = 2;
    let before = a.digest();
    let outputs = a.message("b", Message::Transactions(vec![forged.encode()]));
    assert!(disconnected(&outputs));
    assert!(matches!(alarms(&outputs)[..], [Alarm::OwnOriginAhead { seq: 2, own: 1, .. }]));
    assert_eq!(a.digest(), before);
}

#[test]
fn nobody_has_more_of_our_origin_than_we_wrote() {
    for seq in [2, 1_000, u64::MAX - 1] {
        let vector: VersionVector = [(Origin(1), seq)].into_iter().collect();
        let heartbeat = Heartbeat {
            shard: ShardId(0),
            wall_ms: 0,
            behind_ms: None,
            vector: vector.clone(),
            digest: None,
            buckets: vec![],
        };
        let ack = Ack { shard: ShardId(0), vector, want: vec![], parked: vec![], rewind: false };
        for claim in [Message::Ack(ack), Message::Heartbeat(heartbeat)] {
            let mut a = receiver();
            let outputs = a.message("b", claim);
            assert!(disconnected(&outputs));
            assert!(matches!(alarms(&outputs)[..], [Alarm::OwnOriginAhead { own: 1, .. }]), "{outputs:?}");
            // It is sent what it lacks when it comes again.
            a.engine.handle_disconnected("b");
            assert_eq!(sent(&a.connect("b", 2), "b").len(), 1);
        }
    }
}

#[test]
fn what_comes_too_early_waits_in_a_bounded_buffer_and_is_asked_for_again() {
    let mut a = receiver();
    let all = genuine(200);
    let outputs = a.message("b", Message::Transactions(all[1..].to_vec()));
    let status = a.engine.status(a.time);
    assert!(status.buffered > 0 && status.buffered < 199, "{}", status.buffered);
    assert!(status.counters.buffer_overflows > 0);
    assert_eq!(acked(&outputs, "b").map(|ack| (ack.vector.get(Origin(2)), ack.rewind)), Some((0, true)));
    a.message("b", Message::Transactions(all));
    assert_eq!(a.engine.durable_vector().get(Origin(2)), 200);
    assert_eq!(a.engine.status(a.time).buffered, 0);
}

#[test]
fn vectors_without_end_are_not_remembered() {
    let mut a = receiver();
    let names = |from: u64| -> VersionVector { (from..from + 4_000).map(|n| (Origin(n), 1)).collect() };
    let ack = |vector| Message::Ack(Ack { shard: ShardId(0), vector, want: vec![], parked: vec![], rewind: false });
    assert!(!disconnected(&a.message("b", ack(names(10)))));
    assert!(disconnected(&a.message("b", ack(names(10_000)))));
    assert!(a.engine.status(a.time).peers.is_empty());
}

#[test]
fn a_stamp_from_the_future_is_applied_reported_and_moves_our_clock_by_the_limit_only() {
    let mut a = receiver();
    let mut early = Transaction::decode(&genuine(1)[0]).expect("a transaction");
    early.hlc = anabranch_causality::Hlc::from_ms(a.time.wall_ms + 3_600_000);
    let outputs = a.message("b", Message::Transactions(vec![early.encode()]));
    assert!(matches!(alarms(&outputs)[..], [Alarm::StampAhead { .. }]));
    assert_eq!(a.engine.durable_vector().get(Origin(2)), 1);
    a.connect("b", 2);
    a.engine.handle_write(&a.store, a.time, 1, &one(add("own", 1))).expect("handled");
    let ours = sent(&a.settle(), "b").pop().and_then(|bytes| Transaction::decode(&bytes).ok()).expect("ours");
    assert!(ours.hlc.ms() <= a.time.wall_ms + 500, "{}", ours.hlc.ms() - a.time.wall_ms);
}

#[test]
fn a_leader_ahead_of_the_others_clocks_writes_nothing_and_says_so() {
    let mut a = Replica::new("a", 1);
    for (peer, origin) in [("b", 2), ("c", 3)] {
        a.connect(peer, origin);
        let wall_ms = a.time.wall_ms - 10_000;
        for _ in 0..4 {
            let (shard, vector) = (ShardId(0), VersionVector::new());
            a.message(
                peer,
                Message::Heartbeat(Heartbeat {
                    shard,
                    wall_ms,
                    behind_ms: None,
                    vector,
                    digest: None,
                    buckets: vec![],
                }),
            );
        }
        let refused = a.write(&one(add("p", 1)));
        match peer {
            "b" => assert!(refused.is_ok(), "two members alone decide nothing"),
            _ => assert!(matches!(refused, Err(anabranch_engine::Refusal::NotWritable { reason: "clock", .. }))),
        }
    }
}

#[test]
fn a_slow_link_does_not_make_our_clock_look_ahead() {
    let mut a = Replica::new("a", 1);
    for (peer, origin) in [("b", 2), ("c", 3)] {
        a.connect(peer, origin);
        for delay_ms in [900, 40, 5_000, 2_000] {
            let (shard, wall_ms) = (ShardId(0), a.time.wall_ms - delay_ms);
            let vector = VersionVector::new();
            a.message(
                peer,
                Message::Heartbeat(Heartbeat {
                    shard,
                    wall_ms,
                    behind_ms: None,
                    vector,
                    digest: None,
                    buckets: vec![],
                }),
            );
        }
    }
    assert_eq!(a.engine.status(a.time).peers[0].clock_ahead_ms, Some(-40));
    a.write(&one(add("p", 1))).expect("a write");
}
