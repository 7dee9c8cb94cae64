//! Passing requests on: what goes to the other node, what comes back, and what does not go at all. The other nodes are
//! made by hand: they say that they have what nobody has.

use crate::support::Answer as HttpAnswer;
use crate::support::ask::{FAR, far, get, problem, put, request, write};
use crate::support::cluster::{Cluster, Running, peer};
use crate::support::session;
use crate::support::wire::{Stream, Wire};
use anabranch::VersionVector;
use anabranch_protocol::{Answer, Ask, Http, Problem, Request, Role};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a request waits if nothing else is said: most of it for the token, the rest for the answer.
const WAIT: &str = "400ms";

/// A request whose token only the others have.
fn send(node: &Running<'_>, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> HttpAnswer {
    let token = far().encode("shop");
    let mut headers = [&[("anabranch-token", token.as_str())], more].concat();
    if !more.iter().any(|(name, _)| *name == "anabranch-wait") {
        headers.push(("anabranch-wait", WAIT));
    }
    node.send(method, path, &headers, body)
}

/// A leader `eu` that knows of `us` and `ap`, and a `us` made by hand that says it has what is far.
fn world(cluster: &Cluster) -> (Running<'_>, Wire<'_>, Stream<'_>) {
    let eu = cluster.leader("eu", &[peer("us", "us", None), peer("ap", "ap", None)]);
    eu.declare("c", "lww");
    let (us, replication) = having(cluster, "us", &eu);
    (eu, us, replication)
}

fn having<'c>(cluster: &'c Cluster, name: &str, node: &Running<'_>) -> (Wire<'c>, Stream<'c>) {
    let (wire, mut replication) = Wire::leader(cluster, name, node);
    replication.claim(&[FAR].into_iter().collect::<VersionVector>());
    (wire, replication)
}

/// An answer that shows what is far.
fn shown(status: u16, body: &str) -> Answer {
    let media = if status < 300 { "application/json" } else { "application/problem+json" };
    let token = far().encode("shop");
    let headers = [("content-type", media), ("anabranch-token", &token), ("anabranch-served-by", "us")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    Answer::Http { status, headers: headers.to_vec(), body: body.as_bytes().to_vec() }
}

fn http(request: &Request) -> &Http {
    let Ask::Http(http) = &request.ask else { panic!("no HTTP request: {request:?}") };
    http
}

fn header<'a>(http: &'a Http, name: &str) -> Option<&'a str> {
    let found = http.headers.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| std::str::from_utf8(value).expect("text"))
}

#[test]
fn a_read_goes_to_whoever_has_it_and_its_answer_comes_back() {
    let cluster = Cluster::new();
    let (eu, us, _replication) = world(&cluster);
    let mut stream = None;
    for path in ["/v1/data/c/a%2Fb", "/v1/data/c?prefix=a&limit=2", "/v1/collections", "/v1/explain/c/k"] {
        let answered = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| send(&eu, "GET", path, &[("anabranch-ack", "all")], ""));
            let stream = stream.get_or_insert_with(|| us.accept());
            let asked = stream.asked();
            // Nobody passes it on again, and only a part of the time is left.
            assert!(!asked.forward && asked.wait_ms <= 200, "{asked:?}");
            assert_eq!((&asked.token, asked.max_lag_ms), (&far(), None));
            let http = http(&asked);
            assert_eq!((http.method.as_str(), http.target.as_str(), http.body.len()), ("GET", path, 0));
            assert_eq!(header(http, "anabranch-token"), Some(far().encode("shop").as_str()));
            assert_eq!((header(http, "x-request-id").map(str::len), http.headers.len()), (Some(36), 2));
            stream.answer(&asked, shown(200, r#"{"value":"ä"}"#));
            waiting.join().expect("no panic")
        });
        assert_eq!(
            (answered.status, answered.served_by(), answered.token()),
            (200, "us", far().encode("shop").as_str())
        );
        assert_eq!(answered.body, r#"{"value":"ä"}"#);
        assert_eq!(answered.header("cache-control"), Some("no-store"));
        assert_eq!(answered.header("content-type"), Some("application/json"));
    }
    let metrics = eu.get("/metrics").body;
    assert!(metrics.contains("anabranch_token_waits_total{result=\"forwarded\"} 4"), "{metrics}");
}

#[test]
fn a_write_goes_to_another_leader_with_all_that_belongs_to_it() {
    let cluster = Cluster::new();
    let (eu, us, _replication) = world(&cluster);
    let id = format!("{}/3", session(Duration::ZERO));
    let context = eu.put("/v1/data/c/k", "1").context().to_owned();
    let state = eu.shard();
    let headers = [
        ("anabranch-context", context.as_str()),
        ("idempotency-key", id.as_str()),
        ("anabranch-ack", "regions:2"),
        ("x-request-id", "my-id.7"),
        ("content-type", "application/json; charset=utf-8"),
    ];
    let answered = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| send(&eu, "PUT", "/v1/data/c/k?return=none", &headers, r#"{"a": 1}"#));
        let mut stream = us.accept();
        let asked = stream.asked();
        let http = http(&asked);
        assert_eq!((http.method.as_str(), http.target.as_str()), ("PUT", "/v1/data/c/k?return=none"));
        assert_eq!(http.body, br#"{"a": 1}"#);
        for (name, value) in headers.into_iter().take(4) {
            assert_eq!(header(http, name), Some(value));
        }
        let body = r#"{"code":"rejected","instance":"my-id.7"}"#;
        stream.answer(&asked, shown(422, body));
        waiting.join().expect("no panic")
    });
    assert_eq!((answered.status, answered.served_by()), (422, "us"));
    assert_eq!(
        (answered.json()["code"].as_str(), answered.header("x-request-id")),
        (Some("rejected"), Some("my-id.7"))
    );
    assert_eq!(eu.shard(), state);
}

#[test]
fn what_a_client_piles_up_breaks_no_stream() {
    let cluster = Cluster::new();
    let (eu, us, _replication) = world(&cluster);
    let token = far().encode("shop");
    let many = vec![("anabranch-token", token.as_str()); 80];
    let long = "x".repeat(20_000);
    let headers = [&many[..], &[("content-type", &format!("application/json; {long}")), ("x-request-id", &long)]];
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| eu.send("PUT", "/v1/data/c/k", &headers.concat(), "1"));
        let mut stream = us.accept();
        let asked = stream.asked();
        assert_eq!(http(&asked).headers.len(), 2);
        stream.answer(&asked, shown(200, "{}"));
        assert_eq!(waiting.join().expect("no panic").status, 200);
    });
    send(&eu, "GET", &format!("/v1/data/c?limit={}1", "0".repeat(20_000)), &[], "").problem_of(400, "bad-request");
    send(&eu, "PUT", "/v1/data/c/k", &[("anabranch-context", &long)], "1").problem_of(400, "bad-context");
    let twice = [("anabranch-context", "A"), ("anabranch-context", "A")];
    send(&eu, "PUT", "/v1/data/c/k", &twice, "1").problem_of(400, "bad-context");
}

#[test]
fn what_is_said_of_a_node_is_said_by_itself() {
    let cluster = Cluster::new();
    let (eu, _us, _replication) = world(&cluster);
    let status = send(&eu, "GET", "/v1/status", &[("anabranch-wait", "100ms")], "");
    status.problem_of(504, "token-not-reached");
    assert_eq!(status.served_by(), "eu");
    let fail = [("anabranch-wait", "100ms"), ("anabranch-fallback", "fail")];
    assert_eq!(send(&eu, "GET", "/v1/data/c/k", &fail, "").served_by(), "eu");
}

#[test]
fn a_node_that_cannot_be_asked_costs_no_more_than_the_time_that_was_given() {
    let cluster = Cluster::new();
    let (eu, _us, _replication) = world(&cluster);
    for method in ["GET", "PUT"] {
        let started = Instant::now();
        // It does not take the stream: what is asked is never sent, so nothing is written.
        let answer = send(&eu, method, "/v1/data/c/k", &[("anabranch-wait", "200ms")], "1");
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        answer.problem_of(504, "token-not-reached");
        assert_eq!(answer.served_by(), "eu");
    }
}

#[test]
fn whether_an_unanswered_write_took_effect_is_said_to_be_unknown() {
    let cluster = Cluster::new();
    let (eu, us, _replication) = world(&cluster);
    let wait = [("anabranch-wait", "200ms")];
    let mut stream = None;
    for (method, status, code) in [("GET", 504, "token-not-reached"), ("PUT", 503, "not-writable")] {
        let started = Instant::now();
        let answer = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| send(&eu, method, "/v1/data/c/k", &wait, "1"));
            let stream = stream.get_or_insert_with(|| us.accept());
            stream.asked();
            waiting.join().expect("no panic")
        });
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        let problem = answer.problem_of(status, code);
        assert_eq!(answer.served_by(), "eu");
        if method == "PUT" {
            assert_eq!((&problem["reason"], &problem["outcome"]), (&json!("leader"), &json!("unknown")));
        }
    }
}

#[test]
fn a_node_that_has_too_much_to_do_says_so() {
    let cluster = Cluster::new();
    let (eu, us, _replication) = world(&cluster);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| send(&eu, "PUT", "/v1/data/c/k", &[], "1"));
        let mut stream = us.accept();
        let asked = stream.asked();
        let (code, detail) = ("too-many-requests".to_owned(), "too much".to_owned());
        stream.answer(&asked, Answer::Problem(Problem { code, detail, more: String::new() }));
        let refused = waiting.join().expect("no panic");
        refused.problem_of(429, "too-many-requests");
        assert_eq!(refused.header("retry-after"), Some("1"));
    });
}

#[test]
fn when_the_nearest_gives_up_the_next_is_asked() {
    let cluster = Cluster::new();
    let (eu, us, _replication) = world(&cluster);
    let (ap, _other_replication) = having(&cluster, "ap", &eu);
    let gave_up = AtomicBool::new(false);
    let serve = |wire: &Wire<'_>| {
        let mut stream = wire.accept();
        if !gave_up.swap(true, Ordering::SeqCst) {
            return wire.connection.close(1, "the node stops");
        }
        let asked = stream.asked();
        stream.answer(&asked, shown(200, "{}"));
    };
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| send(&eu, "GET", "/v1/data/c/k", &[("anabranch-wait", "2s")], ""));
        scope.spawn(|| serve(&us));
        scope.spawn(|| serve(&ap));
        assert_eq!(reading.join().expect("no panic").body, "{}");
    });
}

/// A stream on which a peer passes requests on, as nodes open it.
fn as_peer<'c>(cluster: &'c Cluster, name: &str, node: &Running<'_>) -> (Wire<'c>, Stream<'c>, Stream<'c>) {
    let (wire, replication) = Wire::leader(cluster, name, node);
    let requests = wire.open(Role::Client);
    (wire, replication, requests)
}

fn passed_on(method: &str, body: &str) -> Ask {
    let token = far().encode("shop").into_bytes();
    let headers = vec![("anabranch-token".to_owned(), token), ("anabranch-fallback".to_owned(), b"forward".to_vec())];
    let (method, target) = (method.to_owned(), "/v1/data/c/k".to_owned());
    Ask::Http(Http { method, target, headers, body: body.as_bytes().to_vec() })
}

fn status(answer: &Answer) -> u16 {
    let Answer::Http { status, .. } = answer else { panic!("no HTTP answer: {answer:?}") };
    *status
}

#[test]
fn what_was_passed_on_is_not_passed_on_again() {
    let cluster = Cluster::new();
    let (eu, us, _replication) = world(&cluster);
    let (_ap, _other_replication, mut requests) = as_peer(&cluster, "ap", &eu);
    let native = [get("c", "k"), write(vec![put("k", json!(1))])];
    for ask in [passed_on("GET", ""), passed_on("PUT", "1")].into_iter().chain(native) {
        let reply = requests.ask(Request { token: far(), wait_ms: 50, ..request(ask.clone()) });
        assert_eq!(reply.by, "eu");
        match ask {
            Ask::Http(_) => assert_eq!(status(&reply.answer), 504),
            _ => drop(problem(&reply, "token-not-reached")),
        }
    }
    // Though there is one that would be asked.
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| send(&eu, "GET", "/v1/data/c/k", &[], ""));
        let mut stream = us.accept();
        let asked = stream.asked();
        assert_eq!(http(&asked).headers.len(), 2, "it is the first");
        stream.answer(&asked, shown(200, "{}"));
        assert_eq!(reading.join().expect("no panic").served_by(), "us");
    });
}

#[test]
fn a_follower_takes_no_write_that_was_passed_on() {
    let cluster = Cluster::new();
    let peers = [peer("us", "us", None), peer("ap", "ap", None)];
    let follower = cluster.follower("eu", "eu-2", "us", &peers);
    let (us, _replication) = Wire::leader(&cluster, "us", &follower);
    let (_ap, _other_replication, mut requests) = as_peer(&cluster, "ap", &follower);
    let reply = requests.ask(request(passed_on("PUT", "1")));
    assert_eq!(status(&reply.answer), 503);
    let more = problem(&requests.ask(request(write(vec![put("k", json!(1))]))), "not-writable");
    assert_eq!((&more["reason"], &more["outcome"]), (&json!("leader"), &json!("none")));
    // A client's it does pass on.
    std::thread::scope(|scope| {
        let writing = scope.spawn(|| follower.put("/v1/data/c/k", "1"));
        let mut stream = us.accept();
        let asked = stream.asked();
        assert_eq!(http(&asked).method, "PUT");
        stream.answer(&asked, shown(200, "{}"));
        assert_eq!(writing.join().expect("no panic").served_by(), "us");
    });
}

#[test]
fn two_followers_of_each_other_send_nothing_in_circles() {
    let cluster = Cluster::new();
    let two = cluster.follower("eu", "two", "one", &[peer("eu", "one", None)]);
    let one = cluster.follower("eu", "one", "two", &[peer("eu", "two", Some(two.quic()))]);
    two.until_connected("one");
    one.until_connected("two");
    let started = Instant::now();
    for (node, other) in [(&one, "two"), (&two, "one")] {
        let refused = node.send("PUT", "/v1/data/c/k", &[("anabranch-wait", "30s")], "1");
        assert_eq!(refused.problem_of(503, "not-writable")["outcome"], "none");
        assert_eq!(refused.served_by(), other);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}
