//! The native protocol: what clients ask over QUIC, and what they are told.

use crate::support::ask::{FAR, far, get, operate, page, problem, put, request, scan, value, write, written};
use crate::support::cluster::{Cluster, peer, until};
use crate::support::session;
use crate::support::wire::{Stream, Wire};
use anabranch::{Change, Context, Kind, Operation, SessionId, ShardId, Token, Write, resolvers::Member};
use anabranch_protocol::{AckLevel, Answer, Ask, Described, Request, Role, Standing};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn standing(stream: &mut Stream<'_>) -> Standing {
    let reply = stream.ask(request(Ask::Standing));
    let Answer::Standing(standing) = reply.answer else { panic!("no standing: {reply:?}") };
    standing
}

fn vector(token: &Token) -> Value {
    let entries = token.vector(ShardId(0)).expect("a vector").iter();
    entries.map(|(origin, seq)| (origin.to_string(), Value::from(seq))).collect::<serde_json::Map<_, _>>().into()
}

#[test]
fn a_node_says_how_it_stands() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("eu", "copy", None)]);
    let follower = cluster.follower("eu", "copy", "eu", &[peer("eu", "eu", Some(eu.quic()))]);
    follower.until_connected("eu");
    eu.declare("c", "lww");
    eu.until_equal(&follower);
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    assert_eq!((stream.node.node.as_str(), stream.node.role), ("eu", Role::Leader));
    let of_leader = standing(&mut stream);
    assert_eq!((of_leader.region.as_str(), of_leader.role, of_leader.lagging), ("eu", Role::Leader, false));
    assert_eq!(of_leader.behind_ms, Some(0), "nobody else writes");
    let (_other, mut other) = Wire::client(&cluster, &follower);
    until("the follower knows how old what it shows may be", || standing(&mut other).behind_ms.is_some());
    let of_follower = standing(&mut other);
    assert_eq!((of_follower.role, of_follower.vector), (Role::Follower, of_leader.vector));
    // At once, whatever the token; which the answer's covers.
    let started = Instant::now();
    let reply = stream.ask(Request { token: far(), wait_ms: 30_000, ..request(Ask::Standing) });
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(vector(&reply.token)["000000000000abcd"], 7);
}

#[test]
fn what_is_written_is_shown_as_over_http() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let declare = Change::Declare { collection: "c".into(), kind: Kind::REGISTER, resolver: "keep-all".into() };
    assert_eq!(written(&stream.ask(request(write(vec![declare])))).shown, None);
    let members = vec![Member::from_json(json!("x")).expect("a member")];
    for change in [
        put("k", json!({"a": [1, "ä"]})),
        operate("likes", Kind::G_COUNTER, "k", Operation::Add(3)),
        operate("tags", Kind::OR_SET, "k", Operation::AddMembers(members)),
    ] {
        let Change::Operate { collection, .. } = &change else { unreachable!() };
        let path = format!("/v1/data/{collection}/k");
        let reply = stream.ask(request(write(vec![change.clone()])));
        let (written, http) = (written(&reply), eu.get(&path));
        assert_eq!((reply.by.as_str(), written.repeated, written.incomplete), ("eu", false, false));
        assert_eq!(reply.token.encode("shop"), http.token());
        assert_eq!(vector(&reply.token)[written.dot.origin.to_string()], written.dot.seq);
        let shown = written.shown.expect("a value");
        assert_eq!(serde_json::from_str::<Value>(&shown.json).expect("JSON"), http.json()["value"]);
        assert_eq!(shown.context.as_deref(), http.header("anabranch-context"));
        assert_eq!(value(&stream.ask(request(get(collection, "k")))), Some(shown));
    }
    assert_eq!(value(&stream.ask(request(get("c", "none")))), None);
    let hidden = Write { changes: vec![put("k", json!(1))], key: None };
    let reply = stream.ask(request(Ask::Write { write: hidden, ack: AckLevel::Local, show: false }));
    assert_eq!(written(&reply).shown, None);
    collections_are_listed(&mut stream);
}

fn collections_are_listed(stream: &mut Stream<'_>) {
    let reply = stream.ask(request(Ask::Collections));
    let expected =
        [("c", "keep-all", Kind::REGISTER), ("likes", "g-counter", Kind::G_COUNTER), ("tags", "or-set", Kind::OR_SET)];
    let expected = expected.map(|(name, resolver, kind)| {
        let (name, resolver) = (name.to_owned(), resolver.to_owned());
        Described { name, resolver, kind: kind.0 }
    });
    assert_eq!(reply.answer, Answer::Collections(expected.to_vec()));
}

#[test]
fn pages_follow_each_other() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let changes = (0..50).map(|n| put(&format!("k{n:02}"), json!(n))).chain([put("other", json!(0))]).collect();
    stream.ask(request(write(changes)));
    let first = page(stream.ask(request(scan("k", None, 20))));
    assert_eq!((first.items.len(), first.next.as_deref(), first.resolver.as_str()), (20, Some("k19"), "lww"));
    let second = page(stream.ask(request(scan("k", first.next.as_deref(), 1_000))));
    assert_eq!((second.items.len(), second.next.as_deref()), (30, None));
    let (key, shown) = &second.items[0];
    assert_eq!((key.as_str(), shown.json.as_str()), ("k20", "20"));
    assert!(shown.context.is_some());
}

#[test]
fn a_context_supersedes_and_a_session_counts_once() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "keep-all");
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let first = written(&stream.ask(request(write(vec![put("k", json!(1))]))));
    let context = first.shown.and_then(|shown| shown.context).expect("a context");
    let context = Context::decode(&context, "c", "k").expect("a context");
    let mut with = |value: i64| {
        let operation = Operation::Put(value.into());
        let (collection, key) = ("c".to_owned(), "k".to_owned());
        let context = Some(context.clone());
        let change = Change::Operate { collection, kind: Kind::REGISTER, key, operation, context };
        written(&stream.ask(request(write(vec![change])))).shown.expect("a value").json
    };
    assert_eq!((with(2), with(3)), ("[2]".to_owned(), "[2,3]".to_owned()));
    let id: SessionId = session(Duration::ZERO).parse().expect("an id");
    let mut add = |n| {
        let changes = vec![operate("likes", Kind::G_COUNTER, "p", Operation::Add(n))];
        let ask = Ask::Write { write: Write { changes, key: Some((id, 1)) }, ack: AckLevel::Local, show: true };
        stream.ask(request(ask))
    };
    let (first, again) = (written(&add(1)), written(&add(1)));
    assert_eq!((first.repeated, again.repeated, again.dot), (false, true, first.dot));
    assert_eq!(again.shown.expect("a value").json, "1");
    problem(&add(2), "idempotency-key-reused");
}

#[test]
fn what_http_refuses_is_refused_with_the_same_code() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    eu.declare("likes", "g-counter");
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let state = eu.shard();
    let add = |n| write(vec![operate("likes", Kind::G_COUNTER, "p", Operation::Add(n))]);
    let named = |name: &str| write(vec![operate(name, Kind::REGISTER, "k", Operation::Put(json!(1)))]);
    let declare = |resolver: &str| {
        let (collection, resolver) = ("likes".to_owned(), resolver.to_owned());
        write(vec![Change::Declare { collection, kind: Kind::CART, resolver }])
    };
    let ack = |level| {
        let changes = vec![put("k", json!(1))];
        Ask::Write { write: Write { changes, key: None }, ack: level, show: false }
    };
    let old: SessionId = session(Duration::from_secs(8 * 24 * 3600)).parse().expect("an id");
    let expired = Write { changes: vec![put("k", json!(1))], key: Some((old, 1)) };
    for (ask, code) in [
        (get("none", "k"), "no-such-collection"),
        (get("c~cart", "k"), "no-such-collection"),
        (get("../x", "k"), "bad-request"),
        (get("_sys", "k"), "bad-request"),
        (get("c", ".."), "bad-request"),
        (get("c", "a\u{0}b"), "bad-request"),
        (scan("", None, 0), "bad-request"),
        (scan("", None, 1_001), "bad-request"),
        (add(-1), "rejected"),
        (write(vec![operate("likes", Kind::G_COUNTER, "p", Operation::Delete)]), "not-supported"),
        (write(["a", "b", "d", "e"].map(|key| put(key, json!("x".repeat(900_000)))).to_vec()), "too-large"),
        (named("../x"), "bad-request"),
        (named("_resolvers"), "bad-request"),
        (named("c~cart"), "bad-request"),
        (write(vec![put("", json!(1))]), "bad-request"),
        (write(vec![]), "bad-request"),
        (declare("cart"), "resolver-mismatch"),
        (declare("nope"), "not-supported"),
        (ack(AckLevel::Regions(0)), "bad-request"),
        (ack(AckLevel::Regions(2)), "bad-request"),
        (ack(AckLevel::Follower), "bad-request"),
        (Ask::Write { write: expired, ack: AckLevel::Local, show: true }, "idempotency-key-expired"),
    ] {
        let what = format!("{ask:?}");
        let reply = stream.ask(request(ask));
        let Answer::Problem(problem) = &reply.answer else { panic!("{what:.80}: {reply:?}") };
        assert_eq!(problem.code, code, "{what:.80}: {problem:?}");
        assert_eq!((reply.by.as_str(), vector(&reply.token)), ("eu", state[0].clone()));
    }
    assert_eq!(eu.shard(), state);
}

#[test]
fn a_token_is_waited_for_and_told_in_time() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[]);
    eu.declare("c", "lww");
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    for ask in [get("c", "k"), scan("", None, 1), Ask::Collections, write(vec![put("k", json!(1))])] {
        let started = Instant::now();
        let reply = stream.ask(Request { token: far(), wait_ms: 100, ..request(ask) });
        assert!(started.elapsed() >= Duration::from_millis(100) && started.elapsed() < Duration::from_secs(5));
        let more = problem(&reply, "token-not-reached");
        assert_eq!(more["need"], json!([{"shard": 0, "version_vector": {"000000000000abcd": 7}}]));
        assert_eq!(more["have"][0]["version_vector"], eu.shard()[0]);
        assert_eq!(vector(&reply.token)["000000000000abcd"], 7);
    }
    // One that comes true meanwhile, while other answers go on.
    let dot = written(&stream.ask(request(write(vec![put("k", json!(1))])))).dot;
    let next = Token::of(ShardId(0), [(dot.origin, dot.seq + 1)].into_iter().collect());
    let waiting = stream.begin(Request { token: next, wait_ms: 20_000, ..request(get("c", "k")) });
    let writing = stream.begin(request(write(vec![put("k", json!(2))])));
    let replies = [stream.next().expect("an answer"), stream.next().expect("an answer")];
    let of = |id| replies.iter().find(|reply| reply.id == id).expect("answered");
    assert_eq!(written(of(writing)).dot.seq, dot.seq + 1);
    assert_eq!(value(of(waiting)).expect("a value").json, "2");
}

#[test]
fn freshness_and_acknowledgements_can_be_asked_for() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("eu", "copy", None)]);
    let link = cluster.link(&eu);
    let follower = cluster.follower("eu", "copy", "eu", &[peer("eu", "eu", Some(link.addr()))]);
    follower.until_connected("eu");
    eu.declare("c", "lww");
    eu.until_equal(&follower);
    let (_wire, mut at_leader) = Wire::client(&cluster, &eu);
    let (_other, mut at_follower) = Wire::client(&cluster, &follower);
    let fresh = |most| Request { max_lag_ms: Some(most), ..request(get("c", "k")) };
    assert_eq!(value(&at_leader.ask(fresh(0))), None, "nobody else writes");
    until("the follower is fresh", || matches!(at_follower.ask(fresh(5_000)).answer, Answer::Value { .. }));
    let acknowledged = |level, wait_ms| {
        let write = Write { changes: vec![put("k", json!(1))], key: None };
        Request { wait_ms, ..request(Ask::Write { write, ack: level, show: true }) }
    };
    for level in [AckLevel::Local, AckLevel::Follower, AckLevel::Regions(1), AckLevel::All] {
        written(&at_leader.ask(acknowledged(level, 20_000)));
    }
    link.cut();
    for level in [AckLevel::Follower, AckLevel::All] {
        let reply = at_leader.ask(acknowledged(level, 50));
        let more = problem(&reply, "ack-not-reached");
        assert_eq!((&more["written"], &more["acked"]), (&json!(true), &json!(["eu"])));
        assert!(more["dot"].as_str().is_some_and(|dot| dot.starts_with("0:")), "{more}");
    }
    until("the follower is old", || match at_follower.ask(fresh(200)).answer {
        Answer::Problem(problem) => problem.code == "stale",
        _ => false,
    });
    assert!(value(&at_follower.ask(request(get("c", "k")))).is_some(), "who does not care is shown what there is");
    link.heal();
    until("the follower is fresh again", || matches!(at_follower.ask(fresh(5_000)).answer, Answer::Value { .. }));
}

#[test]
fn a_follower_passes_native_writes_on() {
    let cluster = Cluster::new();
    let mut eu = cluster.leader("eu", &[peer("eu", "copy", None)]);
    let follower = cluster.follower("eu", "copy", "eu", &[peer("eu", "eu", Some(eu.quic()))]);
    follower.until_connected("eu");
    let (_wire, mut stream) = Wire::client(&cluster, &follower);
    let reply = stream.ask(request(write(vec![put("k", json!(1))])));
    assert_eq!((reply.by.as_str(), written(&reply).shown.expect("a value").json.as_str()), ("eu", "1"));
    let read = stream.ask(Request { token: reply.token, wait_ms: 20_000, ..request(get("c", "k")) });
    assert_eq!((read.by.as_str(), value(&read).expect("a value").json.as_str()), ("copy", "1"));
    let refused = stream.ask(request(write(vec![operate("n", Kind::G_COUNTER, "p", Operation::Add(-1))])));
    problem(&refused, "rejected");
    assert_eq!(refused.by, "eu");
    eu.stop();
    until("the leader is gone", || follower.peer("eu")["state"] == "connecting");
    let more = problem(&stream.ask(request(write(vec![put("k", json!(2))]))), "not-writable");
    assert_eq!((&more["reason"], &more["outcome"]), (&json!("leader"), &json!("none")));
}

#[test]
fn a_replica_that_has_it_answers_natively() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None)]);
    eu.declare("c", "lww");
    let (ap, mut replication) = Wire::leader(&cluster, "ap", &eu);
    replication.claim(&[FAR].into_iter().collect());
    let (_wire, mut stream) = Wire::client(&cluster, &eu);
    let mut passed_on = None;
    for ask in [get("c", "k"), scan("a", None, 3), Ask::Collections, write(vec![put("k", json!(1))])] {
        let asks = Request { token: far(), wait_ms: 400, max_lag_ms: Some(9), ..request(ask.clone()) };
        let id = stream.begin(asks);
        let passed_on = passed_on.get_or_insert_with(|| ap.accept());
        let asked = passed_on.asked();
        assert_eq!((&asked.ask, &asked.token, asked.forward, asked.max_lag_ms), (&ask, &far(), false, Some(9)));
        passed_on.answer(&asked, Answer::Collections(Vec::new()));
        let reply = stream.next().expect("an answer");
        assert_eq!((reply.id, reply.by.as_str(), reply.answer), (id, "fake", Answer::Collections(Vec::new())));
    }
    // Not for who does not want it.
    let only = Request { token: far(), wait_ms: 50, forward: false, ..request(get("c", "k")) };
    problem(&stream.ask(only), "token-not-reached");
}
