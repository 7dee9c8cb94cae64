//! The conflict inbox over HTTP, between three regions.

use crate::support::cluster::{Cluster, Running, peer, until};
use crate::support::feed::Feed;
use crate::support::{Answer, Server, session};
use anabranch::transport::WanLink;
use anabranch_server::HttpConfig;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

/// Three regions that know each other, and the links between them.
struct World<'c> {
    nodes: [Running<'c>; 3],
    links: [WanLink; 3],
}

impl<'c> World<'c> {
    fn start(cluster: &'c Cluster) -> Self {
        let eu = cluster.leader("eu", &[peer("us", "us", None), peer("ap", "ap", None)]);
        let us_eu = cluster.link(&eu);
        let us = cluster.leader("us", &[peer("eu", "eu", Some(us_eu.addr())), peer("ap", "ap", None)]);
        let (ap_eu, ap_us) = (cluster.link(&eu), cluster.link(&us));
        let peers = [peer("eu", "eu", Some(ap_eu.addr())), peer("us", "us", Some(ap_us.addr()))];
        let ap = cluster.leader("ap", &peers);
        let world = Self { nodes: [eu, us, ap], links: [us_eu, ap_eu, ap_us] };
        let [eu, us, ap] = &world.nodes;
        for (node, others) in [(eu, ["us", "ap"]), (us, ["eu", "ap"]), (ap, ["eu", "us"])] {
            others.iter().for_each(|other| node.until_connected(other));
        }
        eu.declare("docs", "escalate");
        world.until_equal();
        world
    }

    fn until_equal(&self) {
        let [eu, us, ap] = &self.nodes;
        eu.until_equal(us);
        us.until_equal(ap);
        ap.until_equal(eu);
    }

    /// Lets all act while none hears of the others, and then lets them meet.
    fn apart<T>(&self, act: impl FnOnce() -> T) -> T {
        self.links.iter().for_each(WanLink::cut);
        let done = act();
        self.links.iter().for_each(WanLink::heal);
        self.until_equal();
        done
    }

    /// Two regions give a key two values at once; the conflict that this makes.
    fn disagree(&self, key: &str) -> Value {
        let path = format!("/v1/data/docs/{key}");
        self.apart(|| {
            self.nodes[0].put(&path, r#""one""#).ok();
            self.nodes[1].put(&path, r#""two""#).ok();
        });
        open(&self.nodes[2], "").into_iter().find(|conflict| conflict["key"] == key).expect("a conflict")
    }
}

fn open(node: &Running<'_>, query: &str) -> Vec<Value> {
    let page = node.get(&format!("/v1/conflicts{query}")).ok();
    page["conflicts"].as_array().expect("conflicts").clone()
}

fn id(conflict: &Value) -> &str {
    conflict["conflict"].as_str().expect("an id")
}

fn path(conflict: &Value) -> String {
    format!("/v1/conflicts/{}", id(conflict))
}

fn post(node: &Running<'_>, path: &str, body: &Value) -> Answer {
    node.send("POST", path, &[], &body.to_string())
}

fn values(conflict: &Value) -> Vec<Value> {
    let mut values: Vec<Value> =
        conflict["options"].as_array().expect("options").iter().map(|option| option["value"].clone()).collect();
    values.sort_by_key(Value::to_string);
    values
}

#[test]
fn two_regions_disagree_and_a_person_in_the_third_decides() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    let nodes = &world.nodes;
    world.apart(|| {
        nodes[0].put("/v1/data/docs/readme", r#""one""#).ok();
        nodes[1].put("/v1/data/docs/readme", r#"{"two":2}"#).ok();
    });
    let conflicts = open(&nodes[2], "?collection=docs&limit=10");
    let [conflict] = &conflicts[..] else { panic!("{conflicts:?}") };
    for node in nodes {
        assert_eq!(open(node, ""), conflicts, "the same everywhere");
        assert_eq!(node.get(&path(conflict)).ok(), *conflict);
        assert_eq!(node.status()["conflicts_open"], 1);
        assert_eq!(node.get("/v1/data/docs/readme").ok()["conflicts"], 1);
    }
    let keys: Vec<&String> = conflict.as_object().expect("an object").keys().collect();
    assert_eq!(keys, ["collection", "conflict", "key", "options", "since"]);
    assert_eq!((&conflict["collection"], &conflict["key"]), (&json!("docs"), &json!("readme")));
    let options = conflict["options"].as_array().expect("options");
    let from_us = options.iter().find(|option| option["region"] == "us").expect("an option");
    assert_eq!((&from_us["value"], &from_us["by"]), (&json!({"two": 2}), &json!("us")));
    assert!(from_us["at"].as_str().is_some_and(|at| at.ends_with('Z')));

    let decision = json!({"keep": [from_us["option"]], "by": "ann", "note": "says more"});
    let written = post(&nodes[2], &path(conflict), &decision);
    assert!(!written.context().is_empty());
    let written = written.ok();
    assert_eq!(written["value"], json!({"two": 2}));
    assert!(written["dot"].as_str().is_some_and(|dot| dot.starts_with("0:")));
    world.until_equal();
    for node in nodes {
        assert_eq!(open(node, ""), Vec::<Value>::new());
        node.get(&path(conflict)).problem_of(404, "no-such-conflict");
        let page = node.get("/v1/conflicts/history?collection=docs&key=readme").ok();
        let history = page["history"].as_array().expect("a history");
        assert_eq!((history.len(), &page["next"]), (1, &Value::Null));
        let past = &history[0];
        assert_eq!((&past["by"], &past["note"], &past["region"]), (&json!("ann"), &json!("says more"), &json!("ap")));
        assert_eq!((&past["conflict"], &past["keep"]), (&conflict["conflict"], &json!([from_us["option"]])));
        let again = post(node, &path(conflict), &json!({"value": 3})).problem_of(409, "already-resolved");
        assert_eq!(again["outcome"], json!(history), "who decides too late hears what was decided");
        assert_eq!(node.status()["conflicts_open"], 0);
        let metrics = node.get("/metrics").body;
        assert!(metrics.contains("anabranch_conflicts_open{collection=\"docs\"} 0"), "{metrics}");
    }
}

#[test]
fn two_people_who_decide_differently_at_once_have_a_conflict_again_and_those_who_agree_none() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    let nodes = &world.nodes;
    for (key, decisions) in [("differ", ["x", "y"]), ("agree", ["x", "x"])] {
        let conflict = world.disagree(key);
        world.apart(|| {
            for (node, value) in nodes.iter().zip(decisions) {
                let by = node.name();
                post(node, &path(&conflict), &json!({"value": value, "by": by, "note": "in haste"})).ok();
            }
        });
        let again: Vec<Value> = open(&nodes[2], "").into_iter().filter(|conflict| conflict["key"] == key).collect();
        let history = nodes[2].get(&format!("/v1/conflicts/history?collection=docs&key={key}")).ok();
        let decided: Vec<&Value> =
            history["history"].as_array().expect("a history").iter().map(|past| &past["by"]).collect();
        assert_eq!(decided.len(), 2, "both are kept: {history}");
        if key == "agree" {
            assert_eq!(again, Vec::<Value>::new(), "options of equal value are one");
            continue;
        }
        let [again] = &again[..] else { panic!("{again:?}") };
        assert_ne!(again["conflict"], conflict["conflict"]);
        assert_eq!(values(again), [json!("x"), json!("y")], "both outcomes are options");
        for node in nodes {
            let outcome = post(node, &path(&conflict), &json!({"value": 0})).problem_of(409, "already-resolved");
            assert_eq!(outcome["outcome"].as_array().map(Vec::len), Some(2), "{outcome}");
        }
        post(&nodes[2], &path(again), &json!({"keep": [again["options"][1]["option"]]})).ok();
        world.until_equal();
        let read = nodes.iter().map(|node| node.get(&format!("/v1/data/docs/{key}")).ok());
        assert!(read.into_iter().all(|read| read["value"] == again["options"][1]["value"] && read["conflicts"] == 0));
    }
}

#[test]
fn what_arrived_since_stays_beside_and_its_conflict_is_named() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    let nodes = &world.nodes;
    let before = world.disagree("k");
    // One decides, another writes without having heard of it: without a context it joins what stands in conflict.
    world.apart(|| {
        post(&nodes[0], &path(&before), &json!({"value": "decided"})).ok();
        nodes[2].put("/v1/data/docs/k", r#""three""#).ok();
    });
    let now = open(&nodes[1], "").remove(0);
    assert_ne!(now["conflict"], before["conflict"]);
    assert_eq!(values(&now), [json!("decided"), json!("three")], "what came beside stays");

    nodes[1].put("/v1/data/docs/k", r#""four""#).ok();
    world.until_equal();
    let changed = open(&nodes[1], "").remove(0);
    let stale = json!({"keep": [now["options"][0]["option"]]});
    for node in nodes {
        let told = post(node, &path(&now), &stale).problem_of(409, "conflict-changed");
        assert_eq!(told["conflict"], changed["conflict"], "{}", node.name());
    }
    let kept = json!({"keep": [changed["options"][0]["option"], changed["options"][1]["option"]]});
    post(&nodes[0], &path(&changed), &kept).ok();
    let left = open(&nodes[0], "").remove(0);
    assert_ne!(left["conflict"], changed["conflict"], "two of three were kept: they are in conflict");
    assert_eq!(left["options"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_decision_sent_again_elsewhere_takes_effect_once() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    let nodes = &world.nodes;
    for key in ["before", "after"] {
        let conflict = world.disagree(key);
        let session = session(Duration::ZERO);
        let body = json!({"value": "three", "by": "ann"}).to_string();
        let send = |node: &Running<'_>| node.send("POST", &path(&conflict), &[("idempotency-key", &session)], &body);
        let first = send(&nodes[0]).ok();
        if key == "after" {
            world.until_equal();
        }
        // At once, the other may not have heard of it; later, it has.
        let second = send(&nodes[1]).ok();
        assert_eq!(second["value"], "three");
        assert_eq!(second["repeated"] == true, key == "after" || second["dot"] == first["dot"], "{second}");
        world.until_equal();
        let third = send(&nodes[2]).ok();
        assert_eq!(third["repeated"], true);
        for node in nodes {
            assert_eq!(node.get(&format!("/v1/data/docs/{key}")).ok()["value"], "three");
            let history = node.get(&format!("/v1/conflicts/history?collection=docs&key={key}")).ok();
            assert_eq!(history["history"].as_array().map(Vec::len), Some(1), "one decision: {history}");
        }
        assert_eq!(open(&nodes[1], ""), Vec::<Value>::new());
    }
    let other = json!({"value": "four"}).to_string();
    let conflict = nodes[0].get("/v1/conflicts/history").ok()["history"][0]["conflict"].as_str().map(str::to_owned);
    let path = format!("/v1/conflicts/{}", conflict.expect("an id"));
    let session = session(Duration::ZERO);
    let headers = [("idempotency-key", session.as_str())];
    nodes[1].send("POST", &path, &headers, &other).problem_of(409, "already-resolved");
}

#[test]
fn a_follower_passes_a_decision_on() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("eu", "copy", None)]);
    let follower = cluster.follower("eu", "copy", "eu", &[peer("eu", "eu", Some(eu.quic()))]);
    follower.until_connected("eu");
    eu.declare("docs", "keep-all");
    let context = anabranch::Context::default().encode("docs", "k");
    let put = |value| eu.send("PUT", "/v1/data/docs/k", &[("anabranch-context", &context)], value);
    put("1").ok();
    let token = put("2").token().to_owned();
    let seen = follower.send("GET", "/v1/conflicts", &[("anabranch-token", &token), ("anabranch-wait", "10s")], "");
    let conflict = seen.ok()["conflicts"][0].clone();
    let decision = json!({"value": [3]}).to_string();
    let headers = [("anabranch-ack", "follower"), ("anabranch-wait", "10s")];
    let decided = follower.send("POST", &path(&conflict), &headers, &decision);
    assert_eq!((decided.served_by(), &decided.json()["value"]), ("eu", &json!([[3]])));
    let read = follower.send("GET", "/v1/data/docs/k", &[("anabranch-token", decided.token())], "");
    assert_eq!(read.ok()["value"], json!([[3]]));
}

/// Several versions of each key, of one node: written without having seen the others.
fn disagree(server: &Server, collection: &str, keys: usize) {
    for key in 0..keys {
        let key = format!("k{key:02}");
        let context = anabranch::Context::default().encode(collection, &key);
        for value in ["1", "2"] {
            let path = format!("/v1/data/{collection}/{key}");
            assert_eq!(server.send("PUT", &path, &[("anabranch-context", &context)], value).status, 200);
        }
    }
}

#[test]
fn pages_go_through_the_inbox_and_what_is_wrong_is_said() {
    let server = Server::start();
    server.declare("a", "keep-all");
    server.declare("b", "escalate");
    server.declare("quiet", "lww");
    disagree(&server, "b", 7);
    disagree(&server, "a", 5);
    disagree(&server, "quiet", 5);
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/v1/conflicts?limit=5{after}")).ok();
        let conflicts = page["conflicts"].as_array().expect("conflicts");
        assert!(conflicts.len() <= 5);
        found.extend(conflicts.iter().map(|found| format!("{}/{}", found["collection"], found["key"])));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    let all = [("a", 5), ("b", 7)];
    let all = all.iter().flat_map(|(name, keys)| (0..*keys).map(move |key| format!("\"{name}\"/\"k{key:02}\"")));
    assert_eq!(found, all.collect::<Vec<_>>());
    assert_eq!(server.get("/v1/status").ok()["conflicts_open"], 12);
    let metrics = server.get("/metrics").body;
    for line in ["anabranch_conflicts_open{collection=\"a\"} 5", "anabranch_conflicts_open{collection=\"b\"} 7"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    assert!(!metrics.contains("collection=\"quiet\""));
    assert!(metrics.contains("anabranch_conflicts_open_more 0"));

    for bad in ["?limit=0", "?limit=1001", "?after=!", "?collection=_resolutions", "?nope=1"] {
        server.get(&format!("/v1/conflicts{bad}")).problem(400, "bad-request");
    }
    for bad in ["?key=k", "?collection=a&key=", "?after=%21", "?limit=x"] {
        server.get(&format!("/v1/conflicts/history{bad}")).problem(400, "bad-request");
    }
    server.get("/v1/conflicts?collection=none").problem(404, "no-such-collection");
    let unknown = "/v1/conflicts/00000000000000000000000000000000";
    for path in [unknown, "/v1/conflicts/nope", "/v1/conflicts/ABCDEF00000000000000000000000000"] {
        server.get(path).problem(404, "no-such-conflict");
        server.post(path, r#"{"value":1}"#).problem(404, "no-such-conflict");
    }
    let path = format!(
        "/v1/conflicts/{}",
        server.get("/v1/conflicts?limit=1").ok()["conflicts"][0]["conflict"].as_str().expect("an id")
    );
    let state = server.state();
    for bad in
        ["{}", "[]", r#"{"keep":[],"value":1}"#, r#"{"keep":"x"}"#, r#"{"value":1,"by":""}"#, r#"{"value":1,"x":1}"#]
    {
        server.post(&path, bad).problem(400, "bad-request");
    }
    server.post(&path, r#"{"keep":["none"]}"#).problem(422, "rejected");
    server.post(&path, r#"{"keep":[]}"#).problem(422, "rejected");
    assert_eq!(server.state(), state, "what is refused changes nothing");
    let short = server.post(&format!("{path}?return=none"), r#"{"value":[1,2]}"#).ok();
    assert_eq!(short.get("value"), None);
}

#[test]
fn a_conflict_in_a_field_says_which_and_maps_count_fields() {
    let cluster = Cluster::new();
    let world = World::start(&cluster);
    let nodes = &world.nodes;
    let fields = r#"{"resolver":"map","fields":{"body":"escalate","tags":"keep-all"}}"#;
    assert_eq!(nodes[0].put("/v1/collections/articles", fields).status, 201);
    world.until_equal();
    world.apart(|| {
        for node in &nodes[..2] {
            let set = json!({"set": {"body": node.name(), "tags": [node.name()], "title": node.name()}});
            post(node, "/v1/data/articles/a", &set).ok();
        }
    });
    assert_eq!(nodes[2].get("/v1/data/articles/a").ok()["conflicts"], 2, "fields in conflict, of three that differ");
    let conflicts = open(&nodes[2], "?collection=articles");
    let fields: Vec<&Value> = conflicts.iter().map(|conflict| &conflict["field"]).collect();
    assert_eq!(fields, [&json!("body"), &json!("tags")]);
    let decided = post(&nodes[2], &path(&conflicts[0]), &json!({"value": "ours"})).ok();
    assert_eq!(decided["value"]["body"], "ours");
    world.until_equal();
    assert_eq!(nodes[0].get("/v1/data/articles/a").ok()["conflicts"], 1);
    assert_eq!(open(&nodes[0], "").len(), 1);
}

#[test]
fn the_inbox_is_a_stream() {
    let mut server = Server::with(HttpConfig { heartbeat: Duration::from_millis(50), ..HttpConfig::default() });
    server.declare("a", "escalate");
    disagree(&server, "a", 2);
    let mut feed = Feed::open_at(server.addr, "/v1/conflicts?collection=a", &[EVENTS]);
    let mut told: Vec<Value> = (0..2).map(|_| feed.next_but_heartbeats()).collect();
    assert!(told.iter().all(|event| event["event"] == "conflict" && event["options"].is_array()), "{told:?}");
    told.sort_by_key(|event| event["key"].to_string());
    let heartbeat = feed.event().expect("it goes on");
    assert_eq!(heartbeat["event"], "heartbeat");

    let id = told[0]["conflict"].as_str().expect("an id").to_owned();
    let decided = server.post(&format!("/v1/conflicts/{id}"), r#"{"value":3,"by":"ann"}"#).ok();
    assert_eq!(decided["value"], 3);
    let ended = feed.next_but_heartbeats();
    assert_eq!((&ended["event"], &ended["conflict"], &ended["key"]), (&json!("resolved"), &json!(id), &json!("k00")));
    assert_eq!((&ended["outcome"][0]["by"], &ended["outcome"][0]["value"]), (&json!("ann"), &json!(3)));
    let token = ended["token"].as_str().expect("a token");
    let read = server.send("GET", "/v1/data/a/k00", &[("anabranch-token", token)], "").ok();
    assert_eq!(read["value"], 3, "the token covers what was told");
    disagree(&server, "a", 1);
    assert_eq!(feed.next_but_heartbeats()["event"], "conflict");
    let started = Instant::now();
    server.stop();
    while feed.event().is_some() {}
    assert!(started.elapsed() < Duration::from_secs(5), "it ends when the node stops");
    server.database.close();
    until("closed", || server.database.is_closed());
}

#[test]
fn only_so_many_read_the_inbox_at_a_time() {
    let server = Server::with(HttpConfig { max_readers: 1, ..HttpConfig::default() });
    let feed = Feed::open_at(server.addr, "/v1/conflicts", &[EVENTS]);
    server.send("GET", "/v1/conflicts", &[EVENTS], "").problem(429, "too-many-requests");
    drop(feed);
    until("there is room again", || {
        let metrics = server.get("/metrics").body;
        metrics.contains("anabranch_change_readers 0")
    });
}
