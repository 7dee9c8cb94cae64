//! Two nodes: tokens and idempotency keys move between them, and status and metrics tell of the peer.

use crate::support::cluster::{Cluster, Running, peer, until};
use crate::support::session;
use anabranch_server::{Config, Node, ServerError};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_user_moves_between_regions_and_sees_what_was_written() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("us", "us", None), peer("ap", "ap", None)]);
    let mut us = cluster.leader("us", &[peer("eu", "eu", Some(eu.quic()))]);
    eu.declare("likes", "g-counter");
    let id = format!("{}/1", session(Duration::ZERO));
    let written = eu.send("POST", "/v1/data/likes/p", &[("idempotency-key", &id)], r#"{"add":2}"#);
    let headers = [("anabranch-token", written.token()), ("anabranch-wait", "10s")];
    let read = us.send("GET", "/v1/data/likes/p", &headers, "");
    assert_eq!((read.served_by(), &read.json()["value"]), ("us", &json!(2)));
    let retried = us.send("POST", "/v1/data/likes/p", &[("idempotency-key", &id)], r#"{"add":2}"#).ok();
    assert_eq!(
        (&retried["repeated"], &retried["dot"], &retried["value"]),
        (&json!(true), &written.json()["dot"], &json!(2))
    );
    eu.until_equal(&us);
    peers_are_told_of(&eu);
    us.stop();
    until("the peer is gone", || eu.peer("us")["state"] == "connecting");
    assert_eq!(eu.get("/ready").status, 200, "a region that is cut off still serves");
}

fn peers_are_told_of(eu: &Running<'_>) {
    until("connected, with nothing unacknowledged", || {
        let us = eu.peer("us");
        us["state"] == "connected" && us["unacked_transactions"] == 0
    });
    let expected = json!({"name": "ap", "region": "ap", "role": null, "state": "connecting", "lag_transactions": null,
        "lag_ms": null, "unacked_transactions": null, "rtt_ms": null, "acked": null});
    assert_eq!(eu.peer("ap"), expected);
    let us = eu.peer("us");
    assert_eq!((&us["role"], &us["lag_transactions"]), (&json!("leader"), &json!(0)));
    assert!(us["rtt_ms"].is_number() && us["acked"].is_object(), "{us}");
    let ready = eu.get("/ready").ok();
    assert_eq!(ready["checks"][4], json!({"check": "peers", "state": "warn", "detail": "not connected: ap"}));
    until("its clock is heard", || eu.get("/metrics").body.contains("anabranch_clock_skew_seconds{peer=\"us\"} "));
    let metrics = eu.get("/metrics").body;
    for line in [
        "anabranch_peer_up{peer=\"us\"} 1",
        "anabranch_peer_up{peer=\"ap\"} 0",
        "anabranch_replication_lag_seconds{peer=\"us\"} 0",
        "anabranch_replication_lag_transactions{peer=\"us\"} 0",
        "anabranch_unacked_transactions{peer=\"us\"} 0",
        "anabranch_sent_bytes_total{peer=\"us\"} ",
        "anabranch_received_bytes_total{peer=\"us\"} ",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[test]
fn a_certificate_of_another_node_is_refused() {
    let cluster = Cluster::new();
    let other = Config { name: "eu-9".into(), ..cluster.config("eu", "eu", "", &[]) };
    let error = cluster.runtime.block_on(Node::start(other)).err().expect("refused");
    assert!(matches!(&error, ServerError::WrongCertificate { .. }), "{error}");
    assert!(!cluster.dir().join("eu").exists());
}
