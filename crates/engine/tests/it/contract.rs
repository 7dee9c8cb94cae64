//! Durable before visible.

use crate::replica::{Replica, add, one, sent};
use anabranch_engine::Output;

#[test]
fn nothing_of_a_write_is_seen_before_it_is_committed() {
    let mut replica = Replica::new("a", 1);
    replica.connect("b", 2);
    let status = replica.engine.status(replica.time);
    replica.engine.handle_write(&replica.store, replica.time, 9, &one(add("p", 1))).expect("handled");
    assert_eq!(replica.engine.poll_output(), None, "no answer, nothing sent");
    assert_eq!(replica.engine.durable_vector(), status.vector);
    assert_eq!(replica.rows(), 0);
    let outputs = replica.settle();
    assert!(matches!(outputs[0], Output::Reply { ticket: 9, answer: Ok(_) }), "{outputs:?}");
    assert_eq!(sent(&outputs, "b").len(), 1);
}

#[test]
fn a_refusal_waits_for_what_it_may_have_seen() {
    let mut replica = Replica::new("a", 1);
    replica.engine.handle_write(&replica.store, replica.time, 1, &one(add("p", i64::MAX))).expect("handled");
    replica.engine.handle_write(&replica.store, replica.time, 2, &one(add("p", 1))).expect("handled");
    assert_eq!(replica.engine.poll_output(), None);
    let outputs = replica.settle();
    assert!(matches!(outputs[1], Output::Reply { ticket: 2, answer: Err(_) }), "{outputs:?}");
}

#[test]
fn a_slow_peer_is_sent_no_more_than_its_window() {
    let mut replica = Replica::new("a", 1);
    replica.connect("b", 2);
    let large = crate::replica::put("k", &"x".repeat(200_000));
    let mut bytes = 0;
    for _ in 0..60 {
        replica.engine.handle_write(&replica.store, replica.time, 1, &one(large.clone())).expect("handled");
        bytes += sent(&replica.settle(), "b").iter().map(Vec::len).sum::<usize>();
    }
    assert!((4 << 20..5 << 20).contains(&bytes), "{bytes} bytes in flight");
}

#[test]
fn every_opening_writes_under_its_own_origin_and_names_the_last() {
    let mut replica = Replica::new("a", 1);
    replica.write(&one(add("p", 1))).expect("a write");
    let mut replica = replica.reopen("a", 2, anabranch_resolvers::Registry::builtin());
    assert_eq!(replica.engine.durable_vector().get(anabranch_causality::Origin(1)), 1);
    replica.write(&one(add("p", 1))).expect("a write");
    let lineage = replica.engine.lineages().get(anabranch_causality::Origin(2)).cloned().expect("a lineage");
    assert_eq!(lineage.previous, Some((anabranch_causality::Origin(1), 1)));
    let compact: Vec<_> = replica.engine.durable_vector().iter().collect();
    assert_eq!(compact, [(anabranch_causality::Origin(2), 1)], "what a newer origin implies is left out");
}
