//! Two nodes: tokens and idempotency keys move between them, and status and metrics tell of the peer.

use crate::support::cluster::{Cluster, Running, peer, until};
use crate::support::session;
use anabranch_server::{Config, Node, ServerError};
use serde_json::json;
use std::time::Duration;

#[test]
fn a_user_moves_between_regions_and_sees_what_was_written() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None), peer("af", "af", None)]);
    let mut ap = cluster.leader("ap", &[peer("eu", "eu", Some(eu.quic()))]);
    eu.declare("likes", "g-counter");
    let id = format!("{}/1", session(Duration::ZERO));
    let written = eu.send("POST", "/v1/data/likes/p", &[("idempotency-key", &id)], r#"{"add":2}"#);
    let headers = [("anabranch-token", written.token()), ("anabranch-wait", "10s")];
    let read = ap.send("GET", "/v1/data/likes/p", &headers, "");
    assert_eq!((read.served_by(), &read.json()["value"]), ("ap", &json!(2)));
    let retried = ap.send("POST", "/v1/data/likes/p", &[("idempotency-key", &id)], r#"{"add":2}"#).ok();
    assert_eq!(
        (&retried["repeated"], &retried["dot"], &retried["value"]),
        (&json!(true), &written.json()["dot"], &json!(2))
    );
    eu.until_equal(&ap);
    peers_are_told_of(&eu);
    ap.stop();
    until("the peer is gone", || eu.peer("ap")["state"] == "connecting");
    assert_eq!(eu.get("/ready").status, 200, "a region that is cut off still serves");
}

fn peers_are_told_of(eu: &Running<'_>) {
    until("connected, with nothing unacknowledged", || {
        let ap = eu.peer("ap");
        ap["state"] == "connected" && ap["unacked_transactions"] == 0
    });
    let expected = json!({"name": "af", "region": "af", "role": null, "state": "connecting", "lag_transactions": null,
        "lag_ms": null, "unacked_transactions": null, "rtt_ms": null, "acked": null});
    assert_eq!(eu.peer("af"), expected);
    let ap = eu.peer("ap");
    assert_eq!((&ap["role"], &ap["lag_transactions"]), (&json!("leader"), &json!(0)));
    assert!(ap["rtt_ms"].is_number() && ap["acked"].is_object(), "{ap}");
    let ready = eu.get("/ready").ok();
    assert_eq!(ready["checks"][4], json!({"check": "peers", "state": "warn", "detail": "not connected: af"}));
    until("its clock is heard", || eu.get("/metrics").body.contains("anabranch_clock_skew_seconds{peer=\"ap\"} "));
    let metrics = eu.get("/metrics").body;
    for line in [
        "anabranch_peer_up{peer=\"ap\"} 1",
        "anabranch_peer_up{peer=\"af\"} 0",
        "anabranch_replication_lag_seconds{peer=\"ap\"} 0",
        "anabranch_replication_lag_transactions{peer=\"ap\"} 0",
        "anabranch_unacked_transactions{peer=\"ap\"} 0",
        "anabranch_sent_bytes_total{peer=\"ap\"} ",
        "anabranch_received_bytes_total{peer=\"ap\"} ",
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
