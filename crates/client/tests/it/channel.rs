//! The stream of requests underneath.

use crate::node::{Act, Node};
use crate::support::{always, client, identity, shown, token, until, value};
use anabranch_causality::{Origin, Token};
use anabranch_client::{CallError, Channel};
use anabranch_protocol::{Answer, Ask, Hello, Reply, Request, Role, parts};
use anabranch_transport::{Connection, Endpoint, Limits};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn request(key: &str) -> Request {
    let ask = Ask::Get { collection: "c".into(), key: key.into() };
    Request { id: 99, token: Token::new(), wait_ms: 60_000, forward: true, max_lag_ms: None, ask }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

/// A connection as one between nodes is, and a channel on it. The endpoint must live as long.
async fn open(node: &Node) -> (Endpoint, Connection, Channel) {
    let identity = Arc::new(identity("home", "peer"));
    let endpoint = Endpoint::bind(SocketAddr::from(([127, 0, 0, 1], 0)), identity, Limits::default()).expect("a port");
    let connection = endpoint.dial(node.addr.parse().expect("an address"), Some(node.name)).await.expect("connected");
    let (cluster, region, name) = ("test".into(), "home".into(), "peer".into());
    let hello = Hello { cluster, region, node: name, role: Role::Client, origin: Origin(0) };
    let channel = Channel::open(&connection, &hello).await.expect("a channel");
    (endpoint, connection, channel)
}

#[tokio::test]
async fn answers_come_in_parts_and_in_any_order() {
    let large = format!("\"{}\"", "x".repeat(2 << 20));
    let expected = large.clone();
    let node = Node::start("node", 0, move |request| match &request.ask {
        Ask::Get { key, .. } if key == "large" => {
            let resolver = "lww".into();
            Act::After(Duration::from_millis(50), token(1), Answer::Value { resolver, shown: Some(shown(&large)) })
        }
        _ => Act::Answer(token(2), value("1")),
    });
    let (_endpoint, _connection, channel) = open(&node).await;
    assert_eq!((channel.node().node.as_str(), channel.node().role), ("node", Role::Leader));
    let (large, small) = tokio::join!(channel.call(request("large"), soon()), channel.call(request("small"), soon()));
    let Ok(Answer::Value { shown: Some(shown), .. }) = large.map(|reply| reply.answer) else { panic!("not a value") };
    assert!(shown.json == expected);
    assert_eq!(small.map(|reply| reply.token), Ok(token(2)));
    let waits: Vec<u32> = node.asked().iter().map(|request| request.wait_ms).collect();
    assert_eq!(waits, [30_000; 2], "longer waits would end the connection");
}

#[tokio::test]
async fn at_the_end_calls_hear_whether_they_were_sent() {
    let node = Node::start("node", 0, |request| match &request.ask {
        Ask::Get { key, .. } if key == "die" => Act::Hang,
        _ => Act::Ignore,
    });
    let (_endpoint, _connection, channel) = open(&node).await;
    let waiting = channel.clone();
    let waiting = tokio::spawn(async move { waiting.call(request("k"), soon()).await });
    until("it is asked", || node.asked().len() == 1).await;
    assert_eq!(channel.call(request("die"), soon()).await, Err(CallError::Lost));
    assert_eq!(waiting.await.expect("a task"), Err(CallError::Lost));
    channel.closed().await;
    assert!(channel.is_closed());
    assert_eq!(channel.call(request("k"), soon()).await, Err(CallError::NotSent));
}

#[tokio::test]
async fn a_call_ends_at_its_deadline_and_its_late_answer_harms_nobody() {
    let node = Node::start("node", 0, |request| match &request.ask {
        Ask::Get { key, .. } if key == "slow" => Act::After(Duration::from_millis(150), token(1), value("1")),
        _ => Act::Answer(token(2), value("2")),
    });
    let (_endpoint, _connection, channel) = open(&node).await;
    let begun = Instant::now();
    let late = channel.call(request("slow"), begun + Duration::from_millis(50)).await;
    assert_eq!(late, Err(CallError::Late));
    assert!(begun.elapsed() < Duration::from_millis(140), "{:?}", begun.elapsed());
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(channel.call(request("k"), soon()).await.map(|reply| reply.token), Ok(token(2)));
}

#[tokio::test]
async fn what_is_longer_than_a_frame_is_not_sent() {
    let node = Node::start("node", 0, always(1, value("1")));
    let (_endpoint, _connection, channel) = open(&node).await;
    let long = request(&"k".repeat(5 << 20));
    assert_eq!(channel.call(long, soon()).await, Err(CallError::TooLarge));
    assert!(channel.call(request("k"), soon()).await.is_ok());
}

#[tokio::test]
async fn whoever_drops_the_last_handle_ends_the_stream_but_not_the_connection() {
    let node = Node::start("node", 0, always(1, value("1")));
    let (_endpoint, connection, channel) = open(&node).await;
    assert!(channel.call(request("k"), soon()).await.is_ok());
    drop(channel);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(connection.close_reason(), None);
}

#[tokio::test]
async fn garbage_ends_the_connection() {
    let sound = Reply { id: 1, token: token(1), by: "node".into(), answer: value("1") }.encode();
    let garbage: [Vec<Vec<u8>>; 4] = [
        vec![b"short".to_vec()],
        parts(1, b"not a reply").collect(),
        parts(1, &sound[..sound.len() - 1]).collect(),
        // An answer to what was never asked.
        parts(1_000_000, &sound).collect(),
    ];
    for frames in garbage {
        let node = Node::start("node", 0, move |_| Act::Frames(frames.clone()));
        let (_endpoint, connection, channel) = open(&node).await;
        assert_eq!(channel.call(request("k"), soon()).await, Err(CallError::Lost));
        assert!(connection.close_reason().is_some() && channel.is_closed());
        until("the node hears of it", || node.closed().first().is_some_and(|why| why.contains("code 4"))).await;
    }
}

#[tokio::test]
async fn an_answer_to_another_question_ends_the_connection_and_another_replica_answers() {
    let confused = Node::start("confused", 0, always(1, Answer::Collections(Vec::new())));
    let other = Node::start("other", 30, always(2, value("2")));
    let client = client(&[&confused, &other]).await;
    let session = client.session();
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(2)));
    until("it hears of it", || confused.closed().first().is_some_and(|why| why.contains("code 4"))).await;
}
