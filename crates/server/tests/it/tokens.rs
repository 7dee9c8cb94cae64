//! Tokens between replicas: waited for, answered elsewhere, or refused in time.

use crate::support::cluster::{Cluster, Running, peer, until};
use crate::support::{Answer, Server};
use anabranch::transport::WanLink;
use anabranch::{Database, Origin, ShardId, Token, VersionVector, WaitError};
use serde_json::json;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// The text of a token that names the transactions of these origins.
fn token(entries: impl IntoIterator<Item = (u64, u64)>) -> String {
    let vector = entries.into_iter().map(|(origin, seq)| (Origin(origin), seq)).collect();
    Token::of(ShardId(0), vector).encode("shop")
}

fn vector(text: &str) -> VersionVector {
    Token::decode(text, "shop").expect("a token").vector(ShardId(0)).cloned().unwrap_or_default()
}

fn read(node: &Running<'_>, token: &str, wait: &str, fallback: &str) -> Answer {
    let headers = [("anabranch-token", token), ("anabranch-wait", wait), ("anabranch-fallback", fallback)];
    node.send("GET", "/v1/data/c/k", &headers, "")
}

/// A follower of `ap`, far away from it.
fn follower<'c>(cluster: &'c Cluster, ap: &Running<'_>) -> Running<'c> {
    let follower = cluster.follower("af", "copy", "ap", &[peer("ap", "ap", Some(ap.quic()))]);
    follower.until_connected("ap");
    follower
}

/// Two leaders, `ap` reaching `eu` over a link.
fn two(cluster: &Cluster) -> (Running<'_>, Running<'_>, WanLink) {
    let eu = cluster.leader("eu", &[peer("ap", "ap", None)]);
    let link = cluster.link(&eu);
    let ap = cluster.leader("ap", &[peer("eu", "eu", Some(link.addr())), peer("af", "copy", None)]);
    ap.until_connected("eu");
    eu.declare("c", "lww");
    eu.until_equal(&ap);
    (eu, ap, link)
}

#[test]
fn a_replica_that_is_behind_waits_and_answers_or_says_what_it_has() {
    let cluster = Cluster::new();
    let (eu, ap, link) = two(&cluster);
    link.cut();
    let written = eu.put("/v1/data/c/k", "1");
    let started = Instant::now();
    let behind = read(&ap, written.token(), "200ms", "fail");
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_secs(5), "{took:?}");
    let problem = behind.problem_of(504, "token-not-reached");
    assert_eq!(behind.served_by(), "ap");
    let origin = eu.status()["origin"].as_str().expect("an origin").to_owned();
    assert_eq!(problem["need"], json!([{"shard": 0, "version_vector": {origin.clone(): 2}}]));
    assert_eq!(problem["have"], json!([{"shard": 0, "version_vector": {origin: 1}}]));
    assert!(vector(behind.token()).covers(&vector(written.token())));
    let answered = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| read(&ap, written.token(), "20s", "fail"));
        link.heal();
        waiting.join().expect("no panic")
    });
    assert_eq!((answered.served_by(), &answered.json()["value"]), ("ap", &json!(1)));
}

#[test]
fn a_write_waits_for_what_its_client_saw() {
    let cluster = Cluster::new();
    let (eu, ap, link) = two(&cluster);
    link.cut();
    let seen = eu.put("/v1/data/c/k", "1");
    let state = ap.shard();
    let write = |wait, fallback| {
        let headers = [
            ("anabranch-token", seen.token()),
            ("anabranch-context", seen.context()),
            ("anabranch-wait", wait),
            ("anabranch-fallback", fallback),
        ];
        ap.send("PUT", "/v1/data/c/k", &headers, "2")
    };
    write("100ms", "fail").problem_of(504, "token-not-reached");
    // There is nobody else to ask.
    write("100ms", "forward").problem_of(504, "token-not-reached");
    assert_eq!(ap.shard(), state);
    link.heal();
    let written = write("20s", "fail");
    assert_eq!((written.served_by(), written.status), ("ap", 200), "{written:?}");
    let versions = ap.get("/v1/explain/c/k").ok()["versions"].clone();
    assert_eq!(versions.as_array().map(Vec::len), Some(1), "it supersedes what was seen: {versions}");
}

/// `af` is cut off from `eu`, and `ap` is connected to both.
#[test]
fn another_replica_that_has_it_answers() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None), peer("af", "af", None)]);
    let ap = cluster.leader("ap", &[peer("eu", "eu", Some(eu.quic())), peer("af", "af", None)]);
    let link = cluster.link(&eu);
    let to_us = peer("ap", "ap", Some(ap.quic()));
    let af = cluster.leader("af", &[peer("eu", "eu", Some(link.addr())), to_us]);
    for node in [&ap, &af] {
        node.until_connected("eu");
    }
    af.until_connected("ap");
    eu.declare("c", "lww");
    eu.until_equal(&af);
    link.cut();
    let written = eu.put("/v1/data/c/k", "1");
    let answered = read(&af, written.token(), "1s", "forward");
    assert_eq!(answered.json()["value"], 1, "{answered:?}");
    // Should it take so long that `ap` has begun to relay, `af` has it, too.
    assert!(["ap", "af"].contains(&answered.served_by()));
    let again = af.send("PUT", "/v1/data/c/k", &[("anabranch-token", answered.token())], "2");
    assert_eq!((again.status, &again.json()["value"]), (200, &json!(2)), "{again:?}");
    assert!(["ap", "af"].contains(&again.served_by()));
    // The user goes on with both at a replica that has not seen the second.
    let joined = format!("{}, {}", written.token(), again.token());
    let read = read(&eu, &joined, "20s", "fail");
    assert_eq!((read.served_by(), &read.json()["value"]), ("eu", &json!(2)));
    assert!(vector(read.token()).covers(&vector(again.token())));
}

#[test]
fn what_nobody_has_is_a_definite_error_in_time() {
    let cluster = Cluster::new();
    let (eu, ap, _link) = two(&cluster);
    let follower = follower(&cluster, &ap);
    let own = |node: &Running<'_>| {
        let origin = node.status()["origin"].as_str().expect("an origin").to_owned();
        u64::from_str_radix(&origin, 16).expect("hexadecimal")
    };
    let state = eu.shard();
    for (what, far) in [
        ("an origin that nobody knows", token([(0xabcd, 1)])),
        ("the future", token([(own(&eu), 1_000_000_000)])),
        ("another's future", token([(own(&ap), u64::MAX - 1)])),
        ("some of each", token([(own(&eu), 1), (0xabcd, 1)])),
    ] {
        for node in [&eu, &ap, &follower] {
            let started = Instant::now();
            let answer = read(node, &far, "50ms", "forward");
            let took = started.elapsed();
            answer.problem_of(504, "token-not-reached");
            assert_eq!(answer.served_by(), node.name());
            assert!(took >= Duration::from_millis(50) && took < Duration::from_secs(5), "{what}: {took:?}");
            assert!(vector(answer.token()).covers(&vector(&far)), "{what}");
        }
        let headers = [("anabranch-token", far.as_str()), ("anabranch-wait", "20ms")];
        for node in [&eu, &follower] {
            node.send("PUT", "/v1/data/c/k", &headers, "1").problem_of(504, "token-not-reached");
        }
    }
    assert_eq!(eu.shard(), state);
}

#[test]
fn garbage_and_another_clusters_tokens_are_told_at_once() {
    let cluster = Cluster::new();
    let (eu, ap, _link) = two(&cluster);
    let follower = follower(&cluster, &ap);
    let elsewhere = Token::of(ShardId(0), [(Origin(1), 1)].into_iter().collect()).encode("bank");
    let good = token([(1, 1)]);
    let cut = &good[..good.len() - 1];
    let started = Instant::now();
    for node in [&eu, &follower] {
        for (method, path, body) in [("GET", "/v1/data/c/k", ""), ("PUT", "/v1/data/c/k", "1")] {
            let send = |token: &str| {
                let answer = node.send(method, path, &[("anabranch-token", token), ("anabranch-wait", "30s")], body);
                assert_eq!(answer.served_by(), node.name());
                answer
            };
            send(&elsewhere).problem_of(409, "wrong-cluster-token");
            for garbage in ["x", cut, &"A".repeat(8_193), &format!("{good} {good}")] {
                send(garbage).problem_of(400, "bad-token");
            }
        }
    }
    assert!(started.elapsed() < Duration::from_secs(20), "none of them waited");
}

#[test]
fn tokens_are_short() {
    let server = Server::start();
    let far = |origins: u64| {
        let origin = |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        token((1..origins).map(|n| (origin(n), 1_000_000_000 + n)))
    };
    server.declare("c", "lww");
    for (regions, most) in [(3, 128), (8, 256)] {
        // The answer's token joins what is asked for and the server's own origin.
        let answer =
            server.send("GET", "/v1/collections", &[("anabranch-token", &far(regions)), ("anabranch-wait", "0ms")], "");
        answer.problem(504, "token-not-reached");
        assert_eq!(vector(answer.token()).len() as u64, regions);
        assert!(answer.token().len() <= most, "{} for {regions} regions", answer.token().len());
    }
}

/// The places for those that wait.
const CROWD: usize = 10_000;

/// So many that wait in process; each has its place.
fn crowd<'a>(database: &'a Database, token: &'a Token, count: usize) -> Vec<Pin<Box<impl Future + use<'a>>>> {
    let deadline = Instant::now() + Duration::from_secs(600);
    let mut context = Context::from_waker(Waker::noop());
    let mut waits = || {
        let mut waiting = Box::pin(database.view_at_async(token, deadline));
        assert!(waiting.as_mut().poll(&mut context).is_pending());
        waiting
    };
    (0..count).map(|_| waits()).collect()
}

#[test]
fn as_many_wait_as_may_and_the_next_is_told_at_once() {
    const OVER_HTTP: usize = 3;
    let server = Server::start();
    server.declare("c", "lww");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let _inside = runtime.enter();
    let far = Token::of(ShardId(0), [(Origin(0xabcd), 7)].into_iter().collect());
    let waiting = crowd(&server.database, &far, CROWD - OVER_HTTP);
    let each = std::mem::size_of_val(&*waiting[0]);
    assert!(each <= 2_048, "{each} bytes are held by each that waits");
    let text = far.encode("shop");
    let get = |wait| {
        let started = Instant::now();
        let headers = [("anabranch-token", text.as_str()), ("anabranch-wait", wait)];
        (server.send("GET", "/v1/data/c/k", &headers, ""), started.elapsed())
    };
    // Whoever comes while it is being looked for a place comes again.
    let insist = || std::iter::repeat_with(|| get("2s")).find(|(answer, _)| answer.status != 429).expect("endless");
    std::thread::scope(|scope| {
        let over_http: Vec<_> = (0..OVER_HTTP).map(|_| scope.spawn(insist)).collect();
        until("all places are taken", || get("0ms").0.status == 429);
        let (full, took) = get("30s");
        assert!(full.problem(429, "too-many-requests")["detail"].is_string());
        assert_eq!(full.header("retry-after"), Some("1"));
        assert!(took < Duration::from_secs(2), "{took:?}");
        // Whoever need not wait is answered all the same.
        assert_eq!(server.put("/v1/data/c/k", "1").status, 200);
        for (answer, took) in over_http.into_iter().map(|waiting| waiting.join().expect("no panic")) {
            answer.problem(504, "token-not-reached");
            assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(8), "{took:?}");
        }
    });
    let rest = crowd(&server.database, &far, OVER_HTTP);
    let another = runtime.block_on(server.database.view_at_async(&far, Instant::now() + Duration::from_secs(30)));
    assert!(matches!(another, Err(WaitError::Busy)), "{:?}", another.err());
    drop((waiting, rest));
    assert_eq!(get("0ms").0.status, 504, "places come back");
}

#[test]
fn a_crowd_is_woken_by_what_it_waits_for() {
    let server = Server::start();
    server.declare("c", "lww");
    let origin = server.get("/v1/status").ok()["origin"].as_str().expect("an origin").to_owned();
    let origin = Origin(u64::from_str_radix(&origin, 16).expect("hexadecimal"));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut crowd = tokio::task::JoinSet::new();
    for index in 0..CROWD as u64 {
        // The collection is the first transaction.
        let next = Token::of(ShardId(0), [(origin, 2 + index % 4)].into_iter().collect());
        let database = server.database.clone();
        let waits = async move {
            let view = database.view_at_async(&next, Instant::now() + Duration::from_secs(30)).await?;
            view.satisfies(&next)
        };
        crowd.spawn_on(waits, runtime.handle());
    }
    for value in 0..4 {
        assert_eq!(server.put("/v1/data/c/k", &value.to_string()).status, 200);
    }
    let reached = runtime.block_on(crowd.join_all());
    assert!(reached.iter().all(Result::is_ok));
}
