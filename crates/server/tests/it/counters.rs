//! Counters.

use crate::support::Server;
use serde_json::json;

#[test]
fn counters_count_and_keep_their_bounds() {
    let server = Server::start();
    server.declare("likes", "g-counter");
    server.declare("stock", "pn-counter");
    assert_eq!(server.post("/v1/data/likes/p", r#"{"add":2}"#).ok()["value"], json!(2));
    assert_eq!(server.post("/v1/data/likes/p", r#"{"add":3}"#).ok()["value"], json!(5));
    assert_eq!(server.post("/v1/data/stock/p", r#"{"add":-9223372036854775808}"#).status, 200);
    let state = server.state();
    server.post("/v1/data/likes/p", r#"{"add":-1}"#).problem(422, "rejected");
    server.post("/v1/data/likes/p", r#"{"add":9223372036854775807}"#).problem(422, "overflow");
    server.post("/v1/data/stock/p", r#"{"add":-1}"#).problem(422, "overflow");
    server.post("/v1/data/stock/p", r#"{"add":-9223372036854775808}"#).problem(422, "overflow");
    for bad in [r#"{"add":1.5}"#, r#"{"add":"1"}"#, r#"{"add":9223372036854775808}"#, r#"{"add":1,"x":2}"#, "7", "{}"] {
        server.post("/v1/data/likes/p", bad).problem(400, "bad-request");
    }
    for unsupported in [r#"{"put":1}"#, r#"{"delete":true}"#, r#"{"remove":["x"]}"#, r#"{"nope":1}"#] {
        server.post("/v1/data/likes/p", unsupported).problem(422, "not-supported");
    }
    server.delete("/v1/data/likes/p").problem(422, "not-supported");
    server.put("/v1/data/likes/p", "1").problem(422, "not-supported");
    assert_eq!(server.state(), state);
    assert_eq!(server.get("/v1/data/likes/p").ok()["value"], json!(5));
    let explained = server.get("/v1/explain/likes/p").ok();
    assert_eq!((&explained["outcome"], &explained["versions"]), (&json!(5), &json!([])));
}
