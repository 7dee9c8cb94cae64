//! How old what a replica shows may be, and how far it lags behind each peer.

use crate::replica::{Replica, add, one, sent};
use anabranch_causality::{Origin, ShardId, VersionVector};
use anabranch_engine::Role;
use anabranch_protocol::{Heartbeat, Message};

fn beat(replica: &mut Replica, peer: &str, seq: u64, behind_ms: Option<u64>) {
    late_beat(replica, peer, seq, behind_ms, 0);
}

/// One that was under way for so long.
fn late_beat(replica: &mut Replica, peer: &str, seq: u64, behind_ms: Option<u64>, ms: u64) {
    let vector: VersionVector = [(Origin(2), seq)].into_iter().collect();
    let (shard, wall_ms) = (ShardId(0), replica.time.wall_ms - ms);
    let beat = Heartbeat { shard, wall_ms, behind_ms, vector, digest: None, buckets: vec![] };
    replica.message(peer, Message::Heartbeat(beat));
}

fn lag(replica: &Replica, peer: &str) -> u64 {
    let status = replica.engine.status(replica.time);
    status.peers.iter().find(|found| found.name == peer).map_or(0, |found| found.lag_ms)
}

fn behind(replica: &Replica) -> Option<u64> {
    replica.engine.behind_ms(replica.time)
}

#[test]
fn a_replica_alone_is_never_behind() {
    let mut a = Replica::new("a", 1);
    a.pass(60_000);
    assert_eq!(behind(&a), Some(0));
}

#[test]
fn what_a_peer_said_counts_from_when_it_was_heard() {
    let mut a = Replica::new("a", 1);
    a.connect("b", 2);
    assert_eq!(behind(&a), None, "nothing was said yet");
    beat(&mut a, "b", 0, Some(0));
    a.pass(400);
    assert_eq!((behind(&a), lag(&a, "b")), (Some(400), 0));
    // It has something that we lack: from now on we lag, and what we show is as old as what it said before.
    beat(&mut a, "b", 1, Some(0));
    a.pass(300);
    beat(&mut a, "b", 2, Some(0));
    a.pass(300);
    assert_eq!((behind(&a), lag(&a, "b")), (Some(1_000), 600));
}

#[test]
fn a_silent_peer_hides_what_it_may_have_written() {
    let mut a = Replica::new("a", 1);
    a.engine.expect(a.time, "b", Some("b"));
    a.pass(700);
    assert_eq!((behind(&a), lag(&a, "b")), (None, 700), "expected, and never heard");
    a.connect("b", 2);
    beat(&mut a, "b", 0, Some(0));
    assert_eq!((behind(&a), lag(&a, "b")), (Some(0), 0));
    a.pass(1_500);
    assert_eq!(lag(&a, "b"), 0, "three heartbeats may be late");
    a.pass(100);
    assert_eq!((behind(&a), lag(&a, "b")), (Some(1_600), 1_600));
    a.engine.handle_disconnected("b");
    a.pass(1_000);
    assert_eq!((behind(&a), lag(&a, "b")), (Some(2_600), 2_600));
    a.connect("b", 2);
    beat(&mut a, "b", 0, Some(0));
    assert_eq!((behind(&a), lag(&a, "b")), (Some(0), 0));
}

#[test]
fn devices_and_followers_come_and_go_without_a_trace() {
    let mut a = Replica::new("a", 1);
    a.connect("phone", 2);
    beat(&mut a, "phone", 0, Some(0));
    a.connect_as("a-2", 3, Role::Follower);
    a.engine.handle_disconnected("phone");
    a.pass(60_000);
    assert_eq!((behind(&a), lag(&a, "phone"), lag(&a, "a-2")), (Some(0), 0, 0));
}

#[test]
fn what_a_follower_shows_is_as_old_as_what_its_leader_shows_and_the_way_from_there() {
    let mut follower = Replica::follower("f", 9, "b");
    follower.connect("b", 2);
    assert_eq!(behind(&follower), None);
    beat(&mut follower, "b", 0, None);
    assert_eq!(behind(&follower), None, "its leader does not know");
    beat(&mut follower, "b", 0, Some(5_000));
    follower.pass(100);
    assert_eq!(behind(&follower), Some(5_100));
}

/// What `b` writes, for `a`: one message each.
fn written(count: usize) -> Vec<Message> {
    let mut b = Replica::new("b", 2);
    b.connect("a", 1);
    let mut write = || {
        b.engine.handle_write(&b.store, b.time, 1, &one(add("p", 1))).expect("handled");
        Message::Transactions(sent(&b.settle(), "a"))
    };
    (0..count).map(|_| write()).collect()
}

#[test]
fn a_peer_that_comes_back_is_lagged_behind_until_what_it_has_is_here() {
    let mut a = Replica::new("a", 1);
    a.engine.expect(a.time, "b", Some("b"));
    a.connect("b", 2);
    beat(&mut a, "b", 0, Some(0));
    a.engine.handle_disconnected("b");
    a.pass(60_000);
    a.connect("b", 2);
    assert_eq!(lag(&a, "b"), 60_000, "it has said nothing yet");
    beat(&mut a, "b", 1, Some(0));
    a.pass(400);
    assert_eq!((behind(&a), lag(&a, "b")), (Some(60_400), 60_400));
    a.message("b", written(1).remove(0));
    assert_eq!((behind(&a), lag(&a, "b")), (Some(400), 0));
}

#[test]
fn lag_counts_from_the_oldest_word_that_is_not_met() {
    let mut a = Replica::new("a", 1);
    a.connect("b", 2);
    beat(&mut a, "b", 0, Some(0));
    let mut written = written(2);
    for seq in 1..=4 {
        a.pass(500);
        beat(&mut a, "b", seq, Some(0));
    }
    a.pass(100);
    assert_eq!((behind(&a), lag(&a, "b")), (Some(2_100), 1_600));
    a.message("b", written.remove(0));
    assert_eq!((behind(&a), lag(&a, "b")), (Some(1_600), 1_100), "the second was said 1,100 ms ago");
}

#[test]
fn a_word_that_was_long_under_way_is_as_old_as_it_is() {
    let mut a = Replica::new("a", 1);
    a.connect("b", 2);
    beat(&mut a, "b", 0, Some(0));
    a.pass(3_000);
    late_beat(&mut a, "b", 0, Some(0), 2_500);
    assert_eq!(behind(&a), Some(2_500), "it may have written since");
    late_beat(&mut a, "b", 0, Some(0), 2_000);
    assert_eq!(behind(&a), Some(2_000));
    beat(&mut a, "b", 0, Some(0));
    assert_eq!(behind(&a), Some(0));
}

#[test]
fn a_clock_that_is_set_back_takes_away_nothing_that_was_known() {
    let mut a = Replica::new("a", 1);
    a.connect("b", 2);
    beat(&mut a, "b", 0, Some(0));
    for step in 1..=12 {
        a.pass(500);
        late_beat(&mut a, "b", 0, Some(0), 3_600_000);
        let known = if step < 8 { step * 500 } else { 0 };
        assert_eq!(behind(&a), Some(known), "after {step} heartbeats by the new clock");
    }
}
