//! Collections.

use crate::support::{Server, session};
use serde_json::json;
use std::time::Duration;

#[test]
fn collections_are_made_once_and_listed() {
    let server = Server::start();
    assert_eq!(server.get("/v1/collections").ok(), json!({"collections": []}));
    server.declare("carts", "cart");
    let made = server.state();
    let again = server.put("/v1/collections/carts", r#"{"resolver":"cart"}"#).ok();
    assert_eq!(again, json!({"name": "carts", "resolver": "cart", "kind": "cart"}));
    assert_eq!(server.state(), made, "nothing is written for what is so already");
    server.declare("a.b-c_9", "lww");
    let list = server.get("/v1/collections").ok();
    let expected = json!({"collections": [
        {"name": "a.b-c_9", "resolver": "lww", "kind": "register"}, {"name": "carts", "resolver": "cart", "kind": "cart"}]});
    assert_eq!(list, expected);
    assert_eq!(server.get("/v1/collections/carts").ok()["kind"], "cart");
    assert_eq!(server.get("/v1/collections/carts~cart").ok()["name"], "carts");
    server.get("/v1/collections/none").problem(404, "no-such-collection");
    server.get("/v1/collections/carts~or-set").problem(404, "no-such-collection");
}

#[test]
fn registers_change_their_resolver_other_kinds_do_not() {
    let server = Server::start();
    server.declare("c", "lww");
    server.declare("n", "g-counter");
    let changed = server.put("/v1/collections/c", r#"{"resolver":"keep-all"}"#).ok();
    assert_eq!((&changed["resolver"], &changed["kind"]), (&json!("keep-all"), &json!("register")));
    assert_eq!(server.get("/v1/collections/c").ok()["resolver"], "keep-all");
    let state = server.state();
    let put = |path: &str, resolver: &str| {
        server.put(&format!("/v1/collections/{path}"), &json!({ "resolver": resolver }).to_string())
    };
    assert_eq!(put("c", "cart").problem(409, "resolver-mismatch")["resolver"], "keep-all");
    put("n", "pn-counter").problem(409, "resolver-mismatch");
    put("n", "lww").problem(409, "resolver-mismatch");
    put("n~g-counter", "lww").problem(409, "resolver-mismatch");
    put("n~register", "lww").problem(409, "resolver-mismatch");
    put("new~cart", "lww").problem(409, "resolver-mismatch");
    put("new", "nope").problem(422, "not-supported");
    for bad in ["", "{}", "[]", "7", r#"{"resolver":7}"#, r#"{"resolver":"lww","x":1}"#] {
        server.put("/v1/collections/new", bad).problem(400, "bad-request");
    }
    assert_eq!(server.state(), state);
}

#[test]
fn making_a_collection_may_be_retried() {
    let server = Server::start();
    let key = format!("{}/1", session(Duration::ZERO));
    let put = |body| server.send("PUT", "/v1/collections/c", &[("idempotency-key", &key)], body);
    let first = put(r#"{"resolver":"lww"}"#);
    assert_eq!((first.status, first.json().get("repeated")), (201, None));
    let again = put(r#"{"resolver":"lww"}"#).ok();
    assert_eq!((&again["repeated"], &again["dot"]), (&json!(true), &first.json()["dot"]));
    put(r#"{"resolver":"keep-all"}"#).problem(409, "idempotency-key-reused");
}

#[test]
fn fields_of_maps_have_resolvers_of_their_own() {
    let server = Server::start();
    let made = server.put("/v1/collections/docs", r#"{"resolver":"map","fields":{"body":"escalate"}}"#);
    assert_eq!(made.status, 201);
    let expected = json!({"name": "docs", "resolver": "map", "kind": "map", "fields": {"body": "escalate"}});
    assert_eq!(server.get("/v1/collections/docs").ok(), expected);
    let state = server.state();
    server.put("/v1/collections/docs", r#"{"resolver":"map","fields":{"body":"escalate"}}"#).ok();
    server.put("/v1/collections/docs", r#"{"resolver":"map"}"#).ok();
    assert_eq!(server.state(), state, "nothing is written for what is so already");
    let more = server.put("/v1/collections/docs", r#"{"resolver":"map","fields":{"tags":"keep-all"}}"#).ok();
    assert_eq!(more["fields"], json!({"body": "escalate", "tags": "keep-all"}));
    server.post("/v1/data/docs/k", r#"{"set":{"tags":1,"title":"t"}}"#).ok();
    assert_eq!(server.get("/v1/data/docs/k").ok()["value"], json!({"tags": [1], "title": "t"}));
    let state = server.state();
    let put = |path: &str, body: &str| server.put(&format!("/v1/collections/{path}"), body);
    put("docs", r#"{"resolver":"map","fields":{"a":"cart"}}"#).problem(422, "not-supported");
    put("docs", r#"{"resolver":"map","fields":{"a":"none"}}"#).problem(422, "not-supported");
    put("docs", r#"{"resolver":"map","fields":{"":"lww"}}"#).problem(400, "bad-request");
    put("docs", r#"{"resolver":"map","fields":["a"]}"#).problem(400, "bad-request");
    put("other", r#"{"resolver":"cart","fields":{"a":"lww"}}"#).problem(400, "bad-request");
    assert_eq!(server.state(), state, "what is refused changes nothing");
}
