//! Health, readiness, status, metrics, and the document about all of it.

use crate::support::{Server, send};
use serde_json::{Value, json};
use std::collections::BTreeSet;

#[test]
fn a_healthy_node_says_so() {
    let server = Server::start();
    assert_eq!(server.get("/health").status, 200);
    let ready = server.get("/ready").ok();
    assert_eq!(ready["ready"], json!(true));
    let checks = ready["checks"].as_array().expect("checks");
    let names: Vec<&str> = checks.iter().filter_map(|check| check["check"].as_str()).collect();
    assert_eq!(names, ["store", "disk", "clock", "fenced", "peers", "lag"]);
    assert!(checks.iter().all(|check| check["state"] == "ok" && check["detail"].is_string()), "{ready}");
}

#[test]
fn a_closed_store_is_neither_healthy_nor_ready() {
    let server = Server::start();
    server.declare("c", "lww");
    assert_eq!(server.put("/v1/data/c/k", "1").status, 200);
    server.database.crash();
    assert_eq!(server.get("/health").status, 503);
    let ready = server.get("/ready");
    assert_eq!(
        (ready.status, &ready.json()["ready"], &ready.json()["checks"][0]["state"]),
        (503, &json!(false), &json!("fail"))
    );
    server.get("/v1/data/c/k").problem(503, "not-ready");
    server.put("/v1/data/c/k", "2").problem(503, "not-ready");
    server.get("/v1/status").problem(503, "not-ready");
    assert_eq!(server.get("/metrics").status, 200);
}

#[test]
fn the_status_is_exact() {
    let server = Server::start();
    server.declare("c", "lww");
    let put = server.put("/v1/data/c/k", "1").ok();
    let status = server.get("/v1/status").ok();
    let keys: Vec<&String> = status.as_object().expect("an object").keys().collect();
    let expected = [
        "behind_ms",
        "cluster",
        "conflicts_open",
        "leader",
        "name",
        "origin",
        "peers",
        "region",
        "role",
        "shards",
        "uptime_s",
        "version",
    ];
    assert_eq!(keys, expected);
    assert_eq!((&status["leader"], &status["behind_ms"]), (&json!(null), &json!(0)));
    assert_eq!(
        (&status["cluster"], &status["region"], &status["name"]),
        (&json!("shop"), &json!("eu"), &json!("eu-1"))
    );
    assert_eq!(
        (&status["role"], &status["peers"], &status["conflicts_open"]),
        (&json!("leader"), &json!([]), &json!(0))
    );
    let shard = &status["shards"][0];
    let dot = format!("0:{}:2", status["origin"].as_str().expect("an origin"));
    assert_eq!(put["dot"].as_str(), Some(dot.as_str()));
    assert_eq!(shard["version_vector"], json!({ status["origin"].as_str().expect("an origin"): 2 }));
    assert_eq!((&shard["shard"], &shard["log_transactions"], &shard["buffered"]), (&json!(0), &json!(2), &json!(0)));
    assert_eq!((shard["digest"].as_str().map(str::len), &shard["parked"]), (Some(16), &json!([])));
}

#[test]
fn metrics_have_their_names() {
    let server = Server::start();
    server.declare("c", "lww");
    assert_eq!(server.get("/v1/data/c/none").status, 404);
    assert_eq!(server.get("/something/a/client/made/up").status, 404);
    let answer = server.get("/metrics");
    assert!(answer.header("content-type").is_some_and(|media| media.starts_with("application/openmetrics-text")));
    for line in [
        "anabranch_build_info{version=\"",
        "anabranch_buffered_transactions 0",
        "anabranch_digest_mismatches_total 0",
        "anabranch_parked{what=\"collection\"} 0",
        "anabranch_parked{what=\"origin\"} 0",
        "anabranch_fsync_seconds_count ",
        "anabranch_fsync_seconds_bucket{le=\"+Inf\"} ",
        "anabranch_http_request_seconds_count{method=\"GET\",route=\"/v1/data/{collection}/{key}\",status=\"404\"} 1",
        "anabranch_http_request_seconds_count{method=\"GET\",route=\"none\",status=\"404\"} 1",
        "# EOF",
    ] {
        assert!(answer.body.contains(line), "{line}\n{}", answer.body);
    }
    assert!(!answer.body.contains("made"), "what clients send is no label");
}

/// For every path of the document, exactly its methods are routed; that there are no other paths is a test beside the routes.
#[test]
fn the_document_lists_exactly_the_methods() {
    let server = Server::start();
    let document = server.get("/openapi.json").ok();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    let methods = ["get", "put", "post", "delete", "patch", "options"];
    for (path, described) in document["paths"].as_object().expect("paths") {
        let described: BTreeSet<&str> = described.as_object().expect("methods").keys().map(String::as_str).collect();
        let concrete = path.replace("{collection}", "c").replace("{key}", "k").replace("{conflict}", "0");
        // No id: what else would never end is refused.
        let headers = [("last-event-id", "none")];
        let routed = |method: &&str| send(server.addr, &method.to_uppercase(), &concrete, &headers, b"").status != 405;
        assert_eq!(methods.into_iter().filter(routed).collect::<BTreeSet<_>>(), described, "{path}");
    }
    check_references(&document, &document);
}

fn check_references(document: &Value, part: &Value) {
    match part {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let found = document.pointer(reference.trim_start_matches('#'));
                assert!(found.is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|field| check_references(document, field));
        }
        Value::Array(items) => items.iter().for_each(|item| check_references(document, item)),
        _ => {}
    }
}
