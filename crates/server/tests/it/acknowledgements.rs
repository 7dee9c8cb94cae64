//! What an acknowledgement means: on this disk, on a follower's, in several regions, everywhere.

use crate::support::Answer;
use crate::support::cluster::{Cluster, Running, peer, until};
use anabranch::transport::WanLink;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Leaders of `eu` and `ap` and a follower in `eu`; links, from the others to `eu`, that can be cut.
struct World<'c> {
    eu: Running<'c>,
    ap: Running<'c>,
    follower: Running<'c>,
    ap_link: WanLink,
    follower_link: WanLink,
}

impl<'c> World<'c> {
    fn start(cluster: &'c Cluster) -> Self {
        let eu = cluster.leader("eu", &[peer("ap", "ap", None), peer("eu", "copy", None)]);
        let (ap_link, follower_link) = (cluster.link(&eu), cluster.link(&eu));
        let ap = cluster.leader("ap", &[peer("eu", "eu", Some(ap_link.addr()))]);
        let follower = cluster.follower("eu", "copy", "eu", &[peer("eu", "eu", Some(follower_link.addr()))]);
        ap.until_connected("eu");
        follower.until_connected("eu");
        eu.declare("c", "lww");
        eu.declare("likes", "g-counter");
        Self { eu, ap, follower, ap_link, follower_link }
    }

    fn add(&self, ack: &str, wait: &str) -> Answer {
        add(&self.eu, ack, wait)
    }
}

fn add(node: &Running<'_>, ack: &str, wait: &str) -> Answer {
    let headers = [("anabranch-ack", ack), ("anabranch-wait", wait)];
    node.send("POST", "/v1/data/likes/p", &headers, r#"{"add":1}"#)
}

/// Whether the node has all that the token names, at this moment.
fn has(node: &Running<'_>, token: &str) -> bool {
    let headers = [("anabranch-token", token), ("anabranch-wait", "0ms"), ("anabranch-fallback", "fail")];
    node.send("GET", "/v1/collections", &headers, "").status == 200
}

#[test]
fn whoever_was_asked_for_has_it_when_the_answer_comes() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    for (ack, holders) in [
        ("local", vec![]),
        ("regions:1", vec![]),
        ("follower", vec![&world.follower]),
        ("regions:2", vec![&world.ap]),
        ("all", vec![&world.follower, &world.ap]),
    ] {
        let written = world.add(ack, "20s");
        assert_eq!(written.status, 200, "{ack}: {written:?}");
        assert!(holders.iter().all(|holder| has(holder, written.token())), "{ack}");
    }
    // Through a follower, too: its leader knows what there is.
    let written = add(&world.follower, "regions:2", "20s");
    assert_eq!((written.status, written.served_by()), (200, "eu"), "{written:?}");
    assert!(has(&world.ap, written.token()));
}

#[test]
fn every_write_may_ask_for_it() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    let transaction = r#"{"operations":[{"collection":"likes","key":"p","op":{"add":1}}]}"#;
    for (method, path, body) in [
        ("PUT", "/v1/data/c/k", "1"),
        ("POST", "/v1/data/c/k", r#"{"put":2}"#),
        ("DELETE", "/v1/data/c/k", ""),
        ("POST", "/v1/transactions", transaction),
        ("PUT", "/v1/collections/new", r#"{"resolver":"cart"}"#),
        // What is so already: others must have it all the same.
        ("PUT", "/v1/collections/new", r#"{"resolver":"cart"}"#),
    ] {
        let written = world.eu.send(method, path, &[("anabranch-ack", "all"), ("anabranch-wait", "20s")], body);
        assert!(written.status < 300, "{method} {path}: {written:?}");
        assert!(has(&world.ap, written.token()) && has(&world.follower, written.token()), "{method} {path}");
    }
}

#[test]
fn what_can_never_be_is_a_bad_request() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    let state = world.eu.shard();
    for ack in ["regions:0", "regions:3", "regions:99999", "regions:-1", "most", ""] {
        world.add(ack, "1s").problem_of(400, "bad-request");
    }
    assert_eq!(world.eu.shard(), state);
    // The region of `ap` has none.
    add(&world.ap, "follower", "1s").problem_of(400, "bad-request");
}

#[test]
fn without_it_the_answer_says_all_and_nothing_is_lost() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    world.ap_link.cut();
    // Whether by silence or by a closed connection: `ap` has no more than it said it has.
    for ack in ["regions:2", "all"] {
        let started = Instant::now();
        let unreached = world.add(ack, "300ms");
        let took = started.elapsed();
        let problem = unreached.problem_of(504, "ack-not-reached");
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{ack}: {took:?}");
        assert_eq!((&problem["written"], &problem["acked"]), (&json!(true), &json!(["eu"])), "{problem}");
        assert_eq!(problem["value"], world.eu.get("/v1/data/likes/p").ok()["value"]);
        assert!(problem["dot"].as_str().is_some_and(|dot| dot.starts_with("0:")), "{problem}");
        // The write is in the token.
        assert!(has(&world.eu, unreached.token()) && !has(&world.ap, unreached.token()));
    }
    assert_eq!(world.add("follower", "20s").status, 200, "the follower is not cut off");
    registers_say_what_was_seen(&world);
    let last = every_write_may_miss_it(&world);
    world.ap_link.heal();
    until("it has replicated", || has(&world.ap, last.token()));
    assert_eq!(world.add("all", "20s").status, 200);
    assert_eq!(world.ap.get("/v1/data/likes/p").ok()["value"], world.eu.get("/v1/data/likes/p").ok()["value"]);
}

fn registers_say_what_was_seen(world: &World<'_>) {
    let headers = [("anabranch-ack", "regions:2"), ("anabranch-wait", "10ms")];
    let unreached = world.eu.send("PUT", "/v1/data/c/k?return=none", &headers, "1");
    let problem = unreached.problem_of(504, "ack-not-reached");
    assert_eq!(problem.get("value"), None);
    let next = world.eu.send("PUT", "/v1/data/c/k", &[("anabranch-context", unreached.context())], "2");
    assert_eq!(next.ok()["value"], 2);
}

/// The token of the last.
fn every_write_may_miss_it(world: &World<'_>) -> Answer {
    let transaction = r#"{"operations":[{"collection":"likes","key":"p","op":{"add":1}}]}"#;
    let mut last = None;
    for (method, path, body) in [
        ("POST", "/v1/transactions", transaction),
        ("PUT", "/v1/collections/late", r#"{"resolver":"cart"}"#),
        ("PUT", "/v1/collections/late", r#"{"resolver":"cart"}"#),
        ("DELETE", "/v1/data/c/k", ""),
    ] {
        let headers = [("anabranch-ack", "all"), ("anabranch-wait", "10ms")];
        let unreached = world.eu.send(method, path, &headers, body);
        let problem = unreached.problem_of(504, "ack-not-reached");
        assert_eq!((&problem["written"], &problem["acked"]), (&json!(true), &json!(["eu"])), "{path}: {problem}");
        last = Some(unreached);
    }
    assert_eq!(world.eu.get("/v1/collections/late").status, 200);
    last.expect("there were some")
}

#[test]
fn it_comes_when_a_partition_heals_in_time() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    world.follower_link.cut();
    let written = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| world.add("follower", "20s"));
        until("it is written", || world.eu.get("/v1/data/likes/p").status == 200);
        world.follower_link.heal();
        waiting.join().expect("no panic")
    });
    assert_eq!(written.status, 200, "{written:?}");
    assert!(has(&world.follower, written.token()));
}

#[test]
fn a_dead_member_is_missing_from_all() {
    let cluster = Cluster::new();
    let mut world = World::start(&cluster);
    assert_eq!(world.add("all", "20s").status, 200);
    world.follower.stop();
    until("it is gone", || world.eu.peer("copy")["state"] == "connecting");
    let problem = world.add("all", "2s").problem_of(504, "ack-not-reached");
    // All regions have it, but not all members.
    assert_eq!(problem["acked"], json!(["ap", "eu"]));
    world.add("follower", "100ms").problem_of(504, "ack-not-reached");
    assert_eq!(world.add("regions:2", "20s").status, 200);
}

#[test]
fn a_repeat_waits_for_it_as_well() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    world.ap_link.cut();
    let id = crate::support::session(Duration::ZERO);
    let add = |wait| {
        let headers = [("idempotency-key", id.as_str()), ("anabranch-ack", "regions:2"), ("anabranch-wait", wait)];
        world.eu.send("POST", "/v1/data/likes/p", &headers, r#"{"add":1}"#)
    };
    let first = add("50ms").problem_of(504, "ack-not-reached");
    assert_eq!(first.get("repeated"), None);
    let second = add("50ms").problem_of(504, "ack-not-reached");
    assert_eq!((&second["repeated"], &second["dot"]), (&json!(true), &first["dot"]));
    world.ap_link.heal();
    let repeated: Value = add("20s").ok();
    assert_eq!((&repeated["repeated"], &repeated["value"]), (&json!(true), &json!(1)));
}
