//! Texts: edits by position, Yjs updates, and what a provider asks for.

use crate::support::Server;
use anabranch_server::HttpConfig;
use serde_json::json;

/// "hi", by client 5.
const HI: &str = "AQEFAAQBBHRleHQCaGkA";
/// "!" after it, by client 6.
const BANG: &str = "AQEGAIQFAQEhAA==";

#[test]
fn edits_count_characters() {
    let server = Server::start();
    server.declare("notes", "text");
    let post = |body: &str| server.post("/v1/data/notes/n", body);
    assert_eq!(post(r#"{"insert":{"at":0,"text":"a🙂e\u0301"}}"#).ok()["value"], json!("a🙂e\u{301}"));
    assert_eq!(post(r#"{"delete":{"at":1,"length":1}}"#).ok()["value"], json!("ae\u{301}"));
    let refused = post(r#"{"insert":{"at":4,"text":"x"}}"#).problem(422, "rejected");
    assert!(refused["detail"].as_str().is_some_and(|detail| detail.contains("3 characters")), "{refused}");
    post(r#"{"delete":{"at":2,"length":2}}"#).problem(422, "rejected");
    post(r#"{"add":1}"#).problem(422, "not-supported");
    let got = server.get("/v1/data/notes/n").ok();
    assert_eq!((&got["resolver"], &got["value"], &got["conflicts"]), (&json!("text"), &json!("ae\u{301}"), &json!(0)));
    let page = server.get("/v1/data/notes").ok();
    assert_eq!(page["items"][0]["value"], json!("ae\u{301}"));
}

#[test]
fn with_a_counter_only_updates_are_taken_and_once() {
    let server = Server::start();
    server.declare("notes", "text");
    let key = [("idempotency-key", &*format!("{}/1", uuid::Uuid::now_v7()))];
    for body in [r#"{"insert":{"at":0,"text":"x"}}"#, r#"{"delete":{"at":0,"length":1}}"#, r#"{"delete":true}"#] {
        server.send("POST", "/v1/data/notes/n", &key, body).problem(422, "not-supported");
    }
    server.send("DELETE", "/v1/data/notes/n", &key, "").problem(422, "not-supported");
    let update = json!({ "yjs": HI }).to_string();
    assert_eq!(server.send("POST", "/v1/data/notes/n", &key, &update).ok()["value"], json!("hi"));
    assert_eq!(server.send("POST", "/v1/data/notes/n", &key, &update).ok()["repeated"], json!(true));
    assert_eq!(server.get("/v1/data/notes/n").ok()["value"], json!("hi"));
}

#[test]
fn an_emptied_text_is_no_key_and_can_still_be_had_as_yjs() {
    let server = Server::start();
    server.declare("notes", "text");
    server.get("/v1/data/notes/n?format=yjs").problem(404, "no-such-key");
    server.post("/v1/data/notes/n", &json!({ "yjs": HI }).to_string()).ok();
    assert_eq!(server.delete("/v1/data/notes/n").ok()["value"], json!(null));
    server.get("/v1/data/notes/n").problem(404, "no-such-key");
    assert_eq!(server.get("/v1/data/notes").ok()["items"], json!([]));
    let yjs = server.get("/v1/data/notes/n?format=yjs").ok();
    assert!(yjs["yjs"].as_str().is_some_and(|update| update.len() > 4), "{yjs}");
}

#[test]
fn a_provider_gets_what_it_lacks() {
    let server = Server::start();
    server.declare("notes", "text");
    // What needs the other comes first, and waits.
    assert_eq!(server.post("/v1/data/notes/n", &json!({ "yjs": BANG }).to_string()).ok()["value"], json!(null));
    assert_eq!(server.post("/v1/data/notes/n", &json!({ "yjs": HI }).to_string()).ok()["value"], json!("hi!"));
    let since = |vector: &str| server.get(&format!("/v1/data/notes/n?format=yjs&since={vector}")).ok()["yjs"].clone();
    // Two units of client 5: what is lacking is that of client 6.
    assert_eq!(since("AQUC"), json!(BANG));
    assert_eq!(since("AgUCBgE"), json!("AAA="), "nothing is lacking");
    assert_eq!(since("AA"), server.get("/v1/data/notes/n?format=yjs").ok()["yjs"]);
}

#[test]
fn what_is_no_update_is_refused() {
    let server = Server::start();
    server.declare("notes", "text");
    server.declare("likes", "g-counter");
    let before = server.state();
    let post = |yjs: &str| server.post("/v1/data/notes/n", &json!({ "yjs": yjs }).to_string());
    post("AQIDBA==").problem(422, "rejected");
    // A nested type.
    post("AQEFAAcBBHRleHQCAA==").problem(422, "rejected");
    post("not base64!").problem(400, "bad-request");
    post("").problem(400, "bad-request");
    for query in ["format=xml", "since=AA", "format=yjs&since=%3D%21", "format=yjs&since=AQ", "form=yjs"] {
        server.get(&format!("/v1/data/notes/n?{query}")).problem(400, "bad-request");
    }
    server.get("/v1/data/likes/n?format=yjs").problem(422, "not-supported");
    assert_eq!(server.state(), before);
}

#[test]
fn a_transaction_edits_what_it_wrote() {
    let server = Server::start();
    server.declare("notes", "text");
    let op = |op: serde_json::Value| json!({ "collection": "notes", "key": "n", "op": op });
    let body = |operations: &[serde_json::Value]| json!({ "operations": operations }).to_string();
    let first = op(json!({ "insert": { "at": 0, "text": "held" } }));
    let second = op(json!({ "insert": { "at": 3, "text": "lo wor" } }));
    let third = op(json!({ "delete": { "at": 20, "length": 1 } }));
    server.post("/v1/transactions", &body(&[first.clone(), second.clone(), third])).problem(422, "rejected");
    server.get("/v1/data/notes/n").problem(404, "no-such-key");
    assert_eq!(server.post("/v1/transactions", &body(&[first, second])).status, 200);
    assert_eq!(server.get("/v1/data/notes/n").ok()["value"], json!("hello word"));
}

/// A browser lets a page of an origin that was named read the answers, and asks before it sends.
#[test]
fn a_page_that_may_ask_may_read() {
    let config = HttpConfig { allowed_origins: vec!["http://localhost:8000".to_owned()], ..HttpConfig::default() };
    let server = Server::with(config);
    server.declare("notes", "text");
    let page = [("origin", "http://localhost:8000")];
    let asks =
        [page[0], ("access-control-request-method", "POST"), ("access-control-request-headers", "anabranch-token")];
    let preflight = server.send("OPTIONS", "/v1/data/notes/n", &asks, "");
    assert_eq!(preflight.status, 204, "{preflight:?}");
    assert!(preflight.header("access-control-allow-headers").is_some_and(|names| names.contains("Anabranch-Token")));
    let posted = server.send("POST", "/v1/data/notes/n", &page, &json!({ "yjs": HI }).to_string());
    for answer in [&preflight, &posted, &server.send("GET", "/v1/data/notes/none", &page, "")] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:8000"), "{answer:?}");
        assert!(answer.header("access-control-expose-headers").is_some_and(|names| names.contains("Anabranch-Token")));
    }
    let foreign = [("origin", "http://evil.example"), asks[1]];
    let refused = server.send("OPTIONS", "/v1/data/notes/n", &foreign, "");
    refused.problem(403, "foreign-origin");
    assert_eq!(refused.header("access-control-allow-origin"), None);
    assert_eq!(server.get("/v1/data/notes/n").header("access-control-allow-origin"), None);
}
