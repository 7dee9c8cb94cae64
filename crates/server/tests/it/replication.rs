//! Two nodes: tokens and idempotency keys move between them, and status and metrics tell of the peer.

use crate::support::{Answer, send, session};
use anabranch::transport::CertificateAuthority;
use anabranch_server::{Config, Node, Overrides, ServerError};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

fn config(dir: &Path, region: &str, peers: &str) -> Config {
    let text = format!(
        "[node]\ncluster = \"shop\"\nregion = \"{region}\"\ndata_dir = \"{region}\"\n\
         [listen]\nhttp = \"127.0.0.1:0\"\nquic = \"127.0.0.1:0\"\n\
         [tls]\nca = \"ca.pem\"\ncert = \"{region}.pem\"\nkey = \"{region}.key\"\n{peers}"
    );
    Config::parse(&text, &dir.join(format!("{region}.toml")), &Overrides::new()).expect("a config")
}

fn get(addr: SocketAddr, path: &str) -> Answer {
    send(addr, "GET", path, &[], b"")
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_user_moves_between_regions_and_sees_what_was_written() {
    let dir = tempfile::tempdir().expect("a directory");
    certificates(dir.path());
    let runtime = Runtime::new().expect("a runtime");
    let eu = config(dir.path(), "eu", "[[peer]]\nregion = \"us\"\n[[peer]]\nregion = \"ap\"\n");
    let eu = runtime.block_on(Node::start(eu)).expect("eu starts");
    let peer = format!("[[peer]]\nregion = \"eu\"\naddr = \"{}\"\n", eu.quic_addr().expect("a port"));
    let us = runtime.block_on(Node::start(config(dir.path(), "us", &peer))).expect("us starts");
    let (eu_addr, us_addr) = (eu.http_addr(), us.http_addr());
    assert_eq!(send(eu_addr, "PUT", "/v1/collections/likes", &[], br#"{"resolver":"g-counter"}"#).status, 201);
    let id = format!("{}/1", session(Duration::ZERO));
    let written = send(eu_addr, "POST", "/v1/data/likes/p", &[("idempotency-key", &id)], br#"{"add":2}"#);
    let headers = [("anabranch-token", written.token()), ("anabranch-wait", "10s")];
    let read = send(us_addr, "GET", "/v1/data/likes/p", &headers, b"");
    assert_eq!(read.ok()["value"], json!(2));
    let retried = send(us_addr, "POST", "/v1/data/likes/p", &[("idempotency-key", &id)], br#"{"add":2}"#).ok();
    assert_eq!(
        (&retried["repeated"], &retried["dot"], &retried["value"]),
        (&json!(true), &written.json()["dot"], &json!(2))
    );
    until("equal vectors and digests", || {
        let shard = |addr| get(addr, "/v1/status").ok()["shards"][0].clone();
        let (a, b) = (shard(eu_addr), shard(us_addr));
        a["version_vector"] == b["version_vector"] && a["digest"] == b["digest"]
    });
    peers_are_told_of(eu_addr);
    acknowledgements_know_the_regions(eu_addr);
    runtime.block_on(us.stop());
    until("the peer is gone", || get(eu_addr, "/v1/status").ok()["peers"][1]["state"] == "connecting");
    assert_eq!(get(eu_addr, "/ready").status, 200, "a region that is cut off still serves");
    runtime.block_on(eu.stop());
}

fn peers_are_told_of(addr: SocketAddr) {
    until("connected, with nothing unacknowledged", || {
        let us = get(addr, "/v1/status").ok()["peers"][1].clone();
        us["state"] == "connected" && us["unacked_transactions"] == 0
    });
    let peers = get(addr, "/v1/status").ok()["peers"].clone();
    let expected = json!({"name": "ap", "region": "ap", "role": "leader", "state": "connecting", "lag_transactions": null,
        "lag_ms": null, "unacked_transactions": null, "rtt_ms": null, "acked": null});
    assert_eq!(peers[0], expected);
    assert_eq!((&peers[1]["name"], &peers[1]["lag_transactions"]), (&json!("us"), &json!(0)));
    assert!(peers[1]["rtt_ms"].is_number() && peers[1]["acked"].is_object(), "{peers}");
    let ready = get(addr, "/ready").ok();
    assert_eq!(ready["checks"][4], json!({"check": "peers", "state": "warn", "detail": "not connected: ap"}));
    until("its clock is heard", || get(addr, "/metrics").body.contains("anabranch_clock_skew_seconds{peer=\"us\"} "));
    let metrics = get(addr, "/metrics").body;
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

fn acknowledgements_know_the_regions(addr: SocketAddr) {
    let post = |ack: &str| send(addr, "POST", "/v1/data/likes/p", &[("anabranch-ack", ack)], br#"{"add":1}"#).status;
    assert_eq!((post("regions:1"), post("regions:3"), post("regions:4")), (200, 422, 400));
}

#[test]
fn a_certificate_of_another_node_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    certificates(dir.path());
    let runtime = Runtime::new().expect("a runtime");
    let other = Config { name: "eu-9".into(), ..config(dir.path(), "eu", "") };
    let error = runtime.block_on(Node::start(other)).err().expect("refused");
    assert!(matches!(&error, ServerError::WrongCertificate { .. }), "{error}");
    assert!(!dir.path().join("eu").exists());
}

fn certificates(dir: &Path) {
    let authority = CertificateAuthority::create("shop").expect("an authority");
    authority.write_ca(dir).expect("written");
    for region in ["eu", "us"] {
        authority.issue(region, region).expect("a certificate").write_node(dir).expect("written");
    }
}
