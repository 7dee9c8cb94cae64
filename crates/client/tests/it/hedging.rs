//! A read that is late is asked of another replica as well, if that one is known to have what the session asks for.

use crate::node::{Act, Node};
use crate::support::{client, token, until, value};
use anabranch_client::{Client, Session};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SLOW: Duration = Duration::from_millis(900);

/// A near node that becomes slow when told to, and a far one.
struct Pair {
    near: Node,
    far: Node,
    slow: Arc<AtomicBool>,
    client: Client,
}

impl Pair {
    async fn start() -> Self {
        let slow = Arc::new(AtomicBool::new(false));
        let near = Node::start("near", 0, {
            let slow = slow.clone();
            move |_| {
                let delay = if slow.load(Ordering::SeqCst) { SLOW } else { Duration::ZERO };
                Act::After(delay, token(5), value("1"))
            }
        });
        let far = Node::start("far", 40, |_| Act::Answer(token(5), value("2")));
        let client = client(&[&near, &far]).await;
        Self { near, far, slow, client }
    }

    /// A session that has read often enough to know what is usual; then the near node becomes slow.
    async fn session(&self) -> Session {
        let session = self.client.session();
        for _ in 0..30 {
            assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(1)));
        }
        self.slow.store(true, Ordering::SeqCst);
        session
    }
}

#[tokio::test]
async fn a_late_read_is_answered_by_a_replica_that_has_the_token() {
    let pair = Pair::start().await;
    pair.far.stand(5, Some(0));
    until("it is heard of", || pair.client.replicas()[1].lag.is_some()).await;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let session = pair.session().await;
    let before = pair.far.asked().len();
    let begun = Instant::now();
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(2)));
    assert!(begun.elapsed() < SLOW / 2, "{:?}", begun.elapsed());
    assert_eq!(session.last_replica().as_deref(), Some("far"));
    assert_eq!(pair.far.asked().len(), before + 1);
    assert_eq!(pair.far.asked()[before].token, token(5));
}

#[tokio::test]
async fn a_replica_that_is_not_known_to_have_the_token_is_not_asked() {
    let pair = Pair::start().await;
    let session = pair.session().await;
    let before = pair.far.asked().len();
    assert_eq!(session.get_as::<i64>("c", "k").await, Ok(Some(1)), "late, but right");
    assert_eq!(pair.far.asked().len(), before);
    assert_eq!(pair.near.closed().len(), 0);
}

#[tokio::test]
async fn an_answer_that_was_passed_on_goes_by_its_nodes_name() {
    let near = Node::start("near", 0, |_| Act::By("far", token(9), value("1")));
    let far = Node::start("far", 40, |_| Act::Answer(token(9), value("2")));
    let client = client(&[&near, &far]).await;
    let session = client.session();
    session.get("c", "k").await.expect("an answer");
    assert_eq!(session.last_replica().as_deref(), Some("far"));
}
