//! Nothing outlives its deadline, nothing is left behind.

use crate::node::{Act, Node};
use crate::support::{always, client, identity, token, until, value};
use anabranch_client::{Client, ClientError, ConnectError};
use anabranch_protocol::Ask;
use std::time::{Duration, Instant};

#[tokio::test]
async fn no_call_outlives_its_deadline() {
    let silent = Node::start("silent", 0, |_| Act::Ignore);
    let client = client(&[&silent]).await;
    let session = client.session().deadline(Duration::from_millis(300));
    let begun = Instant::now();
    let error = session.get("c", "k").await.expect_err("nobody answers");
    assert!(matches!(error, ClientError::Unreachable(_)), "{error:?}");
    let error = session.write(|tx| tx.g_counter("c").add("k", 1)).await.expect_err("nobody answers");
    assert!(matches!(error, ClientError::Unknown { counter: 1, .. }), "{error:?}");
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(500) && took < Duration::from_millis(1_000), "{took:?}");
}

#[tokio::test]
async fn without_a_replica_the_error_is_definite_and_says_why() {
    // A port where nobody answers.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let addr = nobody.local_addr().expect("bound").to_string();
    let builder = Client::builder(identity("home", "app")).replica(Some("eu"), &addr);
    let client = builder.deadline(Duration::from_millis(300)).connect().expect("a client");
    let begun = Instant::now();
    let error = client.session().write(|tx| tx.g_counter("c").add("k", 1)).await.expect_err("nobody");
    assert!(matches!(&error, ClientError::Unreachable(why) if why.contains("eu")), "{error:?}");
    assert!(begun.elapsed() < Duration::from_millis(700));
    let error = client.connected(1, Duration::from_millis(20)).await.expect_err("nobody");
    assert!(matches!(error, ClientError::Unreachable(_)));
}

#[tokio::test]
async fn another_node_at_the_address_is_not_used() {
    let node = Node::start("node", 0, always(1, value("1")));
    let builder = Client::builder(identity("home", "app")).replica(Some("other"), &node.addr);
    let client = builder.deadline(Duration::from_millis(400)).connect().expect("a client");
    let error = client.session().get("c", "k").await.expect_err("the wrong node");
    assert!(matches!(&error, ClientError::Unreachable(why) if why.contains("not the right node")), "{error:?}");
    let nameless = Client::builder(identity("home", "app")).replica(None, &node.addr).connect().expect("a client");
    assert!(nameless.session().get("c", "k").await.is_ok(), "without a name any node will do");
    let state = nameless.replicas().remove(0);
    assert_eq!((state.name, state.node.as_deref()), (node.addr.clone(), Some("node")));
    assert_eq!((state.region.as_deref(), state.connected, state.failing), (Some("region-node"), true, false));
}

#[tokio::test]
async fn a_client_has_somebody_to_ask_and_knows_them_apart() {
    let builder = || Client::builder(identity("home", "app"));
    assert!(matches!(builder().connect(), Err(ConnectError::NoReplica)));
    let twice = builder().replica(None, "127.0.0.1:1").replica(None, "127.0.0.1:1").connect();
    assert!(matches!(twice, Err(ConnectError::Twice(_))));
}

#[tokio::test]
async fn what_nodes_would_not_read_is_not_sent() {
    let node = Node::start("node", 0, always(1, value("1")));
    let client = client(&[&node]).await;
    let session = client.session();
    let long = "k".repeat(513);
    for error in [
        session.get("c", &long).await.expect_err("too long"),
        session.get("", "k").await.expect_err("no name"),
        session.scan("c", &long, None, 1).await.expect_err("too long"),
        session.scan("c", "", Some(&long), 1).await.expect_err("too long"),
        session.write(|_| Ok(())).await.expect_err("nothing to write"),
        session.write_as(0, |tx| tx.g_counter("c").add("k", 1)).await.expect_err("no counter"),
    ] {
        assert!(matches!(error, ClientError::Invalid(_)), "{error:?}");
    }
    assert!(node.asked().is_empty());
    assert_eq!(session.counter(), 0, "no counter was used up");
}

#[test]
fn nothing_is_left_behind_when_the_last_handle_is_dropped() {
    let node = Node::start("node", 0, |request| match &request.ask {
        Ask::Get { key, .. } if key == "never" => Act::Ignore,
        _ => Act::Answer(token(1), value("1")),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let metrics = tokio::runtime::Handle::current().metrics();
        let before = metrics.num_alive_tasks();
        let client = client(&[&node]).await;
        let session = client.session();
        session.get("c", "k").await.expect("an answer");
        // A call that is given up half-way leaves nothing either.
        let cancelled = tokio::time::timeout(Duration::from_millis(20), session.get("c", "never")).await;
        assert!(cancelled.is_err());
        drop(client);
        session.get("c", "k").await.expect("sessions keep their client");
        assert!(metrics.num_alive_tasks() > before);
        drop(session);
        until("all tasks end", || metrics.num_alive_tasks() == before).await;
    });
    runtime.block_on(until("the connection ends", || node.closed().len() == 1));
}

#[tokio::test]
async fn many_calls_at_a_time_share_one_connection() {
    let node = Node::start("node", 0, |_| Act::After(Duration::from_millis(50), token(1), value("1")));
    let client = client(&[&node]).await;
    let session = std::sync::Arc::new(client.session());
    let begun = Instant::now();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..300 {
        let session = session.clone();
        calls.spawn(async move { session.get_as::<i64>("c", "k").await });
    }
    while let Some(answer) = calls.join_next().await {
        assert_eq!(answer.expect("a task"), Ok(Some(1)));
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}
