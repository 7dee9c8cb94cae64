//! Who supplies what.

use crate::replica::{Replica, acked, add, one, sent};
use anabranch_causality::{Origin, ShardId, VersionVector};
use anabranch_protocol::{Ack, Heartbeat, Message};

fn beat(replica: &Replica) -> Message {
    let vector = replica.engine.durable_vector();
    let (shard, wall_ms) = (ShardId(0), replica.time.wall_ms);
    Message::Heartbeat(Heartbeat { shard, wall_ms, behind_ms: None, vector, digest: None, buckets: vec![] })
}

/// `c` has what `b` wrote; `a` knows only `c`.
fn chain() -> (Replica, Replica) {
    let mut b = Replica::new("b", 2);
    b.connect("c", 3);
    b.engine.handle_write(&b.store, b.time, 1, &one(add("p", 1))).expect("handled");
    let from_b = sent(&b.settle(), "c");
    let mut c = Replica::new("c", 3);
    c.connect("b", 2);
    c.message("b", Message::Transactions(from_b));
    (Replica::new("a", 1), c)
}

#[test]
fn an_origin_whose_node_is_not_connected_is_asked_of_whoever_has_it() {
    let (mut a, mut c) = chain();
    a.connect("c", 3);
    c.connect("a", 1);
    let outputs = a.message("c", beat(&c));
    let ack = acked(&outputs, "c").expect("an acknowledgement");
    assert_eq!(ack.want, [Origin(2)]);
    let outputs = c.message("a", Message::Ack(ack));
    a.message("c", Message::Transactions(sent(&outputs, "a")));
    assert_eq!(a.value("likes", "p"), Some(1.into()));
}

#[test]
fn an_origin_whose_node_is_connected_comes_from_it_unless_it_makes_no_progress() {
    let (mut a, c) = chain();
    a.connect("b", 2);
    a.connect("c", 3);
    let outputs = a.message("c", beat(&c));
    assert!(acked(&outputs, "c").is_none_or(|ack| ack.want.is_empty()), "b itself will bring it");
    a.pass(1_900);
    let outputs = a.pass(600);
    assert_eq!(acked(&outputs, "c").expect("an acknowledgement").want, [Origin(2)]);
}

#[test]
fn nobody_is_sent_what_it_did_not_ask_for() {
    let (_, mut c) = chain();
    c.connect("a", 1);
    let vector = Default::default();
    let ack = Ack { shard: ShardId(0), vector, want: vec![], parked: vec![], rewind: true };
    assert!(sent(&c.message("a", Message::Ack(ack)), "a").is_empty());
}

/// `b` writes twice, and `a` much in between, all of which `b` has.
fn rare_among_many() -> Replica {
    let mut a = Replica::new("a", 1);
    let mut b = Replica::new("b", 2);
    a.connect("b", 2);
    b.connect("a", 1);
    b.write(&one(add("p", 1))).expect("written");
    for _ in 0..30 {
        (0..100).for_each(|_| a.engine.handle_write(&a.store, a.time, 1, &one(add("q", 1))).expect("handled"));
        let list = sent(&a.settle(), "b");
        b.message("a", Message::Transactions(list));
        a.message("b", Message::Ack(ack_of(b.engine.durable_vector())));
    }
    b.write(&one(add("p", 1))).expect("written");
    b
}

fn ack_of(vector: VersionVector) -> Ack {
    Ack { shard: ShardId(0), vector, want: vec![], parked: vec![], rewind: false }
}

#[test]
fn what_a_peer_lacks_is_found_without_looking_through_what_others_wrote() {
    let mut b = rare_among_many();
    let all = b.engine.durable_vector();
    b.engine.handle_disconnected("a");
    b.engine.handle_connected(b.time, "a", "a", anabranch_engine::Role::Leader, Origin(1));
    let lacks_one: VersionVector =
        all.iter().map(|(origin, seq)| (origin, seq - u64::from(origin == Origin(2)))).collect();
    let outputs = b.message("a", Message::Ack(ack_of(lacks_one)));
    assert_eq!(sent(&outputs, "a").len(), 1);
    assert!(!b.engine.wants_turn(), "one turn was not enough");
}

#[test]
fn others_transactions_are_passed_over_until_they_are_asked_for() {
    let mut b = rare_among_many();
    b.connect("c", 3);
    let own = [(Origin(2), b.engine.durable_vector().get(Origin(2)))].into_iter().collect();
    assert!(sent(&b.message("c", Message::Ack(ack_of(own))), "c").is_empty());
    let own: VersionVector = [(Origin(2), 2)].into_iter().collect();
    let wants = Ack { want: vec![Origin(1)], ..ack_of(own) };
    let mut got = sent(&b.message("c", Message::Ack(wants)), "c").len();
    while b.engine.wants_turn() {
        got += sent(&b.settle(), "c").len();
    }
    assert_eq!(got, 3_000);
}
