//! Sets and carts.

use crate::support::Server;
use serde_json::json;

#[test]
fn sets_hold_members_of_three_types() {
    let server = Server::start();
    server.declare("tags", "or-set");
    let added = server.post("/v1/data/tags/p", r#"{"add":["b","a",3,-1,true,false]}"#).ok();
    assert_eq!(added["value"], json!([false, true, -1, 3, "a", "b"]));
    assert_eq!(
        server.post("/v1/data/tags/p", r#"{"remove":["b",3,"none"]}"#).ok()["value"],
        json!([false, true, -1, "a"])
    );
    let explained = server.get("/v1/explain/tags/p").ok();
    assert_eq!(explained["versions"][3]["value"], "a");
    server.post("/v1/data/tags/p", r#"{"add":[null]}"#).problem(400, "bad-request");
    server.post("/v1/data/tags/p", r#"{"add":1}"#).problem(400, "bad-request");
    assert!(server.get("/v1/data/tags/p").header("anabranch-context").is_none());
    assert_eq!(server.delete("/v1/data/tags/p").ok()["value"], json!(null));
    server.get("/v1/data/tags/p").problem(404, "no-such-key");
}

#[test]
fn carts_sum_quantities() {
    let server = Server::start();
    server.declare("carts", "cart");
    let post = |body: &str| server.post("/v1/data/carts/u", body).ok()["value"].clone();
    assert_eq!(post(r#"{"add":{"item":"tea","quantity":2}}"#), json!({"tea": 2}));
    assert_eq!(post(r#"{"add":{"item":"tea","quantity":-3}}"#), json!({"tea": -1}));
    assert_eq!(server.get("/v1/data/carts/u").ok()["value"], json!({}));
    assert_eq!(post(r#"{"remove":{"item":"tea"}}"#), json!(null));
    assert_eq!(post(r#"{"add":{"item":"mug","quantity":1}}"#), json!({"mug": 1}));
    let explained = server.get("/v1/explain/carts/u").ok();
    assert_eq!(explained["versions"][0]["value"], json!({"item": "mug", "quantity": 1}));
    server.post("/v1/data/carts/u", r#"{"add":{"item":"mug","quantity":0}}"#).problem(400, "bad-request");
    assert_eq!(post(r#"{"clear":true}"#), json!(null));
}

#[test]
fn what_is_too_much_for_one_transaction_is_cleared_in_several() {
    let server = Server::start();
    server.declare("big", "or-set");
    for hundred in 0..11 {
        let members: Vec<u32> = (hundred * 1_000..hundred * 1_000 + 1_000).collect();
        let body = json!({ "add": members }).to_string();
        assert_eq!(server.post("/v1/data/big/k?return=none", &body).status, 200);
    }
    let truncated = server.post("/v1/data/big/k", r#"{"add":[1]}"#).ok();
    assert_eq!(truncated["truncated"], json!(true));
    let cleared = server.delete("/v1/data/big/k").ok();
    assert_eq!((&cleared["transactions"], &cleared["value"]), (&json!(2), &json!(null)));
    server.get("/v1/data/big/k").problem(404, "no-such-key");
}
