//! An operation submitted at two leaders takes effect once.

use crate::replica::{Replica, add, keyed, one, put, sent};
use anabranch_protocol::Message;

/// What each wrote, exchanged in both directions.
fn exchange(a: &mut Replica, b: &mut Replica, from_a: Vec<Vec<u8>>, from_b: Vec<Vec<u8>>) {
    a.message("b", Message::Transactions(from_b));
    b.message("a", Message::Transactions(from_a));
}

fn submit(replica: &mut Replica, to: &str, write: &anabranch_engine::Write) -> Vec<Vec<u8>> {
    replica.engine.handle_write(&replica.store, replica.time, 1, write).expect("handled");
    sent(&replica.settle(), to)
}

#[test]
fn a_retry_at_another_leader_counts_once_and_both_agree() {
    let (mut a, mut b) = (Replica::new("a", 1), Replica::new("b", 2));
    a.connect("b", 2);
    b.connect("a", 1);
    let from_a = submit(&mut a, "b", &keyed(add("p", 5), 1));
    let from_b = submit(&mut b, "a", &keyed(add("p", 5), 1));
    exchange(&mut a, &mut b, from_a, from_b);
    assert_eq!((a.value("likes", "p"), b.value("likes", "p")), (Some(5.into()), Some(5.into())));
    assert_eq!(a.digest(), b.digest());
    assert_eq!(a.engine.status(a.time).counters.copies, 1);
}

#[test]
fn the_lower_stamp_of_two_copies_stands_whoever_came_first() {
    let (mut a, mut b) = (Replica::new("a", 1), Replica::new("b", 2));
    a.connect("b", 2);
    b.connect("a", 1);
    b.time.wall_ms += 300;
    let from_a = submit(&mut a, "b", &keyed(put("k", "x"), 1));
    let from_b = submit(&mut b, "a", &keyed(put("k", "x"), 1));
    exchange(&mut a, &mut b, from_a, from_b);
    assert_eq!(a.digest(), b.digest());
}

#[test]
fn a_copy_does_not_bring_back_what_was_superseded() {
    let (mut a, mut b) = (Replica::new("a", 1), Replica::new("b", 2));
    a.connect("b", 2);
    b.connect("a", 1);
    let first = submit(&mut a, "b", &keyed(put("k", "old"), 1));
    let late = submit(&mut b, "a", &keyed(put("k", "old"), 1));
    let next = submit(&mut a, "b", &one(put("k", "new")));
    a.message("b", Message::Transactions(late));
    b.message("a", Message::Transactions([first, next].concat()));
    assert_eq!((a.value("names", "k"), b.value("names", "k")), (Some("new".into()), Some("new".into())));
    assert_eq!(a.digest(), b.digest());
}
