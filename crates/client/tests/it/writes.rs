//! Writes: sent again under one operation id, or said to be unknown.

use crate::node::{Act, Node};
use crate::support::{always, client, client_with, dot, problem, shown, token, value, written};
use anabranch_causality::{Context, Kind};
use anabranch_client::{Ack, ClientError, Options, Session, Tx};
use anabranch_protocol::part::{MAX_ANSWER, PART_BYTES};
use anabranch_protocol::{AckLevel, Answer, Ask, Request, Role, Written, parts};
use anabranch_resolvers::{Change, Operation, Write};
use std::time::Duration;

fn add(tx: &Tx) -> Result<(), ClientError> {
    tx.g_counter("likes").add("post", 1)
}

fn sent(request: &Request) -> (&Write, AckLevel, bool) {
    match &request.ask {
        Ask::Write { write, ack, show } => (write, *ack, *show),
        other => panic!("not a write: {other:?}"),
    }
}

#[tokio::test]
async fn a_retry_goes_under_the_first_attempts_id_context_and_token() {
    let first = Node::start("first", 0, |request| match &request.ask {
        Ask::Write { .. } => Act::Ignore,
        _ => Act::Answer(token(8), value("1")),
    });
    let second = Node::start("second", 30, |request| match &request.ask {
        Ask::Write { .. } => Act::Answer(token(9), written(9)),
        _ => Act::Answer(token(8), value("1")),
    });
    let client = client_with(&[&first, &second], false).await;
    let session = client.session().wait(Duration::from_millis(200));
    session.join(&token(5).encode("test")).expect("a token");
    let put = |tx: &Tx| {
        tx.operate("c", Kind::REGISTER, "k", Operation::Put("x".into()), Some(Context::default()));
        Ok("result")
    };
    let (done, _) = tokio::join!(session.write(put), async {
        // The session reads on while its write is under way.
        tokio::time::sleep(Duration::from_millis(100)).await;
        session.get("c", "k").await.expect("an answer");
        assert_eq!(session.token(), token(8).encode("test"));
    });
    let (result, written) = done.expect("written");
    assert_eq!((result, written.dot, written.replica.as_str()), ("result", dot(9), "second"));
    let (mut first, second) = (first.asked(), second.asked());
    first.retain(|request| request.ask.is_write());
    let retry = second.iter().find(|request| request.ask.is_write()).expect("a retry");
    assert_eq!((&first[0].ask, &first[0].token), (&retry.ask, &retry.token));
    assert_eq!(retry.token, token(5), "not what the session has read since");
    assert_eq!(sent(retry).0.key, Some((session.id(), 1)));
    let Change::Operate { context, .. } = &sent(retry).0.changes[0] else { panic!("not an operation") };
    assert_eq!(context, &Some(Context::default()));
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_unknown_and_can_be_repeated() {
    let node = Node::start("node", 0, {
        let mut repaired = false;
        move |request| match (&request.ask, repaired) {
            (Ask::Get { .. }, _) => {
                repaired = true;
                Act::Answer(token(1), value("1"))
            }
            (_, false) => Act::Hang,
            (_, true) => {
                let again = Written { dot: dot(4), repeated: true, incomplete: false, shown: None };
                Act::Answer(token(4), Answer::Written(again))
            }
        }
    });
    let client = client(&[&node]).await;
    let session = client.session().deadline(Duration::from_millis(400));
    let error = session.write(add).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Unknown { counter: 1, .. }), "{error:?}");
    assert_eq!(session.counter(), 1);
    let session = session.deadline(Duration::from_secs(5));
    session.get("c", "k").await.expect("an answer");
    let ((), written) = session.write_as(1, add).await.expect("written");
    assert!(written.repeated && written.dot == dot(4));
    let writes: Vec<Request> = node.asked().into_iter().filter(|request| request.ask.is_write()).collect();
    assert!(writes.iter().all(|request| sent(request).0 == sent(&writes[0]).0), "always the same");
}

#[tokio::test]
async fn a_refusal_after_a_lost_attempt_does_not_speak_for_it() {
    let first = Node::start("first", 0, |_| Act::Hang);
    let second = Node::start("second", 30, always(2, problem("rejected", "")));
    let client = client(&[&first, &second]).await;
    let error = client.session().write(add).await.expect_err("refused");
    assert!(matches!(error, ClientError::Refused { earlier_unknown: true, .. }), "{error:?}");
    assert!(error.to_string().contains("may have taken effect"), "{error}");
}

#[tokio::test]
async fn a_refusal_of_a_repeat_does_not_speak_for_the_call_before() {
    let node = Node::start("node", 0, |request| match sent(request).0.key {
        Some((_, 1)) if request.token.is_empty() => Act::Ignore,
        _ => Act::Answer(token(2), problem("rejected", "")),
    });
    let client = client(&[&node]).await;
    let session = client.session().deadline(Duration::from_millis(200));
    let error = session.write(add).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Unknown { counter: 1, .. }), "{error:?}");
    session.join(&token(1).encode("test")).expect("a token");
    let refused = |error: ClientError| matches!(error, ClientError::Refused { earlier_unknown: true, .. });
    assert!(refused(session.write_as(1, add).await.expect_err("refused")), "the first call may have done it");
    assert!(!refused(session.write_as(2, add).await.expect_err("refused")), "nobody has asked for this before");
    assert!(!refused(session.write(add).await.expect_err("refused")));
}

#[tokio::test]
async fn a_store_that_fails_leaves_a_write_unknown_a_busy_one_does_not() {
    let outcome = async |code: &str, more: &str| {
        let node = Node::start("node", 0, always(1, problem(code, more)));
        let client = client(&[&node]).await;
        let session = client.session().deadline(Duration::from_millis(150));
        session.write(add).await.expect_err("no write")
    };
    assert!(matches!(outcome("not-ready", "").await, ClientError::Unknown { .. }));
    assert!(matches!(outcome("not-writable", r#"{"outcome":"unknown"}"#).await, ClientError::Unknown { .. }));
    assert!(matches!(outcome("not-writable", r#"{"outcome":"none"}"#).await, ClientError::NotWritable(_)));
    assert!(matches!(outcome("too-many-requests", "").await, ClientError::Busy(_)));
    assert!(matches!(outcome("parked", "").await, ClientError::NotReady(_)));
}

#[tokio::test]
async fn a_write_whose_answer_is_too_large_is_unknown() {
    let node = Node::start("node", 0, |request| {
        let part = |_| parts(request.id, &vec![0; PART_BYTES + 1]).next().expect("a part that is not the last");
        Act::Frames((0..=MAX_ANSWER / PART_BYTES).map(part).collect())
    });
    let client = client(&[&node]).await;
    let error = client.session().deadline(Duration::from_secs(1)).write(add).await.expect_err("no answer");
    assert!(matches!(error, ClientError::Unknown { counter: 1, .. }), "{error:?}");
}

#[tokio::test]
async fn writes_go_to_leaders_first() {
    let follower = Node::start_as(Role::Follower, "follower", 0, always(1, value("1")));
    let leader = Node::start("leader", 30, always(2, written(2)));
    let client = client(&[&follower, &leader]).await;
    let session = client.session();
    session.write(add).await.expect("written");
    session.get("c", "k").await.expect("an answer");
    assert_eq!(session.last_replica().as_deref(), Some("follower"));
    assert_eq!((leader.asked().len(), follower.asked().len()), (1, 1));
    assert_eq!(follower.asked()[0].token, token(2), "reads its own write");
}

#[tokio::test]
async fn a_write_that_too_few_acknowledged_says_where_it_is() {
    let more = format!(r#"{{"written":true,"dot":"{}","acked":["eu"]}}"#, dot(6));
    let node = Node::start("node", 0, always(6, problem("ack-not-reached", &more)));
    let client = client(&[&node]).await;
    let session = client.session();
    let options = Options { ack: Some(Ack::Regions(2)), ..Options::default() };
    let error = session.with(options).write(add).await.expect_err("not acknowledged");
    assert_eq!(error, ClientError::AckNotReached { dot: dot(6), acked: vec!["eu".into()] });
    assert_eq!(session.token(), token(6).encode("test"), "it is written all the same");
    assert_eq!((node.asked().len(), sent(&node.asked()[0]).1), (1, AckLevel::Regions(2)));
}

#[tokio::test]
async fn what_a_write_shows_counts_as_read() {
    let after = Written { dot: dot(2), repeated: false, incomplete: false, shown: Some(shown("3")) };
    let node = Node::start("node", 0, move |request| {
        let shown = after.shown.clone().filter(|_| sent(request).2);
        Act::Answer(token(7), Answer::Written(Written { shown, ..after.clone() }))
    });
    let client = client(&[&node]).await;
    let session = client.session();
    let write = async |session: &Session, show| {
        let options = Options { show, ..Options::default() };
        session.with(options).write(add).await.expect("written").1.value.map(|found| found.value)
    };
    assert_eq!(write(&session, false).await, None);
    assert_eq!(session.token(), token(2).encode("test"));
    assert_eq!(write(&session, true).await, Some(3.into()));
    assert_eq!(session.token(), token(7).encode("test"));
}

#[tokio::test]
async fn declaring_a_collection_is_a_write() {
    let node = Node::start("node", 0, always(1, written(1)));
    let client = client(&[&node]).await;
    let session = client.session();
    for (resolver, kind) in [("keep-all", Kind::REGISTER), ("cart", Kind::CART), ("my-own", Kind::REGISTER)] {
        session.declare("c", resolver).await.expect("declared");
        let asked = node.asked();
        let expected = Change::Declare { collection: "c".into(), kind, resolver: resolver.into() };
        assert_eq!(sent(&asked[asked.len() - 1]).0.changes, [expected]);
    }
    assert_eq!(session.counter(), 3);
}
