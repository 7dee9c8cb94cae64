//! Keeping a connection to a replica, and asking it how it stands.

use crate::channel::{CallError, Channel};
use crate::link::Link;
use crate::shared::{Shared, micros};
use anabranch_causality::{ShardId, Token};
use anabranch_protocol::{Answer, Ask, Request, Role};
use anabranch_session::Standing;
use anabranch_transport::Connection;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a replica is asked how it stands.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// A replica that does not say so within this time counts as failing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long one attempt to connect may take: longer ones are better begun anew.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Between attempts; twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The code with which a connection is closed that is not needed any more.
pub(crate) const STOPPED: u32 = 1;

/// Connects, again and again, until the task is aborted.
pub(crate) async fn keep(shared: Arc<Shared>, index: usize) {
    let link = &shared.links[index];
    let mut pause = FIRST_PAUSE;
    loop {
        let problem = match reach(&shared, link).await {
            Ok(channel) => {
                tracing::debug!(replica = link.name, "connected");
                pause = FIRST_PAUSE;
                link.connected(channel.clone());
                watch(&shared, link, &channel).await;
                let reason = channel.connection().close_reason();
                channel.connection().close(STOPPED, "not needed any more");
                reason.map_or_else(|| "the node ended the stream".to_owned(), |reason| reason.to_string())
            }
            Err(problem) => problem,
        };
        if link.disconnected(&problem) {
            // One line per episode, not one per attempt.
            tracing::debug!(replica = link.name, problem, "not connected: dialling on");
        }
        shared.note_failure(&link.name);
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn reach(shared: &Shared, link: &Link) -> Result<Channel, String> {
    let attempt = async {
        let connection = dial(shared, link).await?;
        Channel::open(&connection, &shared.hello).await.map_err(|error| {
            connection.close(STOPPED, "no use for it");
            error.to_string()
        })
    };
    let late = |_| Err(format!("{} does not answer", link.addr));
    tokio::time::timeout(ATTEMPT, attempt).await.unwrap_or_else(late)
}

async fn dial(shared: &Shared, link: &Link) -> Result<Connection, String> {
    let addr = &link.addr;
    let found = tokio::net::lookup_host(addr).await.map_err(|error| format!("cannot resolve {addr}: {error}"))?;
    let found: Vec<SocketAddr> = found.collect();
    let is_ours = |found: &&SocketAddr| found.is_ipv4() == shared.endpoint.local_addr().is_ipv4();
    let target = found.iter().find(is_ours).or(found.first()).ok_or_else(|| format!("{addr} has no address"))?;
    shared.endpoint.dial(*target, link.expected.as_deref()).await.map_err(|error| error.to_string())
}

/// Asks how it stands, as long as the channel lasts.
async fn watch(shared: &Shared, link: &Link, channel: &Channel) {
    loop {
        match ask(channel).await {
            Ok((standing, took)) => {
                let mut fleet = shared.fleet();
                fleet.note_latency(&link.name, micros(took));
                fleet.note_standing(&link.name, shared.now_ms(), standing);
                fleet.note_success(&link.name);
            }
            Err(CallError::Lost | CallError::NotSent) if channel.is_closed() => return,
            Err(_) => shared.note_failure(&link.name),
        }
        tokio::select! {
            () = channel.closed() => return,
            () = tokio::time::sleep(ASK_EVERY) => {}
        }
    }
}

/// How the replica stands, and how long it took to say so.
async fn ask(channel: &Channel) -> Result<(Standing, Duration), CallError> {
    let begun = Instant::now();
    let request =
        Request { id: 0, token: Token::new(), wait_ms: 0, forward: false, max_lag_ms: None, ask: Ask::Standing };
    let standing = match channel.call(request, begun + PATIENCE).await?.answer {
        Answer::Standing(standing) => standing,
        // It cannot say.
        Answer::Problem(_) => return Err(CallError::Late),
        _ => {
            channel.offend("it was asked how it stands, and answered something else");
            return Err(CallError::Lost);
        }
    };
    let role = match standing.role {
        Role::Leader => anabranch_session::Role::Leader,
        _ => anabranch_session::Role::Follower,
    };
    let vector = Token::of(ShardId(0), standing.vector);
    let (region, lag_ms, lagging) = (standing.region, standing.behind_ms, standing.lagging);
    Ok((Standing { role, region, vector, lag_ms, lagging }, begun.elapsed()))
}

/// Between half a pause and a whole one, so that clients that lost a replica do not all dial at once.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(0);
    pause / 2 + (pause / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
}
