//! Followers: they apply everything, serve reads, and pass writes on to their leader.

use crate::support::cluster::{Cluster, Running, peer, until};
use crate::support::session;
use crate::support::wire::Wire;
use anabranch::transport::CloseReason;
use anabranch_protocol::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// A leader of `eu` that takes part with a leader of `ap` and a follower.
fn leader(cluster: &Cluster) -> Running<'_> {
    cluster.leader("eu", &[peer("ap", "ap", None), peer("eu", "copy", None)])
}

/// A follower that knows its leader alone.
fn follower<'c>(cluster: &'c Cluster, eu: &Running<'_>) -> Running<'c> {
    let follower = cluster.follower("eu", "copy", "eu", &[peer("eu", "eu", Some(eu.quic()))]);
    follower.until_connected("eu");
    follower
}

#[test]
fn a_follower_has_what_its_leader_wrote_and_what_came_to_it() {
    let cluster = Cluster::new();
    let eu = leader(&cluster);
    let ap = cluster.leader("ap", &[peer("eu", "eu", Some(eu.quic()))]);
    let follower = follower(&cluster, &eu);
    ap.until_connected("eu");
    ap.declare("c", "lww");
    let far = ap.put("/v1/data/c/far", "1");
    let headers = [("anabranch-token", far.token()), ("anabranch-wait", "10s"), ("anabranch-fallback", "fail")];
    let near = eu.send("PUT", "/v1/data/c/near", &headers, "2");
    let headers = [("anabranch-token", near.token()), ("anabranch-wait", "10s"), ("anabranch-fallback", "fail")];
    for (key, value) in [("far", 1), ("near", 2)] {
        let read = follower.send("GET", &format!("/v1/data/c/{key}"), &headers, "");
        assert_eq!((read.served_by(), &read.json()["value"]), ("copy", &json!(value)));
    }
    eu.until_equal(&follower);
    eu.until_equal(&ap);
    its_origin_is_nowhere(&follower, &[&eu, &ap]);
    its_status_says_what_it_is(&follower, &eu);
}

fn its_origin_is_nowhere(follower: &Running<'_>, leaders: &[&Running<'_>; 2]) {
    let origins = |status: &Value| -> BTreeSet<String> {
        status["shards"][0]["version_vector"].as_object().expect("a vector").keys().cloned().collect()
    };
    let own = |node: &&Running<'_>| node.status()["origin"].as_str().expect("an origin").to_owned();
    let expected: BTreeSet<String> = leaders.iter().map(own).collect();
    for node in [follower, leaders[0], leaders[1]] {
        assert_eq!(origins(&node.status()), expected, "{}", node.name());
    }
}

fn its_status_says_what_it_is(follower: &Running<'_>, leader: &Running<'_>) {
    let status = follower.status();
    let named = (&status["role"], &status["leader"], &status["origin"], &status["region"]);
    assert_eq!(named, (&json!("follower"), &json!("eu"), &json!(null), &json!("eu")));
    assert_eq!(follower.peer("eu")["role"], "leader");
    until("it knows how old what it shows may be", || {
        follower.status()["behind_ms"].as_u64().is_some_and(|behind| behind < 5_000)
    });
    assert_eq!((&leader.status()["role"], &leader.status()["leader"]), (&json!("leader"), &json!(null)));
    assert_eq!((&leader.peer("copy")["role"], &leader.peer("copy")["region"]), (&json!("follower"), &json!("eu")));
}

#[test]
fn writes_through_a_follower_are_its_leaders() {
    let cluster = Cluster::new();
    let eu = leader(&cluster);
    let follower = follower(&cluster, &eu);
    let made = follower.declare("c", "lww");
    assert_eq!((made.served_by(), &made.json()["kind"]), ("eu", &json!("register")));
    assert_eq!(follower.put("/v1/collections/c", r#"{"resolver":"lww"}"#).status, 200);
    follower.declare("likes", "g-counter");
    let transaction = json!({"operations": [
        {"collection": "c", "key": "t", "op": {"put": 1}}, {"collection": "likes", "key": "p", "op": {"add": 3}}]});
    let origin = eu.status()["origin"].as_str().expect("an origin").to_owned();
    for (method, path, body, expected) in [
        ("PUT", "/v1/data/c/k", r#"{"a":[1,"ä"]}"#, json!({"a": [1, "ä"]})),
        ("PUT", "/v1/data/c/a%2Fb%20c?return=none", "7", json!(null)),
        ("POST", "/v1/data/likes/p", r#"{"add":2}"#, json!(2)),
        ("DELETE", "/v1/data/c/k", "", json!(null)),
        ("POST", "/v1/transactions", &transaction.to_string(), json!(null)),
    ] {
        let written = follower.send(method, path, &[], body);
        assert_eq!((written.status, written.served_by()), (200, "eu"), "{written:?}");
        assert_eq!(written.header("cache-control"), Some("no-store"));
        assert_eq!(written.json()["value"], expected, "{path}");
        assert!(written.json()["dot"].as_str().is_some_and(|dot| dot.starts_with(&format!("0:{origin}:"))));
        // Its token makes the follower wait until it has the write.
        let read = follower.send("GET", "/v1/data/c?prefix=", &[("anabranch-token", written.token())], "");
        assert_eq!(read.served_by(), "copy");
        assert_eq!(read.token(), written.token());
    }
    let slash = follower.get("/v1/data/c/a%2Fb%20c").ok();
    assert_eq!((&slash["key"], &slash["value"]), (&json!("a/b c"), &json!(7)));
    assert_eq!(follower.get("/v1/data/likes/p").ok()["value"], 5);
    follower.get("/v1/data/c/k").problem_of(404, "no-such-key");
}

#[test]
fn contexts_and_idempotency_keys_pass_through() {
    let cluster = Cluster::new();
    let eu = leader(&cluster);
    let follower = follower(&cluster, &eu);
    follower.declare("c", "keep-all");
    follower.declare("likes", "g-counter");
    let first = follower.put("/v1/data/c/k", "1");
    let with = |context: &str, body: &str| {
        let headers = [("anabranch-context", context), ("anabranch-token", first.token())];
        follower.send("PUT", "/v1/data/c/k", &headers, body)
    };
    // Both have seen the first and not each other.
    assert_eq!(with(first.context(), "2").ok()["value"], json!([2]));
    let both = with(first.context(), "3");
    assert_eq!(both.json()["value"], json!([2, 3]));
    assert_eq!(with(both.context(), "4").ok()["value"], json!([4]));
    with(&"A".repeat(20_000), "5").problem_of(400, "bad-context");
    let id = format!("{}/1", session(Duration::ZERO));
    let add = |node: &Running<'_>| node.send("POST", "/v1/data/likes/p", &[("idempotency-key", &id)], r#"{"add":2}"#);
    let first = add(&follower).ok();
    assert_eq!((&first["value"], first.get("repeated")), (&json!(2), None));
    for node in [&follower, &eu] {
        let again = add(node).ok();
        assert_eq!((&again["value"], &again["repeated"], &again["dot"]), (&json!(2), &json!(true), &first["dot"]));
    }
}

#[test]
fn what_the_leader_refuses_comes_back_as_it_said_it() {
    let cluster = Cluster::new();
    let eu = leader(&cluster);
    let follower = follower(&cluster, &eu);
    follower.declare("likes", "g-counter");
    let id = format!("{}/1", session(Duration::ZERO));
    let keyed = [("idempotency-key", id.as_str())];
    assert_eq!(follower.send("POST", "/v1/data/likes/p", &keyed, r#"{"add":1}"#).status, 200);
    let state = eu.shard();
    let expired = format!("{}/1", session(Duration::from_secs(8 * 24 * 3600)));
    let named = [("x-request-id", "my-id.1")];
    let none = [];
    for (method, path, headers, body, status, code) in [
        ("POST", "/v1/data/likes/p", &none[..], r#"{"add":-1}"#, 422, "rejected"),
        ("POST", "/v1/data/likes/p", &named, r#"{"add":9223372036854775807}"#, 422, "overflow"),
        ("PUT", "/v1/data/likes/p", &none, "1", 422, "not-supported"),
        ("PUT", "/v1/data/nope/p", &none, "1", 404, "no-such-collection"),
        ("PUT", "/v1/collections/likes", &none, r#"{"resolver":"cart"}"#, 409, "resolver-mismatch"),
        ("POST", "/v1/data/likes/p", &keyed, r#"{"add":2}"#, 409, "idempotency-key-reused"),
        ("POST", "/v1/data/likes/p", &[("idempotency-key", &expired)], r#"{"add":1}"#, 410, "idempotency-key-expired"),
        ("POST", "/v1/data/likes/p", &[("anabranch-ack", "regions:9")], r#"{"add":1}"#, 400, "bad-request"),
    ] {
        let refused = follower.send(method, path, headers, body);
        refused.problem_of(status, code);
        assert_eq!(refused.served_by(), "eu", "{refused:?}");
    }
    assert_eq!(follower.send("PUT", "/v1/data/nope/p", &named, "1").json()["instance"], "my-id.1");
    // What it can tell by itself, it does not ask its leader.
    for (headers, body, code) in [
        (&none[..], "{", "bad-request"),
        (&[("anabranch-token", "x")][..], "1", "bad-token"),
        (&[("anabranch-wait", "31s")][..], "1", "bad-request"),
        (&[("anabranch-ack", "some")][..], "1", "bad-request"),
    ] {
        let refused = follower.send("PUT", "/v1/data/likes/p", headers, body);
        refused.problem_of(400, code);
        assert_eq!(refused.served_by(), "copy");
    }
    assert_eq!(eu.shard(), state);
}

#[test]
fn without_its_leader_a_follower_reads_and_says_why_it_does_not_write() {
    let cluster = Cluster::new();
    let mut eu = leader(&cluster);
    let follower = follower(&cluster, &eu);
    follower.declare("c", "lww");
    let written = follower.put("/v1/data/c/k", "1");
    eu.until_equal(&follower);
    eu.stop();
    until("the leader is gone", || follower.peer("eu")["state"] == "connecting");
    let started = Instant::now();
    let refused = follower.put("/v1/data/c/k", "2");
    let problem = refused.problem_of(503, "not-writable");
    assert_eq!((&problem["reason"], &problem["outcome"]), (&json!("leader"), &json!("none")));
    assert_eq!(refused.served_by(), "copy");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    let read = follower.send("GET", "/v1/data/c/k", &[("anabranch-token", written.token())], "");
    assert_eq!(read.ok()["value"], 1);
    assert_eq!(follower.get("/health").status, 200);
}

#[test]
fn a_write_that_got_no_answer_may_be_repeated() {
    let cluster = Cluster::new();
    let eu = leader(&cluster);
    let link = cluster.link(&eu);
    let follower = cluster.follower("eu", "copy", "eu", &[peer("eu", "eu", Some(link.addr()))]);
    follower.until_connected("eu");
    // This one opens the stream on which writes are passed on.
    follower.declare("likes", "g-counter");
    link.cut();
    let id = format!("{}/1", session(Duration::ZERO));
    let add = |wait| {
        let headers = [("idempotency-key", id.as_str()), ("anabranch-wait", wait)];
        follower.send("POST", "/v1/data/likes/p", &headers, r#"{"add":1}"#)
    };
    let started = Instant::now();
    let problem = add("200ms").problem_of(503, "not-writable");
    assert_eq!((&problem["reason"], &problem["outcome"]), (&json!("leader"), &json!("unknown")));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    link.heal();
    until("the leader can be reached again", || add("1s").status == 200);
    assert_eq!(add("1s").ok()["value"], 1);
    eu.until_equal(&follower);
    assert_eq!(follower.get("/v1/data/likes/p").ok()["value"], 1);
}

#[test]
fn a_region_has_one_leader() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("eu", "eu-b", None)]);
    let second = Wire::dial(&cluster, "eu", "eu-b", &eu);
    // It may hear of it before the hello.
    let _stream = second.try_open(Role::Leader);
    let closed = cluster.runtime.block_on(second.connection.closed());
    let CloseReason::Peer { reason, .. } = &closed else { panic!("{closed:?}") };
    assert!(reason.contains("one leader"), "{reason}");
    assert_eq!(eu.peer("eu-b")["state"], "connecting");
    let follower = Wire::dial(&cluster, "eu", "eu-b", &eu);
    let _stream = follower.open(Role::Follower);
    eu.until_connected("eu-b");
    assert_eq!(eu.peer("eu-b")["role"], "follower");
}
