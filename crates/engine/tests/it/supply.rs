//! Who supplies what.

use crate::replica::{Replica, acked, add, one, sent};
use anabranch_causality::{Origin, ShardId};
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
