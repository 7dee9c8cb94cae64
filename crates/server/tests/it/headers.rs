//! Tokens and the headers around them.

use crate::support::{Answer, Server};
use anabranch::{Origin, ShardId, Token};
use serde_json::json;
use std::time::{Duration, Instant};

fn token(cluster: &str, shard: u16, seq: u64) -> String {
    Token::of(ShardId(shard), [(Origin(0xabcd), seq)].into_iter().collect()).encode(cluster)
}

fn get(server: &Server, headers: &[(&str, &str)]) -> Answer {
    server.send("GET", "/v1/data/c/k", headers, "")
}

#[test]
fn every_answer_has_a_token_and_a_name() {
    let server = Server::start();
    server.declare("c", "lww");
    let put = server.put("/v1/data/c/k", "1");
    for path in ["/health", "/ready", "/metrics", "/openapi.json", "/nowhere", "/v1/status", "/v1/data/c/k", "/v1/x"] {
        let answer = server.get(path);
        assert_eq!(answer.token(), put.token(), "{path}");
        assert_eq!(answer.header("anabranch-served-by"), Some("eu-1"));
        assert_eq!(answer.header("x-request-id").map(str::len), Some(36));
        assert_eq!(answer.header("cache-control"), path.starts_with("/v1").then_some("no-store"), "{path}");
    }
    let named = server.send("GET", "/v1/nowhere", &[("x-request-id", "my-id.1")], "");
    assert_eq!(named.problem(404, "not-found")["instance"], "my-id.1");
}

#[test]
fn a_token_of_what_is_here_does_not_wait() {
    let server = Server::start();
    server.declare("c", "lww");
    let (first, second) = (server.put("/v1/data/c/k", "1"), server.put("/v1/data/c/k", "2"));
    assert_ne!(first.token(), second.token());
    let joined = format!("{}, {}", first.token(), second.token());
    let started = Instant::now();
    let answer = get(&server, &[("anabranch-token", &joined), ("anabranch-token", first.token())]);
    assert_eq!(answer.token(), second.token());
    assert_eq!(answer.ok()["value"], json!(2));
    assert!(started.elapsed() < Duration::from_millis(500));
}

#[test]
fn a_token_that_does_not_come_true_is_a_definite_error_in_time() {
    let server = Server::start();
    server.declare("c", "lww");
    let shown = server.put("/v1/data/c/k", "1");
    let far = token("shop", 0, 7);
    let state = server.state();
    for (method, path) in [
        ("GET", "/v1/data/c/k"),
        ("PUT", "/v1/data/c/k"),
        ("GET", "/v1/data/c"),
        ("GET", "/v1/status"),
        ("DELETE", "/v1/data/c/k"),
        ("GET", "/v1/explain/c/k"),
        ("PUT", "/v1/collections/new"),
        ("GET", "/v1/collections"),
    ] {
        let started = Instant::now();
        let headers = [("anabranch-token", far.as_str()), ("anabranch-wait", "100ms"), ("anabranch-fallback", "fail")];
        let body = if path.contains("new") { r#"{"resolver":"lww"}"# } else { "2" };
        let answer = server.send(method, path, &headers, body);
        let problem = answer.problem(504, "token-not-reached");
        let waited = started.elapsed();
        assert!(waited >= Duration::from_millis(100) && waited < Duration::from_secs(2), "{waited:?}");
        assert_eq!(problem["need"], json!([{"shard": 0, "version_vector": {"000000000000abcd": 7}}]));
        assert_eq!(problem["have"][0]["shard"], 0);
        // The join of both: nothing that was asked is forgotten.
        let joined = Token::decode(answer.token(), "shop").expect("a token");
        let vector = joined.vector(ShardId(0)).expect("a vector");
        assert_eq!(vector.get(Origin(0xabcd)), 7);
        let had = Token::decode(shown.token(), "shop").expect("a token");
        assert!(vector.covers(had.vector(ShardId(0)).expect("a vector")));
    }
    assert_eq!(server.state(), state);
}

#[test]
fn a_token_for_a_shard_that_is_not_here_fails_at_once() {
    let server = Server::start();
    server.declare("c", "lww");
    let started = Instant::now();
    let other = token("shop", 9, 7);
    let problem =
        get(&server, &[("anabranch-token", &other), ("anabranch-wait", "20s")]).problem(504, "token-not-reached");
    assert_eq!(problem["need"][0]["shard"], 9);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_token_comes_true_while_it_is_waited_for() {
    let server = Server::start();
    server.declare("c", "lww");
    let first = Token::decode(server.put("/v1/data/c/k", "1").token(), "shop").expect("a token");
    let (origin, seq) = first.vector(ShardId(0)).and_then(|vector| vector.iter().next()).expect("an entry");
    let next = Token::of(ShardId(0), [(origin, seq + 1)].into_iter().collect()).encode("shop");
    std::thread::scope(|scope| {
        let read = scope.spawn(|| get(&server, &[("anabranch-token", &next), ("anabranch-wait", "10s")]));
        std::thread::sleep(Duration::from_millis(200));
        assert_eq!(server.put("/v1/data/c/k", "2").status, 200);
        assert_eq!(read.join().expect("no panic").ok()["value"], json!(2));
    });
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("anabranch_token_waits_total{result=\"reached\"} 1"), "{metrics}");
}

#[test]
fn tokens_that_are_none_are_refused() {
    let server = Server::start();
    server.declare("c", "lww");
    let good = server.put("/v1/data/c/k", "1").token().to_owned();
    let state = server.state();
    let flipped = good.replacen(&good[5..6], if &good[5..6] == "A" { "B" } else { "A" }, 1);
    let long = "A".repeat(9_000);
    let two = format!("{good},x");
    for bad in ["x", "", "AAAA", &flipped, &good[1..], &long, &two, "\u{e9}"] {
        get(&server, &[("anabranch-token", bad)]).problem(400, "bad-token");
        server.send("PUT", "/v1/data/c/k", &[("anabranch-token", bad)], "2").problem(400, "bad-token");
    }
    get(&server, &[("anabranch-token", &token("bank", 0, 1))]).problem(409, "wrong-cluster-token");
    assert_eq!(get(&server, &[("anabranch-token", "x")]).token(), good);
    // A huge but sound one is only waited for.
    let huge = Token::of(ShardId(0), (1..=500).map(|n| (Origin(n), 1)).collect()).encode("shop");
    let answer = get(&server, &[("anabranch-token", &huge), ("anabranch-wait", "1ms")]);
    answer.problem(504, "token-not-reached");
    assert!(Token::decode(answer.token(), "shop").is_ok());
    assert_eq!(server.state(), state);
}

#[test]
fn the_other_headers_are_checked() {
    let server = Server::start();
    server.declare("c", "lww");
    let state = server.state();
    for (name, bad) in [
        ("anabranch-wait", "31s"),
        ("anabranch-wait", "1"),
        ("anabranch-wait", "-1s"),
        ("anabranch-fallback", "maybe"),
        ("anabranch-ack", "some"),
        ("anabranch-ack", "regions:0"),
        ("anabranch-ack", "regions:2"),
        ("anabranch-ack", "follower"),
    ] {
        server.send("PUT", "/v1/data/c/k", &[(name, bad)], "1").problem(400, "bad-request");
    }
    server.put("/v1/data/c/k?return=all", "1").problem(400, "bad-request");
    assert_eq!(server.state(), state);
    for good in ["local", "regions:1", "all"] {
        assert_eq!(server.send("PUT", "/v1/data/c/k", &[("anabranch-ack", good)], "1").status, 200);
    }
    assert_eq!(get(&server, &[("anabranch-fallback", "forward"), ("anabranch-wait", "30s")]).status, 200);
}
