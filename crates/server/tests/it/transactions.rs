//! Transactions.

use crate::support::{Server, session};
use serde_json::json;
use std::time::Duration;

fn server() -> Server {
    let server = Server::start();
    server.declare("carts", "cart");
    server.declare("likes", "g-counter");
    server.declare("users", "lww");
    server
}

#[test]
fn all_or_nothing_in_order() {
    let server = server();
    let body = json!({"operations": [
        {"collection": "carts", "key": "u", "op": {"add": {"item": "tea", "quantity": 2}}},
        {"collection": "likes", "key": "p", "op": {"add": 1}},
        {"collection": "users", "key": "x", "op": {"put": 1}},
        {"collection": "users", "key": "x", "op": {"delete": true}},
        {"collection": "carts", "key": "u", "op": {"remove": {"item": "tea"}}},
        {"collection": "carts", "key": "u", "op": {"add": {"item": "mug", "quantity": 1}}},
    ]});
    let done = server.post("/v1/transactions", &body.to_string()).ok();
    assert_eq!(done.as_object().map(|done| done.keys().collect::<Vec<_>>()), Some(vec![&"dot".to_owned()]));
    assert_eq!(server.get("/v1/data/carts/u").ok()["value"], json!({"mug": 1}));
    assert_eq!(server.get("/v1/data/likes/p").ok()["value"], json!(1));
    server.get("/v1/data/users/x").problem(404, "no-such-key");
    let state = server.state();
    let refused = json!({"operations": [
        {"collection": "users", "key": "x", "op": {"put": 1}}, {"collection": "likes", "key": "p", "op": {"add": -1}}]});
    let problem = server.post("/v1/transactions", &refused.to_string()).problem(422, "rejected");
    assert_eq!(problem["operation"], json!(1));
    assert_eq!(server.state(), state);
}

#[test]
fn what_is_not_a_transaction_is_refused() {
    let server = server();
    let state = server.state();
    for bad in [
        "",
        "[]",
        "{}",
        r#"{"operations":{}}"#,
        r#"{"operations":[]}"#,
        r#"{"operations":[7]}"#,
        r#"{"operations":[{"collection":"users","key":"k"}]}"#,
        r#"{"operations":[{"collection":"users","key":"k","op":{"put":1},"x":1}]}"#,
        r#"{"operations":[{"collection":"users","key":"k","op":{"put":1}}],"x":1}"#,
        r#"{"operations":[{"collection":"_resolvers","key":"k","op":{"put":1}}]}"#,
        r#"{"operations":[{"collection":"users","key":"..","op":{"put":1}}]}"#,
        r#"{"operations":[{"collection":"users","key":"a\u0000","op":{"put":1}}]}"#,
        r#"{"operations":[{"collection":"users","key":"k","op":{"put":1,"put":2}}]}"#,
        r#"{"operations":[{"collection":"likes","key":"k","op":{"add":1.5}}]}"#,
    ] {
        server.post("/v1/transactions", bad).problem(400, "bad-request");
    }
    let unknown = r#"{"operations":[{"collection":"none","key":"k","op":{"put":1}}]}"#;
    server.post("/v1/transactions", unknown).problem(404, "no-such-collection");
    let unsupported = r#"{"operations":[{"collection":"likes","key":"k","op":{"put":1}}]}"#;
    server.post("/v1/transactions", unsupported).problem(422, "not-supported");
    let one = json!({"collection": "likes", "key": "p", "op": {"add": 1}});
    let many = json!({ "operations": vec![one.clone(); 1_001] });
    server.post("/v1/transactions", &many.to_string()).problem(413, "too-large");
    assert_eq!(server.state(), state);
    let most = json!({ "operations": vec![one; 1_000] });
    assert_eq!(server.post("/v1/transactions", &most.to_string()).status, 200);
    assert_eq!(server.get("/v1/data/likes/p").ok()["value"], json!(1_000));
}

#[test]
fn a_transaction_may_be_retried() {
    let server = server();
    let key = format!("{}/7", session(Duration::ZERO));
    let body = json!({"operations": [{"collection": "likes", "key": "p", "op": {"add": 1}}]}).to_string();
    let first = server.send("POST", "/v1/transactions", &[("idempotency-key", &key)], &body).ok();
    let again = server.send("POST", "/v1/transactions", &[("idempotency-key", &key)], &body).ok();
    assert_eq!(again, json!({"dot": first["dot"], "repeated": true}));
    assert_eq!(server.get("/v1/data/likes/p").ok()["value"], json!(1));
}
