//! A leader dies after it acknowledged an increment and before the client heard of it. The client asks another leader, the
//! first comes back: it counts once, everywhere.

use crate::support::api::{Api, NoAnswer};
use crate::support::cluster::Cluster;
use crate::support::swallow::Swallow;
use crate::support::{eventually, links::Links};
use anabranch_client::{Client, Session};
use anabranch_transport::{Direction, LinkProfile, WanLink};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const NAMES: [&str; 3] = ["eu", "us", "ap"];
const DELAY: Duration = Duration::from_millis(10);
/// Between the client and the leader that it does not ask first.
const FAR: Duration = Duration::from_millis(150);
const SOON: Duration = Duration::from_secs(10);
const ADD: &str = r#"{"add":1}"#;

#[test]
fn a_retry_elsewhere_counts_once_though_nobody_there_has_heard_of_the_first() {
    over_http(true);
}

#[test]
fn a_retry_elsewhere_counts_once_while_the_first_is_on_its_way() {
    over_http(false);
}

fn over_http(alone: bool) {
    let mut cluster = cluster();
    let (api, ports) = (Api::new(), cluster.http_ports());
    let token = api.ask(ports[0], "GET", "/v1/data/likes/post", &[], None).expect("an answer").token.expect("a token");
    let key = format!("{}/1", uuid::Uuid::now_v7());
    let headers = [("idempotency-key", key.as_str()), ("anabranch-token", token.as_str()), ("anabranch-wait", "5s")];
    let add = |port| api.ask(port, "POST", "/v1/data/likes/post", &headers, Some(ADD));

    set_apart(cluster.links.as_ref().expect("links"), alone);
    let swallow = Swallow::start(ports[0]);
    let port = swallow.port();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| add(port));
        let answer = swallow.answer();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        cluster.kill(0);
        drop(swallow);
        assert!(matches!(first.join().expect("a client"), Err(NoAnswer::Lost(_))), "nothing was heard");
    });
    let again = add(ports[1]).expect("an answer");
    assert_eq!((again.status, &again.value["value"]), (200, &json!(1)), "{again:?}");
    if alone {
        assert_eq!(again.value.get("repeated"), None, "{again:?}");
    }
    comes_back(&mut cluster);
    for port in ports {
        let repeated = add(port).expect("an answer");
        assert_eq!((&repeated.value["value"], &repeated.value["repeated"]), (&json!(1), &json!(true)), "{repeated:?}");
    }
    counts_once(&cluster);
}

#[test]
fn a_client_that_asks_another_leader_within_one_call_counts_once() {
    let mut cluster = cluster();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (near, far) = {
        let _inside = runtime.enter();
        (link(cluster.nodes[0].quic, Duration::ZERO), link(cluster.nodes[1].quic, FAR))
    };
    let session = runtime.block_on(session(&cluster, &near, &far));
    set_apart(cluster.links.as_ref().expect("links"), true);
    near.cut_one_way(Direction::FromTarget);
    let call = async { session.write(|tx| tx.g_counter("likes").add("post", 1)).await };
    let written = std::thread::scope(|scope| {
        let call = scope.spawn(|| runtime.block_on(call));
        let value = || cluster.api.value(cluster.nodes[0].http, "likes", "post");
        eventually("the first leader has it", SOON, || value() == Some(json!(1)));
        cluster.kill(0);
        call.join().expect("a client")
    });
    let ((), written) = written.expect("the other leader answers");
    assert_eq!((written.replica.as_str(), written.repeated, session.counter()), ("us", false, 1), "{written:?}");
    comes_back(&mut cluster);
    // It can be told to repeat it as well.
    near.heal();
    let again = runtime.block_on(session.write_as(1, |tx| tx.g_counter("likes").add("post", 1)));
    assert!(again.expect("an answer").1.repeated);
    assert_eq!(runtime.block_on(session.get_as::<i64>("likes", "post")), Ok(Some(1)));
    counts_once(&cluster);
}

/// Three leaders that have the counter, which nobody has counted on.
fn cluster() -> Cluster {
    let cluster = Cluster::start_linked(&NAMES, DELAY);
    cluster.api.create(cluster.nodes[0].http, "likes", "g-counter");
    cluster.verify("15s").with_code(0);
    cluster
}

/// The first leader loses the others, if it is to be alone.
fn set_apart(links: &Links, alone: bool) {
    for other in (1..NAMES.len()).filter(|_| alone) {
        links.cut(0, other);
    }
}

fn comes_back(cluster: &mut Cluster) {
    cluster.start_node(0);
    let links = cluster.links.as_ref().expect("links");
    (1..NAMES.len()).for_each(|other| links.heal(0, other));
    cluster.verify("15s").with_code(0);
}

fn counts_once(cluster: &Cluster) {
    cluster.verify("15s").with_code(0);
    for port in cluster.http_ports() {
        assert_eq!(cluster.api.value(port, "likes", "post"), Some(json!(1)));
    }
}

fn link(port: u16, delay: Duration) -> WanLink {
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    WanLink::start(target, LinkProfile::with_delay(delay), 1).expect("a link")
}

/// A session that knows both leaders, and asks the first one first.
async fn session(cluster: &Cluster, near: &WanLink, far: &WanLink) -> Session {
    let builder = Client::builder(cluster.identity("app")).bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let builder = builder.replica(Some("eu"), &near.addr().to_string()).replica(Some("us"), &far.addr().to_string());
    let client = builder.deadline(SOON).hedge(false).connect().expect("a client");
    client.connected(2, SOON).await.expect("both are there");
    let session = client.session();
    // A machine that is busy may take long to answer a first time.
    while session.last_replica().as_deref() != Some("eu") {
        assert_eq!(session.get("likes", "post").await, Ok(None));
    }
    session
}
