//! Dialling a peer, again and again while it is not connected.

use super::Shared;
use super::connection::{self, Side};
use super::peers::codes;
use anabranch_transport::{Connection, DialError};
use std::sync::Arc;
use std::time::Duration;

/// How long one attempt may take: longer ones are better begun anew.
const ATTEMPT: Duration = Duration::from_secs(2);
/// Attempts are at most this far apart.
const PAUSE_MS: u64 = 1_000;
/// The node that is not to keep the connection when both dial waits a little, so that both seldom do.
const YIELD: Duration = Duration::from_millis(600);

pub(super) async fn keep_dialling(shared: Arc<Shared>, node: Option<String>, addr: String) {
    let own = shared.database.names().node.clone();
    let mut met = node.clone();
    let mut told = false;
    loop {
        if let Some(met) = &met {
            shared.peers.disconnected(met).await;
            if *met < own {
                tokio::time::sleep(YIELD).await;
                if shared.peers.is_connected(met) {
                    continue;
                }
            }
        }
        let mut dialled = attempt(&shared, node.as_deref(), &addr).await;
        if let Ok(connection) = &dialled
            && connection.traffic().lost_packets > 0
        {
            // It was dialled before the network was back. Congestion control takes the handshake's losses for a narrow
            // path, and would let it grow by a packet per round trip for as long as it lives.
            connection.close(codes::REPLACED, "dialled again");
            dialled = attempt(&shared, node.as_deref(), &addr).await;
        }
        match dialled {
            Ok(connection) => {
                met = Some(connection.peer().node.clone());
                told = false;
                let side = Side::Dialled { by_address: node.is_none() };
                connection::run(shared.clone(), connection, side).await;
            }
            Err(Unreached::Stopped) => return,
            Err(Unreached::Problem(problem)) => {
                note(&shared, met.as_deref(), &addr, &problem, &mut told);
            }
        }
        if shared.database.is_closed() {
            return;
        }
        tokio::time::sleep(jittered()).await;
    }
}

/// Why an attempt brought no connection.
enum Unreached {
    /// The network was stopped: there is nothing to dial for.
    Stopped,
    Problem(String),
}

async fn attempt(shared: &Shared, node: Option<&str>, addr: &str) -> Result<Connection, Unreached> {
    let dial = async {
        let found = tokio::net::lookup_host(addr).await;
        let mut found = found.map_err(|error| Unreached::Problem(format!("cannot resolve {addr}: {error}")))?;
        let target = found.next().ok_or_else(|| Unreached::Problem(format!("{addr} has no address")))?;
        shared.endpoint.dial(target, node).await.map_err(|error| match error {
            DialError::EndpointClosed => Unreached::Stopped,
            other => Unreached::Problem(other.to_string()),
        })
    };
    let late = |_| Err(Unreached::Problem(format!("{addr} does not answer")));
    tokio::time::timeout(ATTEMPT, dial).await.unwrap_or_else(late)
}

/// One line per episode, not one per attempt.
fn note(shared: &Shared, node: Option<&str>, addr: &str, problem: &str, told: &mut bool) {
    let name = node.unwrap_or(addr);
    shared.peers.note_problem(name, problem);
    if !std::mem::replace(told, true) {
        tracing::warn!(peer = name, problem, "peer cannot be reached: dialling on");
    }
}

/// Between half a pause and a whole one, so that peers that lost each other do not all dial at once.
fn jittered() -> Duration {
    let random = getrandom::u32().unwrap_or(0);
    Duration::from_millis(PAUSE_MS / 2 + u64::from(random) % (PAUSE_MS / 2))
}
