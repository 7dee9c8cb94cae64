//! A token never makes a request hang, however many wait. What each kind of bad token is told: bad_inputs/token.rs.

use crate::support::api::Answer;
use crate::support::cluster::Cluster;
use crate::support::crowd::{Crowd, raise_file_limit};
use crate::support::stalls::Stalls;
use crate::support::tell;
use anabranch_causality::{Origin, ShardId, Token};
use anabranch_client::{Client, ClientError};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const PATH: &str = "/v1/data/likes/post";
/// How much longer than it was to wait a request may take, besides what the machine stood still.
const GRACE: Duration = Duration::from_millis(1_500);
/// Connections over HTTP, and clients with 990 requests each. In the long form (`ANABRANCH_CROWD=full`, by itself on its machine)
/// together more than a node takes at a time: 4,096 connections, and 10,000 who wait.
const CROWD: (usize, usize) = (1_000, 1);
const FULL_CROWD: (usize, usize) = (4_200, 7);
/// How much memory they may cost the node.
const GROWTH: u64 = 192 << 20;

/// A node that was counted on once.
fn node() -> (Cluster, String) {
    let cluster = Cluster::start(&["eu"]);
    let port = cluster.nodes[0].http;
    cluster.api.create(port, "likes", "g-counter");
    let written = cluster.api.ask(port, "POST", PATH, &[], Some(r#"{"add":1}"#)).expect("an answer");
    (cluster, written.token.expect("a token"))
}

/// That token, with so many more transactions of each origin.
fn ahead(token: &str, by: u64) -> String {
    let token = Token::decode(token, "shop").expect("a token");
    let vector = token.vector(ShardId(0)).expect("a vector").iter().map(|(origin, seq)| (origin, seq + by));
    Token::of(ShardId(0), vector.collect()).encode("shop")
}

fn unknown(cluster: &str, shard: u16) -> String {
    Token::of(ShardId(shard), [(Origin(0xdead_beef), 7)].into_iter().collect()).encode(cluster)
}

#[test]
fn a_client_hears_of_a_token_that_leads_nowhere_within_its_deadline() {
    let stalls = Stalls::watch();
    let (cluster, token) = node();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = client(&cluster, "app");
        let wait = Duration::from_millis(400);
        for token in [unknown("shop", 0), ahead(&token, 1_000)] {
            let session = client.session().wait(wait).deadline(Duration::from_secs(5));
            session.join(&token).expect("a token of this cluster");
            let began = Instant::now();
            let read = session.get("likes", "post").await;
            assert!(matches!(read, Err(ClientError::TokenNotReached(_))), "{read:?}");
            let written = session.write(|tx| tx.g_counter("likes").add("post", 1)).await;
            assert!(matches!(written, Err(ClientError::TokenNotReached(_))), "{written:?}");
            let took = began.elapsed();
            assert!(took >= 2 * wait && took < 2 * (wait + GRACE + 2 * stalls.worst()), "{took:?}");
        }
        for bad in [unknown("bank", 0), "nonsense".to_owned()] {
            assert!(client.session().join(&bad).is_err(), "{bad}");
        }
    });
    assert_eq!(cluster.api.value(cluster.nodes[0].http, "likes", "post"), Some(json!(1)));
}

#[test]
fn many_may_wait_and_each_is_answered() {
    raise_file_limit();
    let full = std::env::var("ANABRANCH_CROWD").is_ok_and(|crowd| crowd == "full");
    let (connections, clients) = if full { FULL_CROWD } else { CROWD };
    let count = connections + clients * Crowd::PER_CLIENT;
    let stalls = Stalls::watch();
    let (mut cluster, token) = node();
    let port = cluster.nodes[0].http;
    let before = cluster.process(0).resident_bytes();
    let crowd = Crowd { port, path: PATH, token: ahead(&token, 1_000), wait: Duration::from_secs(4) };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let clients: Vec<_> = {
        let _inside = runtime.enter();
        (0..clients).map(|number| client(&cluster, &format!("app-{number}"))).collect()
    };
    let (answers, most) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| runtime.block_on(crowd.ask(connections, &clients)));
        let mut most = before;
        while !asking.is_finished() {
            most = most.max(cluster.process(0).resident_bytes());
            std::thread::sleep(Duration::from_millis(20));
        }
        (asking.join().expect("all are answered"), most)
    });
    drop(clients);
    let growth = most.saturating_sub(before);
    tell(&format!("a crowd: {answers}; {} MiB more than {} MiB", growth >> 20, before >> 20));
    answers.must_be_definite(count, GRACE + 2 * stalls.worst());
    assert!(answers.waited() >= count * 4 / 5, "few waited: the test proves nothing");
    assert!(growth < GROWTH, "{} MiB more memory", growth >> 20);
    assert!(!full || answers.refused() > 0, "nobody was too much: the test proves nothing");

    // All is as it was.
    let headers = [("anabranch-token", token.as_str())];
    let read: Answer = cluster.api.ask(port, "GET", PATH, &headers, None).expect("an answer");
    assert_eq!((read.status, &read.value["value"]), (200, &json!(1)), "{read:?}");
    cluster.api.operate(port, "likes", "post", r#"{"add":1}"#);
    assert_eq!(cluster.api.value(port, "likes", "post"), Some(json!(2)));
    cluster.stop(0);
}

/// Must be made inside a runtime.
fn client(cluster: &Cluster, name: &str) -> Client {
    let builder = Client::builder(cluster.identity(name)).bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    builder.replica(Some("eu"), &format!("127.0.0.1:{}", cluster.nodes[0].quic)).connect().expect("a client")
}
