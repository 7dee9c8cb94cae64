//! Readers of changes: what they are told, in which order, and how they go on.

use crate::support::ask::{FAR, far, request};
use crate::support::cluster::{Cluster, peer, until};
use crate::support::feed::{Feed, change, since};
use crate::support::wire::Wire;
use crate::support::{Server, connect, raw};
use anabranch::VersionVector;
use anabranch_protocol::{Answer, Ask, Http, Request, Role};
use anabranch_server::HttpConfig;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

const EVENTS: (&str, &str) = ("accept", "text/event-stream, */*;q=0.1");

#[test]
fn changes_come_in_groups_in_both_forms() {
    let server = Server::start();
    server.declare("c", "lww");
    server.put("/v1/data/c/before", "1");
    let (mut events, mut lines) = (Feed::open(server.addr, "", &[EVENTS]), Feed::open(server.addr, "", &[]));
    let begin = events.group().expect("where it begins");
    assert_eq!((begin.changes.len(), begin.token.as_str()), (0, events.header("anabranch-token").expect("a token")));
    lines.group().expect("where it begins");
    let written = server.put("/v1/data/c/k", r#"{"a":[1,"x\ny"]}"#);
    for feed in [&mut events, &mut lines] {
        let group = feed.changes();
        assert_eq!(group.changes, [change("c", "k", json!({"a": [1, "x\ny"]}), "eu")]);
        assert_eq!(group.token, written.token(), "the cut is what the write's answer showed");
        // Whoever has the cut's token reads what was told.
        let read = server.send("GET", "/v1/data/c/k", &[("anabranch-token", &group.token)], "");
        assert_eq!(read.ok()["value"], json!({"a": [1, "x\ny"]}));
    }
    server.delete("/v1/data/c/k");
    for feed in [&mut events, &mut lines] {
        assert_eq!(feed.changes().values(), BTreeMap::from([("k".to_owned(), None)]));
    }
}

#[test]
fn only_what_was_asked_for_is_told() {
    let server = Server::start();
    for (name, resolver) in [("c", "lww"), ("d", "keep-all")] {
        server.declare(name, resolver);
    }
    let mut one = Feed::open(server.addr, "?collection=d&prefix=a%2F", &[]);
    let mut later = Feed::open(server.addr, "?collection=later", &[]);
    one.group().expect("where it begins");
    for path in ["c/a%2F1", "d/b", "d/a%2F1", "c/a%2F2"] {
        server.put(&format!("/v1/data/{path}"), "1");
    }
    assert_eq!(one.changes().changes, [change("d", "a/1", json!([1]), "eu")]);
    server.declare("later", "g-counter");
    server.post("/v1/data/later/n", r#"{"add":3}"#);
    assert_eq!(later.changes().changes, [change("later", "n", json!(3), "eu")]);
    for bad in ["?collection=..", "?collection=_resolvers", "?nope=1", "?since=a&since=b"] {
        server.get(&format!("/v1/changes{bad}")).problem(400, "bad-request");
    }
    let long = "k".repeat(513);
    server.get(&format!("/v1/changes?prefix={long}")).problem(400, "bad-request");
}

#[test]
fn after_a_gap_everything_missed_is_one_group_with_each_key_once() {
    let server = Server::start();
    server.declare("c", "pn-counter");
    let mut feed = Feed::open(server.addr, "", &[]);
    let begin = feed.group().expect("where it begins").token;
    drop(feed);
    for n in 0..3 {
        for first in (0..5_000).step_by(1_000) {
            let add = |n| json!({"collection": "c", "key": format!("k{n:04}"), "op": {"add": 1}});
            let operations: Vec<Value> = (first..first + 1_000).map(add).collect();
            let written = server.post("/v1/transactions", &json!({ "operations": operations }).to_string());
            assert_eq!(written.status, 200, "round {n}: {written:?}");
        }
    }
    for headers in [&[][..], &[EVENTS]] {
        let mut feed = Feed::open(server.addr, &since(&begin), headers);
        assert_eq!(feed.group().expect("where it begins").token, begin);
        let group = feed.group().expect("all that was missed");
        assert!(group.changes.len() == 5_000 && group.values().values().all(|value| *value == Some(json!(3))));
    }
    // What a browser adds when it comes again counts, not what stands in its address.
    let now = server.get("/v1/status").token().to_owned();
    let mut feed = Feed::open(server.addr, &since(&begin), &[EVENTS, ("last-event-id", &now)]);
    server.post("/v1/data/c/last", r#"{"add":1}"#);
    assert_eq!(feed.changes().values(), BTreeMap::from([("last".to_owned(), Some(json!(1)))]));
}

#[test]
fn readers_that_come_and_go_miss_nothing_and_see_nothing_before_its_cause() {
    const ROUNDS: u64 = 300;
    let server = Server::start();
    server.declare("c", "lww");
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        // Each writes `a`, then `b` and `c` having seen it, then the next.
        for writer in 0..3 {
            let server = &server;
            scope.spawn(move || {
                for n in 1..=ROUNDS {
                    for part in ["a", "b", "c"] {
                        assert_eq!(server.put(&format!("/v1/data/c/{part}{writer}"), &n.to_string()).status, 200);
                    }
                    server.put(&format!("/v1/data/c/w{writer}-{n}"), "0");
                }
            });
        }
        let mut token = None::<String>;
        let mut connections = 0u32;
        let is_done = |told: &BTreeMap<String, u64>| {
            (0..3).all(|w| told.get(&format!("c{w}")) == Some(&ROUNDS)) && told.len() == 9 + 3 * ROUNDS as usize
        };
        while !is_done(&told) {
            let headers = if connections.is_multiple_of(2) { &[][..] } else { &[EVENTS][..] };
            // The first begins before anything was written.
            let begin = token.clone().unwrap_or_else(|| anabranch::Token::new().encode("shop"));
            let mut feed = Feed::open(server.addr, &since(&begin), headers);
            connections += 1;
            // Some go in the middle of a group, which they have to forget.
            for _ in 0..1 + connections % 4 {
                let Some(group) = feed.group() else { break };
                for (key, value) in group.values() {
                    let value = value.and_then(|value| value.as_u64()).expect("a number");
                    let before = told.insert(key, value);
                    assert!(before <= Some(value), "a value never goes back");
                }
                for writer in 0..3 {
                    let at = |part: &str| told.get(&format!("{part}{writer}")).copied().unwrap_or(0);
                    let (a, b, c) = (at("a"), at("b"), at("c"));
                    assert!(a >= b && b >= c && a <= c + 1, "at a cut: {a} {b} {c}");
                }
                token = Some(group.token);
                if is_done(&told) {
                    break;
                }
            }
        }
        assert!(connections > 5, "{connections} connections");
    });
    assert_eq!(told.len(), 9 + 3 * ROUNDS as usize);
}

#[test]
fn a_reader_that_takes_nothing_is_told_and_goes_on_at_its_last_cut() {
    let config = HttpConfig { reader_timeout: Duration::from_millis(700), max_readers: 1, ..HttpConfig::default() };
    let server = Server::with(config);
    server.declare("c", "lww");
    let mut feed = Feed::open(server.addr, "", &[]);
    let mut last = feed.group().expect("where it begins").token;
    let value = json!("v".repeat(900_000)).to_string();
    for n in 0..20 {
        assert_eq!(server.put(&format!("/v1/data/c/k{n:02}"), &value).status, 200);
    }
    // More than any buffer of the system holds is on its way. Whoever is too slow gives its place to others.
    until("the place is free", || server.get("/metrics").body.contains("anabranch_change_readers 0"));
    let mut told = BTreeMap::new();
    let (mut pending, mut lagged) = (Vec::new(), false);
    while let Some(event) = feed.event() {
        assert!(!lagged, "nothing comes after it: {event}");
        match event["event"].as_str().expect("a name") {
            "change" => pending.push(event["key"].as_str().expect("a key").to_owned()),
            "cut" => {
                told.extend(pending.drain(..).map(|key| (key, ())));
                last = event["token"].as_str().expect("a token").to_owned();
            }
            "lagged" => lagged = true,
            other => panic!("{other}"),
        }
    }
    // It may also be that it was hung up on, before it began to read.
    assert!(told.len() < 20, "{} told", told.len());
    let mut again = Feed::open(server.addr, &since(&last), &[EVENTS]);
    while told.len() < 20 {
        let group = again.changes();
        told.extend(group.values().into_keys().map(|key| (key, ())));
    }
}

#[test]
fn who_reads_on_in_time_hears_that_it_lagged() {
    let config = HttpConfig { reader_timeout: Duration::from_secs(3), ..HttpConfig::default() };
    let server = Server::with(config);
    server.declare("c", "lww");
    let mut feed = Feed::open(server.addr, "", &[]);
    feed.group().expect("where it begins");
    let value = json!("v".repeat(900_000)).to_string();
    for n in 0..20 {
        assert_eq!(server.put(&format!("/v1/data/c/k{n:02}"), &value).status, 200);
    }
    // Twice as long as it may, less a little: then it is told, but not yet hung up on.
    std::thread::sleep(Duration::from_millis(4_500));
    let mut last = Value::Null;
    while let Some(event) = feed.event() {
        last = event;
    }
    assert_eq!(last["event"], "lagged", "{}", last["event"]);
    assert!(last["detail"].is_string());
}

#[test]
fn there_are_so_many_readers_and_no_more() {
    let server = Server::with(HttpConfig { max_readers: 3, ..HttpConfig::default() });
    let mut feeds: Vec<Feed> = (0..3).map(|_| Feed::open(server.addr, "", &[])).collect();
    let refused = server.get("/v1/changes");
    refused.problem(429, "too-many-requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(server.get("/v1/status").status, 200, "others are served");
    feeds.pop();
    until("the place comes back", || server.get("/metrics").body.contains("anabranch_change_readers 2"));
    feeds.push(Feed::open(server.addr, "", &[]));
    server.get("/v1/changes").problem(429, "too-many-requests");
}

#[test]
fn heartbeats_come_while_nothing_happens_and_no_timeout_ends_a_stream() {
    let heartbeat = Duration::from_millis(100);
    let config = HttpConfig { heartbeat, request_timeout: Duration::from_millis(300), ..HttpConfig::default() };
    let server = Server::with(config);
    server.declare("c", "lww");
    for headers in [&[][..], &[EVENTS]] {
        let mut feed = Feed::open(server.addr, "", headers);
        feed.group().expect("where it begins");
        let started = Instant::now();
        for _ in 0..8 {
            assert_eq!(feed.event().expect("it goes on")["event"], "heartbeat");
        }
        assert!(started.elapsed() >= heartbeat * 7);
        let key = format!("k{}", headers.len());
        server.put(&format!("/v1/data/c/{key}"), "1");
        assert_eq!(feed.changes().values(), BTreeMap::from([(key, Some(json!(1)))]));
    }
}

#[test]
fn tokens_that_lead_nowhere_are_refused_as_everywhere() {
    let server = Server::start();
    let foreign = anabranch::Token::new().encode("other");
    server.get(&format!("/v1/changes?since={foreign}")).problem(409, "wrong-cluster-token");
    server.get("/v1/changes?since=%21").problem(400, "bad-token");
    server.send("GET", "/v1/changes", &[("last-event-id", "x")], "").problem(400, "bad-token");
    let ahead = anabranch::Token::of(anabranch::ShardId(0), [(anabranch::Origin(7), 9)].into_iter().collect());
    let ahead = ahead.encode("shop");
    let started = Instant::now();
    let headers = [("anabranch-wait", "200ms")];
    let answer = server.send("GET", &format!("/v1/changes?since={ahead}"), &headers, "");
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(answer.problem(504, "token-not-reached")["need"][0]["version_vector"], json!({"0000000000000007": 9}));
}

#[test]
fn stopping_ends_streams_at_once() {
    let mut server = Server::start();
    let mut feeds: Vec<Feed> = (0..5).map(|_| Feed::open(server.addr, "", &[])).collect();
    for feed in &mut feeds {
        feed.group().expect("where it begins");
    }
    assert!(server.stop() < Duration::from_secs(1));
    assert!(feeds.iter_mut().all(|feed| feed.event().is_none()));
}

#[test]
fn a_database_that_closes_ends_streams() {
    let server = Server::start();
    let mut feed = Feed::open(server.addr, "", &[]);
    feed.group().expect("where it begins");
    server.database.close();
    assert!(feed.event().is_none());
}

#[test]
fn a_follower_tells_changes_too_and_what_it_has_not_is_not_fetched_from_elsewhere() {
    let cluster = Cluster::new();
    let leader = cluster.leader("eu", &[peer("eu", "eu-2", None)]);
    let follower = cluster.follower("eu", "eu-2", "eu", &[peer("eu", "eu", Some(leader.quic()))]);
    leader.until_connected("eu-2");
    leader.declare("c", "lww");
    let mut feed = Feed::open(follower.addr, "", &[]);
    feed.group().expect("where it begins");
    leader.put("/v1/data/c/k", "1");
    let group = feed.changes();
    assert_eq!(group.changes, [change("c", "k", json!(1), "eu")]);
    // A cut of the follower's leads on at the leader.
    let mut at_leader = Feed::open(leader.addr, &since(&group.token), &[]);
    leader.put("/v1/data/c/k2", "2");
    assert_eq!(at_leader.changes().values(), BTreeMap::from([("k2".to_owned(), Some(json!(2)))]));
}

#[test]
fn a_stream_is_not_passed_on() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("us", "us", None)]);
    let (us, mut replication) = Wire::leader(&cluster, "us", &eu);
    replication.claim(&[FAR].into_iter().collect::<VersionVector>());
    let far = far().encode("shop");
    for (path, headers) in [
        (format!("/v1/changes?since={far}"), vec![("anabranch-wait", "300ms")]),
        ("/v1/changes".to_owned(), vec![("anabranch-wait", "300ms"), ("anabranch-token", far.as_str())]),
    ] {
        let started = Instant::now();
        eu.send("GET", &path, &headers, "").problem_of(504, "token-not-reached");
        assert!(started.elapsed() >= Duration::from_millis(300), "nobody else is asked");
    }
    // Nor is one that another node passes on answered.
    let mut stream = us.open(Role::Client);
    let (method, target) = ("GET".to_owned(), "/v1/changes".to_owned());
    let asked = Ask::Http(Http { method, target, headers: Vec::new(), body: Vec::new() });
    let reply = stream.ask(Request { wait_ms: 200, ..request(asked) });
    assert!(matches!(reply.answer, Answer::Http { status: 504, .. }), "{reply:?}");
}

#[test]
fn a_reader_that_leaves_gives_its_place_back() {
    let server = Server::with(HttpConfig { max_readers: 1, ..HttpConfig::default() });
    for _ in 0..3 {
        let mut stream = connect(server.addr);
        stream
            .write_all(format!("GET /v1/changes HTTP/1.1\r\nhost: {}\r\n\r\n", server.addr).as_bytes())
            .expect("sent");
        until("it reads", || server.get("/metrics").body.contains("anabranch_change_readers 1"));
        drop(stream);
        until("it left", || server.get("/metrics").body.contains("anabranch_change_readers 0"));
    }
    let head = format!("HEAD /v1/changes HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", server.addr);
    assert_eq!(raw(server.addr, head.as_bytes()).status, 200);
}
