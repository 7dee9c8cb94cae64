//! Passing a request on to another node, over the connection on which the two replicate.

use crate::app::App;
use crate::problem::{Code, Problem};
use anabranch::Network;
use anabranch_client::{CallError, Channel};
use anabranch_protocol::{Ask, Hello, Reply, Request, Role};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// What an answer may take longer than its node was told to wait: for the way, and for a disk.
const GRACE: Duration = Duration::from_secs(1);
const READ_GRACE: Duration = Duration::from_millis(100);
/// What is taken off the time to wait, so that the answer is here before the time is over.
const WAY: Duration = Duration::from_millis(5);
/// The most requests that are passed on at a time.
const MAX_PASSED_ON: usize = 4_096;

/// Streams to peers, opened when they are first needed.
pub(crate) struct Links {
    links: Mutex<BTreeMap<String, Arc<Link>>>,
    places: Semaphore,
}

/// The stream to one peer. Whoever finds none opens one, and nobody waits for that but who asks the same peer.
type Link = tokio::sync::Mutex<Option<Channel>>;

/// Why another node's answer is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// It was not asked: nothing took effect.
    NotSent,
    /// As many requests as may be are being passed on: nothing took effect.
    Busy,
    /// It was asked; whether anything took effect is unknown.
    Unknown,
}

/// Asks that peer, and waits until a little after the deadline for its answer.
pub(crate) async fn ask(app: &App, node: &str, request: Request, deadline: Instant) -> Result<Reply, Unanswered> {
    let network = app.network.as_ref().ok_or(Unanswered::NotSent)?;
    let _place = app.links.places.try_acquire().map_err(|_| Unanswered::Busy)?;
    let rtt = app.peers().into_iter().find(|peer| peer.node == node).and_then(|peer| peer.rtt).unwrap_or_default();
    let left = deadline.saturating_duration_since(Instant::now()).saturating_sub(rtt + WAY);
    let wait_ms = u32::try_from(left.as_millis()).unwrap_or(Request::MAX_WAIT_MS).min(Request::MAX_WAIT_MS);
    // Passed on once, never further.
    let request = Request { wait_ms, forward: false, ..request };
    // A read that comes late is no use; whether a write took effect is.
    let writes =
        matches!(&request.ask, Ask::Write { .. }) || matches!(&request.ask, Ask::Http(http) if http.method != "GET");
    let late = deadline.max(Instant::now()) + if writes { GRACE } else { READ_GRACE };
    let channel = tokio::time::timeout_at(late.into(), app.links.channel(app, network, node));
    let channel = channel.await.unwrap_or(None).ok_or(Unanswered::NotSent)?;
    match channel.call(request, late).await {
        Ok(reply) => Ok(reply),
        Err(CallError::NotSent) => Err(Unanswered::NotSent),
        Err(error) => {
            tracing::debug!(node, %error, "a request that was passed on was not answered");
            Err(Unanswered::Unknown)
        }
    }
}

/// A write was passed on to the node that takes it, and there is no answer.
pub(crate) fn no_leader(node: &str, error: Unanswered) -> Problem {
    let unwritable =
        |detail, outcome| Problem::new(Code::NotWritable, detail).with("reason", "leader").with("outcome", outcome);
    match error {
        Unanswered::Busy => {
            let detail = "too many requests are being passed on: nothing was written; try again in a moment";
            Problem::new(Code::TooManyRequests, detail)
        }
        Unanswered::NotSent => {
            let detail = "which takes the writes, cannot be reached: nothing was written; try another leader";
            unwritable(format!("{node}, {detail}"), "none")
        }
        Unanswered::Unknown => {
            let detail = "which takes the writes, did not answer: whether it took effect is unknown; sent again with \
                          its idempotency key, it takes effect once";
            unwritable(format!("{node}, {detail}"), "unknown")
        }
    }
}

/// A write was passed on to this node, which passes writes on, too.
pub(crate) fn not_here(leader: &str) -> Problem {
    let detail = format!(
        "this node is a follower itself, of {leader}, and what was passed on is not passed on again: nothing was \
         written; name a leader in the follower's configuration"
    );
    Problem::new(Code::NotWritable, detail).with("reason", "leader").with("outcome", "none")
}

impl Default for Links {
    fn default() -> Self {
        Self { links: Mutex::default(), places: Semaphore::new(MAX_PASSED_ON) }
    }
}

impl Links {
    async fn channel(&self, app: &App, network: &Network, node: &str) -> Option<Channel> {
        let link = self.link(node);
        let mut link = link.lock().await;
        if let Some(channel) = link.as_ref().filter(|channel| !channel.is_closed()) {
            return Some(channel.clone());
        }
        let connection = network.connection(node)?;
        let names = app.database.names();
        let (cluster, region, name) = (names.cluster.clone(), names.region.clone(), names.node.clone());
        let hello = Hello { cluster, region, node: name, role: Role::Client, origin: anabranch::Origin(0) };
        let channel = Channel::open(&connection, &hello).await.ok()?;
        *link = Some(channel.clone());
        Some(channel)
    }

    fn link(&self, node: &str) -> Arc<Link> {
        // A panic of another thread leaves the map whole.
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.entry(node.to_owned()).or_default().clone()
    }
}
