//! Getting to a state that has what a token names: here, in time, or at another replica that is known to have it.

use crate::app::App;
use crate::forward::{self, Unanswered};
use crate::metrics::Wait;
use anabranch::{Member, Members, Role, Token, View, WaitError};
use anabranch_protocol::{Reply, Request};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What passing a request on takes beside the round trip, at most.
const MARGIN: Duration = Duration::from_millis(50);

/// How long to wait after hearing that members have more, before looking again: many may look, and acknowledgements come in
/// bursts.
const PAUSE: Duration = Duration::from_millis(5);

/// Where a request is answered.
pub(crate) enum Reached {
    Here(Arc<View>),
    /// Another replica has what the token names, and has answered.
    Elsewhere(Reply),
}

/// Why it is not.
pub(crate) enum NotReached {
    /// What the token names did not come here, and nobody else has answered.
    Wait(WaitError),
    /// That leader was asked to write, and whether it did is unknown.
    Unknown(String),
}

/// What is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Wish<'a> {
    pub(crate) token: &'a Token,
    pub(crate) deadline: Instant,
    /// Whether another replica may answer.
    pub(crate) forward: bool,
    /// Whether it must be a leader.
    pub(crate) writes: bool,
}

/// Waits here; then, while there is time to hear the answer, for a peer that has it, too, and asks that one.
pub(crate) async fn reach(app: &App, wish: Wish<'_>, request: impl Fn() -> Request) -> Result<Reached, NotReached> {
    if wish.token.is_empty() {
        return Ok(Reached::Here(app.database.view()));
    }
    let view = app.database.view();
    if view.satisfies(wish.token).is_ok() {
        app.metrics.token_wait(Wait::None);
        return Ok(Reached::Here(view));
    }
    // Not held while waiting.
    drop(view);
    // Rare and large: in a place of its own it does not make all that look for a state large.
    let reached = Box::pin(wait(app, wish, request)).await;
    app.metrics.token_wait(match &reached {
        Ok(Reached::Here(_)) => Wait::Reached,
        Ok(Reached::Elsewhere(_)) | Err(NotReached::Unknown(_)) => Wait::Forwarded,
        Err(NotReached::Wait(WaitError::NotReached { .. } | WaitError::NoSuchShard)) => Wait::NotReached,
        Err(NotReached::Wait(_)) => Wait::Failed,
    });
    reached
}

async fn wait(app: &App, wish: Wish<'_>, request: impl Fn() -> Request) -> Result<Reached, NotReached> {
    let Wish { token, deadline, .. } = wish;
    let patience = if wish.forward { deadline - reserve(app, deadline) } else { deadline };
    let mut here = app.database.view_at_async(token, patience).await;
    let mut passed_over = BTreeSet::new();
    while wish.forward && matches!(here, Err(WaitError::NotReached { .. })) {
        let peer = tokio::select! {
            biased;
            peer = elsewhere(app, wish, &passed_over) => peer,
            view = app.database.view_at_async(token, deadline) => {
                here = view;
                break;
            }
        };
        match forward::ask(app, &peer, request(), deadline).await {
            Ok(answer) => return Ok(Reached::Elsewhere(answer)),
            Err(Unanswered::Unknown) if wish.writes => return Err(NotReached::Unknown(peer)),
            // Nothing took effect: there may be another, while there is time.
            Err(_) => passed_over.insert(peer),
        };
        if Instant::now() >= deadline {
            here = app.database.view_at_async(token, deadline).await;
            break;
        }
    }
    here.map(Reached::Here).map_err(NotReached::Wait)
}

/// How much of the time is kept for passing the request on: two round trips to the farthest peer and a little, but at
/// least a quarter and at most a half of it.
fn reserve(app: &App, deadline: Instant) -> Duration {
    let time = deadline.saturating_duration_since(Instant::now());
    let farthest = app.peers().into_iter().filter_map(|peer| peer.rtt).max();
    let Some(farthest) = farthest else { return Duration::ZERO };
    (farthest * 2 + MARGIN).clamp(time / 4, time / 2)
}

/// The nearest connected peer that has it and was not passed over, once there is one.
async fn elsewhere(app: &App, wish: Wish<'_>, passed_over: &BTreeSet<String>) -> String {
    let mut changes = app.database.subscribe_members();
    loop {
        let found = nearest(app, &changes.borrow_and_update(), wish, passed_over);
        if let Some(found) = found {
            return found;
        }
        if changes.changed().await.is_err() {
            // The database is closed, which the other wait tells.
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn nearest(app: &App, members: &Members, wish: Wish<'_>, passed_over: &BTreeSet<String>) -> Option<String> {
    let takes = |member: &Member| !wish.writes || member.role == Some(Role::Leader);
    let having = members.having(wish.token).filter(|(name, member)| takes(member) && !passed_over.contains(*name));
    let having: Vec<&str> = having.map(|(name, _)| name).collect();
    // Mostly there is none, and many may look.
    if having.is_empty() {
        return None;
    }
    let peers = app.peers().into_iter().filter(|peer| peer.connected && having.contains(&peer.node.as_str()));
    peers.min_by_key(|peer| peer.rtt).map(|peer| peer.node)
}
