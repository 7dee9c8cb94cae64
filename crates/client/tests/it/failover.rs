//! Another replica answers when one cannot, with all that the session asks for.

use crate::node::{Act, Node};
use crate::support::{always, client, problem, token, until, value};
use anabranch_client::{ClientError, Guarantees, Options};
use std::time::Duration;

#[tokio::test]
async fn the_nearest_answers_until_it_dies_then_the_next_with_the_token() {
    let mut reads = 0;
    let near = Node::start("near", 0, move |_| {
        reads += 1;
        if reads == 1 { Act::Answer(token(7), value("1")) } else { Act::Hang }
    });
    let far = Node::start("far", 30, always(9, value("2")));
    let client = client(&[&near, &far]).await;
    let session = client.session();
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(1)));
    assert_eq!(session.last_replica().as_deref(), Some("near"));
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(2)));
    assert_eq!(session.last_replica().as_deref(), Some("far"));
    assert_eq!(far.asked()[0].token, token(7), "what was read at the first is asked of the second");
    assert_eq!(session.token(), token(9).encode("test"));
}

#[tokio::test]
async fn a_replica_that_does_not_get_the_token_is_passed_over() {
    let behind = Node::start("behind", 0, always(1, problem("token-not-reached", "{}")));
    let ahead = Node::start("ahead", 30, always(5, value("1")));
    let both = client(&[&behind, &ahead]).await;
    let session = both.session();
    session.join(&token(5).encode("test")).expect("a token");
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(1)));
    assert_eq!((behind.asked().len(), ahead.asked().len()), (1, 1));

    let alone = client(&[&behind]).await;
    let session = alone.session();
    session.join(&token(5).encode("test")).expect("a token");
    let error = session.get("c", "k").await.expect_err("nobody has it");
    assert_eq!(error, ClientError::TokenNotReached("about token-not-reached".into()));
    assert_eq!(behind.asked().len(), 2, "it has waited already: it is not asked again");
}

#[tokio::test]
async fn a_refusal_is_final() {
    let strict = Node::start("strict", 0, always(3, problem("no-such-collection", "")));
    let other = Node::start("other", 30, always(3, value("1")));
    let client = client(&[&strict, &other]).await;
    let session = client.session();
    let error = session.get("c", "k").await.expect_err("refused");
    assert!(matches!(error, ClientError::Refused { code, earlier_unknown: false, .. } if code == "no-such-collection"));
    assert!(other.asked().is_empty());
    assert_eq!(session.token(), token(3).encode("test"), "that it is not there was read too");
}

#[tokio::test]
async fn a_lagging_replica_is_asked_after_a_fresh_one() {
    let near = Node::start("near", 0, always(1, value("1")));
    let far = Node::start("far", 30, always(1, value("2")));
    near.stand(1, Some(5_000));
    let client = client(&[&near, &far]).await;
    let session = client.session_with(Guarantees::NONE);
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(2)));
    near.stand(1, Some(0));
    until("the lag is heard of", || client.replicas()[0].lag == Some(Duration::ZERO)).await;
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(1)));
}

#[tokio::test]
async fn who_wants_one_replica_gets_its_answer_or_none() {
    let near = Node::start("near", 0, always(1, value("1")));
    let far = Node::start("far", 30, always(1, problem("stale", "")));
    let client = client(&[&near, &far]).await;
    let session = client.session();
    let only = |name: &str| Options {
        replica: Some(name.into()),
        max_lag: Some(Duration::from_millis(200)),
        ..Options::default()
    };
    let stale = session.with(only("far")).get("c", "k").await;
    assert_eq!(stale, Err(ClientError::Stale("about stale".into())));
    let request = &far.asked()[0];
    assert_eq!((request.forward, request.max_lag_ms), (false, Some(200)));
    assert!(near.asked().is_empty());
    assert_eq!(session.with(only("x")).get("c", "k").await, Err(ClientError::NoSuchReplica("x".into())));
}

#[tokio::test]
async fn a_replica_that_cannot_do_one_thing_is_still_asked_for_others() {
    let mut asked = 0;
    let near = Node::start("near", 0, move |_| {
        asked += 1;
        Act::Answer(token(1), if asked == 1 { problem("parked", "") } else { value("1") })
    });
    let far = Node::start("far", 30, always(1, value("2")));
    let client = client(&[&near, &far]).await;
    let session = client.session();
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(2)), "parked at the nearest");
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(1)));
}

#[tokio::test]
async fn sessions_spread_over_equals_and_each_stays() {
    let nodes = [("a", 10), ("b", 10), ("c", 10)].map(|(name, ms)| Node::start(name, ms, always(1, value("1"))));
    let client = client(&nodes.each_ref()).await;
    let (mut used, mut moved) = (std::collections::BTreeSet::new(), 0);
    for _ in 0..40 {
        let session = client.session();
        session.get("c", "k").await.expect("an answer");
        let first = session.last_replica();
        for _ in 0..3 {
            session.get("c", "k").await.expect("an answer");
            moved += u32::from(session.last_replica() != first);
        }
        used.insert(first);
    }
    assert_eq!(used.len(), 3);
    // Of 120. A machine that stands still makes a node look farther than its equals for a while; whoever chose anew at each
    // call would move about 80 times.
    assert!(moved <= 30, "{moved} times");
}

#[tokio::test]
async fn a_node_that_comes_back_is_used_again() {
    let node = Node::start("node", 0, {
        let mut times = 0;
        move |_| {
            times += 1;
            if times == 2 { Act::Hang } else { Act::Answer(token(1), value("1")) }
        }
    });
    let client = client(&[&node]).await;
    let session = client.session();
    for _ in 0..3 {
        assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(1)));
    }
    assert_eq!(node.closed().len(), 1);
}
