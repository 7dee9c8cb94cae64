//! How far a replica is behind is measured, shown, and gone when it has caught up.

use crate::support::ask::request;
use crate::support::cluster::{Cluster, Running, peer, until};
use crate::support::wire::{Stream, Wire};
use anabranch_protocol::{Answer, Ask};
use serde_json::{Value, json};

/// The value of a metric about the peer `eu`.
fn metric(node: &Running<'_>, name: &str) -> f64 {
    let text = node.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("anabranch_{name}{{peer=\"eu\"}} ")));
    line.unwrap_or_else(|| panic!("{name}\n{text}")).parse().expect("a number")
}

fn check(node: &Running<'_>) -> Value {
    let ready = node.get("/ready");
    assert_eq!(ready.status, 200, "lag only warns: {ready:?}");
    ready.json()["checks"].as_array().and_then(|checks| checks.last().cloned()).expect("checks")
}

fn is_lagging(stream: &mut Stream<'_>) -> bool {
    match stream.ask(request(Ask::Standing)).answer {
        Answer::Standing(standing) => standing.lagging,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_region_that_is_cut_off_says_how_far_it_is_behind_until_it_has_caught_up() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None)]);
    let link = cluster.link(&eu);
    let ap = cluster.config("ap", "ap", "lag_limit = \"300ms\"", &[peer("eu", "eu", Some(link.addr()))]);
    let ap = cluster.start(ap);
    ap.until_connected("eu");
    eu.declare("c", "lww");
    let (_wire, mut standing) = Wire::client(&cluster, &ap);
    let all_is_well = |standing: &mut Stream<'_>| {
        ap.peer("eu")["lag_ms"] == 0
            && ap.peer("eu")["lag_transactions"] == 0
            && ap.shard() == eu.shard()
            && metric(&ap, "replication_lag_seconds") == 0.0
            && check(&ap)
                == json!({"check": "lag", "state": "ok", "detail": "nothing of the peers has been missing for long"})
            && ap.status()["behind_ms"].as_u64().is_some_and(|behind| behind < 1_500)
            && !is_lagging(standing)
    };
    until("all is well", || all_is_well(&mut standing));
    link.cut();
    assert_eq!(eu.put("/v1/data/c/k", "1").status, 200);
    until("lag is seen", || ap.peer("eu")["lag_ms"].as_u64().is_some_and(|lag| lag > 1_500));
    let (before, behind) = (metric(&ap, "replication_lag_seconds"), ap.status()["behind_ms"].as_u64());
    assert!(before > 1.5 && behind.is_some_and(|behind| behind > 1_500), "{before} {behind:?}");
    let warns = check(&ap);
    assert_eq!(warns["state"], "warn", "{warns}");
    assert!(warns["detail"].as_str().is_some_and(|detail| detail.contains("eu by ")), "{warns}");
    assert!(is_lagging(&mut standing));
    // It grows for as long as it lasts, also when the connection is given up.
    until("it is cut off", || ap.peer("eu")["state"] == "connecting");
    assert!(metric(&ap, "replication_lag_seconds") > before);
    assert!(ap.peer("eu")["lag_ms"].as_u64().is_some_and(|lag| lag > 2_000));
    assert_eq!(ap.get("/v1/data/c/k").status, 404, "what is here is shown all the same");
    link.heal();
    until("all is well again", || all_is_well(&mut standing));
    assert_eq!(ap.get("/v1/data/c/k").ok()["value"], 1);
}

#[test]
fn transactions_that_are_missing_are_counted() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None)]);
    let (_ap, mut replication) = Wire::leader(&cluster, "ap", &eu);
    // Under the origin of its hello, and it sends none of them.
    replication.claim(&[(anabranch::Origin(0xfa4e), 7)].into_iter().collect());
    until("they are counted", || eu.peer("ap")["lag_transactions"] == 7);
    until("time passes", || eu.peer("ap")["lag_ms"].as_u64().is_some_and(|lag| lag > 0));
    let metrics = eu.get("/metrics").body;
    assert!(metrics.contains("anabranch_replication_lag_transactions{peer=\"ap\"} 7"), "{metrics}");
}
