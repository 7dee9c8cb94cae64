//! Resolvers of one's own, on nodes that have them and nodes that do not; and collections that were given several.

use crate::support::cluster::{Cluster, Running, peer, until};
use anabranch::resolvers::Resolver;
use anabranch::resolvers::custom::{Custom, Merged, Surviving};
use anabranch_server::{Serve, ServerError};
use serde_json::{Value, json};
use std::sync::Arc;

/// Of concurrent numbers, the lower counts.
fn lowest() -> Arc<dyn Resolver> {
    Arc::new(Custom::new("lowest", |versions: &[Surviving]| {
        let lowest = versions.iter().filter_map(|version| version.value.as_i64()).min();
        lowest.map_or(Merged::Escalate, |number| Merged::Value(number.into()))
    }))
}

/// An empty context: a write that has seen nothing.
fn blind(collection: &str, key: &str) -> String {
    anabranch::Context::default().encode(collection, key)
}

fn parked(node: &Running<'_>) -> Value {
    node.status()["shards"][0]["parked"].clone()
}

#[test]
fn a_node_without_a_resolver_keeps_what_it_cannot_show_until_it_has_it() {
    let cluster = Cluster::new();
    let mut eu =
        cluster.serve(Serve::new(cluster.config("eu", "eu", "", &[peer("ap", "ap", None)])).resolver(lowest()));
    let to_eu = [peer("eu", "eu", Some(eu.quic()))];
    let mut ap = cluster.leader("ap", &to_eu);
    eu.declare("prices", "lowest");
    eu.declare("names", "lww");
    let context = blind("prices", "k");
    for price in ["30", "20", "25"] {
        let answer = eu.send("PUT", "/v1/data/prices/k", &[("anabranch-context", &context)], price);
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    eu.put("/v1/data/names/k", "1");
    assert_eq!(eu.get("/v1/data/prices/k").ok()["value"], 20);
    assert_eq!(parked(&eu), json!([]));

    // Without it: kept and passed on, not shown; all else goes on, in both directions.
    eu.until_equal(&ap);
    let reason = "resolver lowest is not known to this build";
    assert_eq!(parked(&ap), json!([{"collection": "prices", "reason": reason}]));
    assert!(ap.get("/metrics").body.contains("anabranch_parked{what=\"collection\"} 1"));
    for (method, path, body) in [
        ("GET", "/v1/data/prices/k", ""),
        ("GET", "/v1/data/prices", ""),
        ("GET", "/v1/explain/prices/k", ""),
        ("PUT", "/v1/data/prices/k", "1"),
    ] {
        let problem = ap.send(method, path, &[], body).problem_of(503, "parked");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(reason)), "{problem}");
    }
    assert_eq!(ap.get("/v1/collections/prices").ok()["resolver"], "lowest", "it says what is missing");
    assert_eq!(ap.get("/v1/data/names/k").ok()["value"], 1);
    ap.put("/v1/data/names/k2", "2");
    let answer = eu.send("PUT", "/v1/data/prices/k", &[("anabranch-context", &context)], "15");
    assert_eq!(answer.status, 200);
    eu.until_equal(&ap);
    assert_eq!(eu.get("/v1/data/names/k2").ok()["value"], 2);
    let refused = ap.put("/v1/collections/others", r#"{"resolver":"lowest"}"#);
    assert_eq!(refused.problem_of(422, "not-supported")["detail"].as_str().map(|d| d.contains("lowest")), Some(true));

    // With it: nothing has to be caught up with.
    ap.stop();
    let ap = cluster.serve(Serve::new(cluster.config("ap", "ap", "", &to_eu)).resolver(lowest()));
    assert_eq!(parked(&ap), json!([]));
    let read = ap.get("/v1/data/prices/k").ok();
    assert_eq!((&read["value"], &read["resolver"]), (&json!(15), &json!("lowest")));
    ap.until_connected("eu");
    eu.until_equal(&ap);
    assert_eq!(ap.put("/v1/data/prices/k", "50").json()["value"], 50, "a write that has seen all counts alone");
    eu.until_equal(&ap);
    assert_eq!(eu.get("/v1/data/prices/k").ok()["value"], 50);
    eu.stop();
}

#[test]
fn a_name_that_is_taken_is_refused_before_anything_is_touched() {
    let cluster = Cluster::new();
    let taken: Arc<dyn Resolver> = Arc::new(Custom::new("lww", |_: &[Surviving]| Merged::Escalate));
    let serve = Serve::new(cluster.config("eu", "eu", "", &[])).resolver(taken);
    let error = cluster.runtime.block_on(serve.start()).err().expect("refused");
    assert!(matches!(&error, ServerError::Resolver(taken) if taken.0 == "lww"), "{error}");
    assert!(!cluster.dir().join("eu").exists());
}

#[test]
fn resolvers_given_at_the_same_time_are_shown_until_somebody_decides() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None)]);
    let to_eu = [peer("eu", "eu", Some(eu.quic()))];
    let mut ap = cluster.leader("ap", &to_eu);
    eu.declare("c", "lww");
    eu.put("/v1/data/c/k", "1");
    eu.until_equal(&ap);
    ap.stop();
    // On its own, it declares what eu does not see.
    let mut alone = cluster.leader("ap", &[]);
    let declare = |node: &Running<'_>, resolver: &str| {
        let answer = node.put("/v1/collections/c", &json!({ "resolver": resolver }).to_string()).ok();
        assert_eq!(answer["resolver"], resolver);
        answer
    };
    declare(&alone, "keep-all");
    alone.put("/v1/data/c/k", "2");
    alone.stop();
    declare(&eu, "escalate");
    eu.put("/v1/data/c/k", "3");
    let ap = cluster.leader("ap", &to_eu);
    eu.until_connected("ap");
    eu.until_equal(&ap);
    let both = json!(["escalate", "keep-all"]);
    for node in [&eu, &ap] {
        let one = node.get("/v1/collections/c").ok();
        assert_eq!(one["concurrent"], both, "{one}");
        assert_eq!(node.get("/v1/collections").ok()["collections"][0], one);
        assert_eq!(one, eu.get("/v1/collections/c").ok(), "the same at both");
    }
    // The same name once more is a decision, too, and not nothing.
    let answer = declare(&ap, eu.get("/v1/collections/c").ok()["resolver"].as_str().expect("a name"));
    assert!(answer["dot"].is_string() && answer.get("concurrent").is_none(), "{answer}");
    until("eu hears of it", || eu.get("/v1/collections/c").ok().get("concurrent").is_none());
    assert!(declare(&ap, "keep-all").get("concurrent").is_none());
    eu.until_equal(&ap);
    assert_eq!(eu.get("/v1/data/c/k").ok()["value"].as_array().map(Vec::len), Some(2), "both versions are there");
}
