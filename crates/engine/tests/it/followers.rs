//! Followers apply everything and write nothing of their own.

use crate::replica::{Replica, acked, add, one, put, sent};
use anabranch_causality::{Origin, ShardId};
use anabranch_engine::{Refusal, Role};
use anabranch_protocol::{Heartbeat, Message};

#[test]
fn a_follower_refuses_writes_and_says_who_takes_them() {
    let mut follower = Replica::follower("f", 9, "a");
    let refused = follower.write(&one(add("p", 1)));
    let Err(Refusal::NotWritable { reason: "leader", detail }) = refused else { panic!("{refused:?}") };
    assert!(detail.contains("its leader, a"), "{detail}");
    assert_eq!(follower.engine.status(follower.time).log_transactions, 0);
}

#[test]
fn a_follower_that_knows_only_its_leader_gets_what_that_one_has_of_others() {
    let mut b = Replica::new("b", 2);
    b.connect("a", 1);
    b.engine.handle_write(&b.store, b.time, 1, &one(add("p", 1))).expect("handled");
    let from_b = sent(&b.settle(), "a");
    let mut a = Replica::new("a", 1);
    a.connect("b", 2);
    a.message("b", Message::Transactions(from_b));
    a.write(&one(put("k", "v"))).expect("written");
    let mut follower = Replica::follower("f", 9, "a");
    follower.connect("a", 1);
    let own = sent(&a.connect_as("f", 9, Role::Follower), "f");
    let (shard, vector) = (ShardId(0), a.engine.durable_vector());
    let beat = Heartbeat { shard, wall_ms: a.time.wall_ms, behind_ms: Some(0), vector, digest: None, buckets: vec![] };
    let ack = acked(&follower.message("a", Message::Heartbeat(beat)), "a").expect("an acknowledgement");
    assert_eq!(ack.want, [Origin(2)]);
    let brought = sent(&a.message("f", Message::Ack(ack)), "f");
    assert_eq!((own.len(), brought.len()), (1, 1));
    let outputs = follower.message("a", Message::Transactions([own, brought].concat()));
    assert_eq!(follower.digest(), a.digest());
    let ack = acked(&outputs, "a").expect("an acknowledgement");
    a.message("f", Message::Ack(ack));
    let known = a.engine.acknowledged().find(|known| known.name == "f").expect("connected");
    assert_eq!((known.role, known.vector.get(Origin(1)), known.vector.get(Origin(2))), (Role::Follower, 1, 1));
}
