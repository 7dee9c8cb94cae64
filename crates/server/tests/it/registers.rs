//! Registers: PUT, GET, DELETE, contexts, pages, explain.

use crate::support::Server;
use serde_json::json;

#[test]
fn a_value_comes_back_as_it_was_sent() {
    let server = Server::start();
    server.declare("users", "lww");
    let put = server.put("/v1/data/users/ada", r#"{"name":"Ada","n":[1,2.5,null,true]}"#);
    let written = put.json();
    assert_eq!(put.status, 200);
    assert_eq!(written["value"], json!({"name": "Ada", "n": [1, 2.5, null, true]}));
    let dot = written["dot"].as_str().expect("a dot");
    let parts: Vec<&str> = dot.split(':').collect();
    assert_eq!((parts.len(), parts[0], parts[1].len()), (3, "0", 16), "{dot}");
    let got = server.get("/v1/data/users/ada");
    assert_eq!(got.header("cache-control"), Some("no-store"));
    assert_eq!(got.header("content-type"), Some("application/json"));
    assert_eq!(got.context(), put.context());
    let expected = json!({"collection": "users", "key": "ada", "resolver": "lww",
        "value": {"name": "Ada", "n": [1, 2.5, null, true]}, "conflicts": 0});
    assert_eq!(got.ok(), expected);
    let none = server.put("/v1/data/users/ada?return=none", "7").ok();
    assert_eq!(none.as_object().map(serde_json::Map::len), Some(1), "{none}");
}

#[test]
fn deleting_removes_what_is_seen_and_may_find_nothing() {
    let server = Server::start();
    server.declare("users", "lww");
    assert_eq!(server.put("/v1/data/users/ada", "1").status, 200);
    assert_eq!(server.delete("/v1/data/users/ada").ok()["value"], json!(null));
    server.get("/v1/data/users/ada").problem(404, "no-such-key");
    assert_eq!(server.delete("/v1/data/users/ada").status, 200);
    assert_eq!(server.post("/v1/data/users/ada", r#"{"put":2}"#).ok()["value"], json!(2));
    assert_eq!(server.post("/v1/data/users/ada", r#"{"delete":true}"#).status, 200);
    server.get("/v1/data/users/ada").problem(404, "no-such-key");
}

#[test]
fn keys_are_percent_encoded() {
    let server = Server::start();
    server.declare("c", "lww");
    for (path, key) in [("a%2Fb", "a/b"), ("a%252Fb", "a%2Fb"), ("%E6%BC%A2", "漢"), ("a+b%20c", "a+b c"), ("%25", "%")]
    {
        assert_eq!(server.put(&format!("/v1/data/c/{path}"), &json!(key).to_string()).status, 200, "{path}");
        let got = server.get(&format!("/v1/data/c/{path}")).ok();
        assert_eq!((&got["key"], &got["value"]), (&json!(key), &json!(key)));
    }
}

#[test]
fn contexts_say_what_a_write_saw() {
    let server = Server::start();
    server.declare("c", "keep-all");
    let first = server.put("/v1/data/c/k", "1");
    let nothing_seen = server.get("/v1/data/c/other");
    nothing_seen.problem(404, "no-such-key");
    // The second says that it saw the first only, and so does the third: both stay.
    let seen = [("anabranch-context", first.context())];
    let second = server.send("PUT", "/v1/data/c/k", &seen, "2");
    assert_eq!(second.status, 200);
    server.send("PUT", "/v1/data/c/k", &seen, "3");
    let both = server.get("/v1/data/c/k");
    assert_eq!((&both.json()["value"], &both.json()["conflicts"]), (&json!([2, 3]), &json!(2)));
    // Without a context a write joins a conflict; with one it ends it.
    assert_eq!(server.put("/v1/data/c/k", "4").ok()["value"], json!([2, 3, 4]));
    let all = server.get("/v1/data/c/k");
    let merged = server.send("PUT", "/v1/data/c/k", &[("anabranch-context", all.context())], "5").ok();
    assert_eq!(merged["value"], json!([5]));
    assert_eq!(server.get("/v1/data/c/k").ok()["conflicts"], json!(0));
    // The context of an absent key supersedes nothing.
    assert_eq!(server.put("/v1/data/c/other", "1").status, 200);
    let absent = [("anabranch-context", nothing_seen.context())];
    assert_eq!(server.send("PUT", "/v1/data/c/other", &absent, "2").ok()["value"], json!([1, 2]));
}

#[test]
fn too_many_versions_are_refused() {
    let server = Server::start();
    server.declare("c", "keep-all");
    let empty = server.get("/v1/data/c/k");
    let mut last = None;
    for n in 0..70 {
        last = Some(server.send("PUT", "/v1/data/c/k", &[("anabranch-context", empty.context())], &n.to_string()));
    }
    assert_eq!(last.map(|answer| answer.status), Some(409), "64 is the most");
    server.put("/v1/data/c/k", "1").problem(409, "conflict-open");
    assert_eq!(server.get("/v1/data/c/k").ok()["conflicts"], json!(64));
}

#[test]
fn contexts_that_cannot_be_used_are_refused() {
    let server = Server::start();
    server.declare("c", "lww");
    server.declare("n", "g-counter");
    let other = server.put("/v1/data/c/other", "1");
    let state = server.state();
    for bad in ["x", "AAAA", other.context(), ""] {
        let answer = server.send("PUT", "/v1/data/c/k", &[("anabranch-context", bad)], "1");
        answer.problem(400, "bad-context");
        server.send("DELETE", "/v1/data/c/k", &[("anabranch-context", bad)], "").problem(400, "bad-context");
    }
    let counter = server.send("POST", "/v1/data/n/k", &[("anabranch-context", other.context())], r#"{"add":1}"#);
    counter.problem(422, "not-supported");
    let body = r#"{"operations":[{"collection":"c","key":"k","op":{"put":1}}]}"#;
    let transaction = server.send("POST", "/v1/transactions", &[("anabranch-context", other.context())], body);
    transaction.problem(422, "not-supported");
    assert_eq!(server.state(), state);
}

#[test]
fn large_values_are_left_out_of_the_answer_to_a_write() {
    let server = Server::start();
    server.declare("c", "lww");
    let large = format!("\"{}\"", "x".repeat(5_000));
    let put = server.put("/v1/data/c/k", &large);
    assert!(!put.context().is_empty());
    let put = put.ok();
    assert_eq!((&put["truncated"], put.get("value")), (&json!(true), None));
    assert_eq!(server.get("/v1/data/c/k").ok()["value"].as_str().map(str::len), Some(5_000));
}

#[test]
fn pages_follow_the_order_of_keys() {
    let server = Server::start();
    server.declare("c", "lww");
    for n in 0..45 {
        assert_eq!(server.put(&format!("/v1/data/c/p:{n:02}"), &n.to_string()).status, 200);
    }
    assert_eq!(server.put("/v1/data/c/q", "1").status, 200);
    let all = server.get("/v1/data/c").ok();
    assert_eq!((all["items"].as_array().map(Vec::len), &all["next"]), (Some(46), &json!(null)));
    assert_eq!(all["items"][45]["key"], "q");
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let path = if after.is_empty() { String::new() } else { format!("&after={after}") };
        let page = server.get(&format!("/v1/data/c?prefix=p%3A&limit=20{path}")).ok();
        seen.extend(page["items"].as_array().into_iter().flatten().map(|item| item["value"].clone()));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen, (0..45).map(|n| json!(n)).collect::<Vec<_>>());
    for bad in ["limit=0", "limit=1001", "limit=x", "limit=-1", "what=1", "limit=1&limit=2", "prefix=%ff"] {
        server.get(&format!("/v1/data/c?{bad}")).problem(400, "bad-request");
    }
    server.get("/v1/data/none").problem(404, "no-such-collection");
}

#[test]
fn pages_end_early_when_values_are_large() {
    let server = Server::start();
    server.declare("c", "lww");
    let large = format!("\"{}\"", "x".repeat(900_000));
    for n in 0..18 {
        assert_eq!(server.put(&format!("/v1/data/c/{n:02}"), &large).status, 200);
    }
    let page = server.get("/v1/data/c").ok();
    assert_eq!((page["items"].as_array().map(Vec::len), &page["next"]), (Some(16), &json!("15")));
    let rest = server.get("/v1/data/c?after=15").ok();
    assert_eq!((rest["items"].as_array().map(Vec::len), &rest["next"]), (Some(2), &json!(null)));
}

#[test]
fn explain_shows_the_versions() {
    let server = Server::start();
    server.declare("c", "lww");
    let put = server.put("/v1/data/c/k", "\"v\"").ok();
    let explained = server.get("/v1/explain/c/k").ok();
    let version = &explained["versions"][0];
    assert_eq!((&version["dot"], &version["value"]), (&put["dot"], &json!("v")));
    assert_eq!((&version["region"], &version["by"]), (&json!("eu"), &json!("eu-1")));
    let at = version["at"].as_str().expect("a time");
    assert!(at.starts_with("20") && at.ends_with('Z'), "{at}");
    assert_eq!(explained["outcome"], "v");
    assert_eq!(explained["reason"], "the only version");
    server.get("/v1/explain/c/none").problem(404, "no-such-key");
    server.get("/v1/explain/none/k").problem(404, "no-such-collection");
}
