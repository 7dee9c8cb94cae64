//! Streams of requests: large answers, too many requests, and what is none.

use crate::support::ask::{far, get, operate, page, problem, put, request, scan, value, write, written};
use crate::support::cluster::{Cluster, Running, peer};
use crate::support::wire::Wire;
use anabranch::transport::{Endpoint, Identity, Limits, NodeCertificate};
use anabranch::{Kind, Operation, resolvers::Member};
use anabranch_protocol::{Answer, Ask, Http, Reply, Request, Role};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn a_large_answer_comes_in_parts_and_holds_up_no_other() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let text = "x".repeat(1_000_000);
    for key in ["a", "b", "d"] {
        let reply = stream.ask(request(write(vec![put(key, json!(text))])));
        let shown = written(&reply).shown.expect("it exists");
        assert_eq!((shown.truncated, shown.json.as_str()), (true, ""));
    }
    let reply = stream.ask(request(get("c", "a")));
    assert_eq!(value(&reply).expect("a value").json.len(), text.len() + 2);
    assert!(reply.encode().len() > 3 * anabranch_protocol::part::PART_BYTES);
    let all = page(stream.ask(request(scan("", None, 10))));
    assert!(all.items.len() == 3 && all.items.iter().all(|(_, shown)| shown.json.len() > text.len()));
    let ids: Vec<u64> = (0..20).map(|_| stream.begin(request(get("c", "a")))).collect();
    let small = stream.begin(request(Ask::Standing));
    let mut answered: Vec<u64> = (0..21).map(|_| stream.next().expect("an answer").id).collect();
    answered.sort_unstable();
    assert_eq!(answered, [ids, vec![small]].concat());
}

/// As many under way as may be, and another for each that was answered.
#[test]
fn an_answer_that_was_read_has_made_room_for_another_write() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let add = || request(write(vec![operate("likes", Kind::G_COUNTER, "k", Operation::Add(1))]));
    for _ in 0..1_024 {
        stream.begin(add());
    }
    for _ in 0..5_000 {
        written(&stream.next().expect("an answer"));
        stream.begin(add());
    }
}

#[test]
fn what_is_no_request_closes_its_stream_and_nothing_else() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    let (wire, mut good) = Wire::client(&cluster, &eu);
    let state = eu.shard();
    let sound = request(write(vec![put("k", json!(1))])).encode();
    let unknown = [&request(Ask::Standing).encode()[..], &[99]].concat();
    let endless = Request { wait_ms: Request::MAX_WAIT_MS + 1, ..request(Ask::Standing) }.encode();
    let huge_count = [&7u64.to_le_bytes()[..], &[0xff; 40]].concat();
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0], &sound[..sound.len() - 1], &unknown, &endless, &huge_count] {
        let mut stream = wire.open(Role::Client);
        // What was asked before is still answered.
        let first = stream.begin(request(Ask::Standing));
        stream.send(garbage);
        assert_eq!(stream.next().expect("an answer").id, first);
        assert!(stream.next().is_none(), "{garbage:?}");
        assert!(matches!(good.ask(request(Ask::Standing)).answer, Answer::Standing(_)));
    }
    assert_eq!(wire.connection.close_reason(), None);
    assert_eq!(eu.shard(), state);
    assert_eq!(eu.get("/health").status, 200);
}

#[test]
fn only_nodes_pass_http_requests_on() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let state = eu.shard();
    let (method, target) = ("PUT".to_owned(), "/v1/data/c/k".to_owned());
    let http = Http { method, target, headers: Vec::new(), body: b"1".to_vec() };
    problem(&stream.ask(request(Ask::Http(http))), "not-supported");
    assert_eq!(eu.shard(), state);
}

#[test]
fn a_peer_passes_on_what_the_api_has_and_no_more() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None)]);
    eu.declare("c", "lww");
    let state = eu.shard();
    let (ap, _replication) = Wire::leader(&cluster, "ap", &eu);
    let mut stream = ap.open(Role::Client);
    let mut ask = |method: &str, target: &str, headers: &[(&str, &[u8])]| {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        let http = Http { method: method.into(), target: target.into(), headers, body: b"1".to_vec() };
        stream.ask(request(Ask::Http(http)))
    };
    for (method, target, headers) in [
        ("GET", "/metrics", &[][..]),
        ("GET", "no path", &[]),
        ("GE T", "/v1/status", &[]),
        ("GET", "/v1/status", &[("bad name", &b"x"[..])]),
        ("GET", "/v1/status", &[("x", b"\n")]),
    ] {
        problem(&ask(method, target, headers), "bad-request");
    }
    let http = |reply: Reply| match reply.answer {
        Answer::Http { status, .. } => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(http(ask("GET", "/v1/nothing", &[])), 404);
    assert_eq!(http(ask("PUT", "/v1/data/c/k", &[("origin", b"https://evil.example.com")])), 403);
    assert_eq!(eu.shard(), state);
    assert_eq!(http(ask("PUT", "/v1/data/c/k", &[])), 200);
}

#[test]
fn more_requests_than_may_be_open_are_told_at_once() {
    const MOST: usize = 1_024;
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    let (wire, mut stream) = Wire::client(&cluster, &eu);
    let waits = Request { token: far(), wait_ms: 3_000, ..request(get("c", "k")) };
    for _ in 0..MOST {
        stream.begin(waits.clone());
    }
    let started = Instant::now();
    let beyond: Vec<u64> = (0..5).map(|_| stream.begin(waits.clone())).collect();
    for id in &beyond {
        let reply = stream.next().expect("an answer");
        problem(&reply, "too-many-requests");
        assert_eq!((reply.id, &reply.token), (*id, &far()));
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    // Other streams are not full.
    assert!(matches!(wire.open(Role::Client).ask(request(Ask::Standing)).answer, Answer::Standing(_)));
    for _ in 0..MOST {
        problem(&stream.next().expect("an answer"), "token-not-reached");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(value(&stream.ask(request(get("c", "k")))).is_none(), "places come back");
}

#[test]
fn writes_are_answered_each_with_its_sum_among_what_else_is_asked() {
    const ROUNDS: u64 = 100;
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let add = |key: &str| write(vec![operate("likes", Kind::G_COUNTER, key, Operation::Add(1))]);
    let member = Operation::AddMembers(vec![Member::from_json(json!("x")).expect("a member")]);
    stream.ask(request(write(vec![put("k", json!(7))])));
    let mut asked = BTreeMap::new();
    for _ in 0..ROUNDS {
        asked.insert(stream.begin(request(add("one"))), "add");
        asked.insert(stream.begin(request(write(vec![operate("tags", Kind::OR_SET, "k", member.clone())]))), "set");
        asked.insert(stream.begin(request(get("c", "k"))), "get");
        asked.insert(stream.begin(request(write(vec![put("", json!(1))]))), "no key");
        asked.insert(stream.begin(request(write(vec![operate("c", Kind::OR_SET, "k", member.clone())]))), "no set");
    }
    let mut sums = Vec::new();
    for _ in 0..5 * ROUNDS {
        let reply = stream.next().expect("an answer");
        match asked.remove(&reply.id).expect("asked once") {
            "add" => sums.push(written(&reply).shown.expect("a sum").json.parse::<u64>().expect("a number")),
            "set" => assert_eq!(written(&reply).shown.expect("a set").json, r#"["x"]"#),
            "get" => assert_eq!(value(&reply).expect("a value").json, "7"),
            "no key" => drop(problem(&reply, "bad-request")),
            _ => drop(problem(&reply, "resolver-mismatch")),
        }
    }
    // Some at one state, which has what came after them, too.
    assert!(sums.iter().zip(1..).all(|(sum, least)| (least..=ROUNDS).contains(sum)), "{sums:?}");
    assert!(asked.is_empty() && sums.last() == Some(&ROUNDS));
    // Also when nothing more is asked.
    let adds: Vec<u64> = (0..10).map(|_| stream.begin(request(add("two")))).collect();
    stream.finish();
    let mut answered: Vec<u64> = std::iter::from_fn(|| stream.next()).map(|reply| reply.id).collect();
    answered.sort_unstable();
    assert_eq!(answered, adds);
}

#[test]
fn a_client_of_another_cluster_is_not_heard() {
    let (cluster, other) = (Cluster::new(), Cluster::new());
    let eu = cluster.leader("eu", &[]);
    let certificate = |from: &Cluster| from.authority.issue("eu", "app").expect("a certificate");
    // The same name, and an authority of the same name.
    assert!(dials(&cluster, &certificate(&cluster), cluster.authority.cert_pem(), &eu));
    assert!(!dials(&cluster, &certificate(&other), other.authority.cert_pem(), &eu));
}

fn dials(cluster: &Cluster, own: &NodeCertificate, ca: &str, node: &Running<'_>) -> bool {
    let identity = Identity::from_pem(ca.as_bytes(), own.cert_pem.as_bytes(), own.key_pem.as_bytes());
    let identity = Arc::new(identity.expect("an identity"));
    cluster.runtime.block_on(async {
        let any = "127.0.0.1:0".parse().expect("an address");
        let endpoint = Endpoint::bind(any, identity, Limits::default()).expect("a port");
        endpoint.dial(node.quic(), None).await.is_ok()
    })
}
