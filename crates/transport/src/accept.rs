//! Answering handshakes: many at once, each with a deadline, none able to hold up the others.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::{Incoming, ServerConfig};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use crate::connection::{CloseReason, Connection};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::tls;
use crate::verify::{Refusal, Verdict};

/// The first byte a dialer gets: its certificate is accepted. (In TLS 1.3 the dialer's handshake
/// ends before the other side has seen its certificate.)
pub(crate) const WELCOME: u8 = 1;

type Outcome = Result<Connection, AcceptError>;

/// An incoming connection came to nothing. Other connections are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcceptError {
    /// This node refused the certificate of the one who dialed.
    #[error("refused a connection from {addr}: {refusal}")]
    Refused {
        /// Where the connection came from.
        addr: SocketAddr,
        /// What is wrong with the certificate.
        refusal: Refusal,
    },
    /// The handshake failed: no certificate, another protocol, or the other side refused this
    /// node.
    #[error("the handshake with {addr} failed: {reason}")]
    Handshake {
        /// Where the connection came from.
        addr: SocketAddr,
        /// What happened.
        reason: String,
    },
    /// The one who dialed did not finish the handshake in time.
    #[error("the handshake with {addr} took too long and was given up")]
    TimedOut {
        /// Where the connection came from.
        addr: SocketAddr,
    },
}

/// Answers handshakes in the background and hands out what comes of them.
#[derive(Debug)]
pub(crate) struct Acceptor {
    /// Each with the place it fills until it is taken.
    outcomes: mpsc::Receiver<(Outcome, OwnedSemaphorePermit)>,
    task: JoinHandle<()>,
}

impl Acceptor {
    pub(crate) fn start(
        endpoint: quinn::Endpoint,
        config: ServerConfig,
        identity: Arc<Identity>,
        limits: Limits,
    ) -> Self {
        // The places bound what waits here, not the channel.
        let (sender, outcomes) = mpsc::channel(1);
        let host = Arc::new(Host { config, identity, limits, sender });
        let task = tokio::spawn(answer_all(endpoint, host));
        Self { outcomes, task }
    }

    pub(crate) async fn next(&mut self) -> Option<Outcome> {
        self.outcomes.recv().await.map(|(outcome, _place)| outcome)
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What every handshake needs.
struct Host {
    config: ServerConfig,
    identity: Arc<Identity>,
    limits: Limits,
    sender: mpsc::Sender<(Outcome, OwnedSemaphorePermit)>,
}

async fn answer_all(endpoint: quinn::Endpoint, host: Arc<Host>) {
    let places = Arc::new(Semaphore::new(host.limits.max_handshakes));
    // Dropping the set, with this task, ends the handshakes too.
    let mut handshakes = JoinSet::new();
    while let Some(incoming) = endpoint.accept().await {
        while handshakes.try_join_next().is_some() {}
        let busy = host.limits.max_handshakes - places.available_permits();
        let unproven = !incoming.remote_address_validated() && incoming.may_retry();
        if busy >= host.limits.retry_from && unproven {
            // It can only fail if a retry was not allowed, which was just checked.
            let _ = incoming.retry();
            continue;
        }
        let Ok(place) = places.clone().try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let host = host.clone();
        handshakes.spawn(async move {
            let outcome = answer(incoming, &host).await;
            // Nobody listens any more if the endpoint was dropped meanwhile.
            let _ = host.sender.send((outcome, place)).await;
        });
    }
}

async fn answer(incoming: Incoming, host: &Host) -> Outcome {
    let addr = incoming.remote_address();
    let work = handshake(incoming, host);
    match tokio::time::timeout(host.limits.handshake_timeout, work).await {
        Ok(outcome) => outcome,
        Err(_) => Err(AcceptError::TimedOut { addr }),
    }
}

async fn handshake(incoming: Incoming, host: &Host) -> Outcome {
    let addr = incoming.remote_address();
    let failed = |reason: String| AcceptError::Handshake { addr, reason };
    let verdict = Arc::new(Verdict::default());
    let mut config = host.config.clone();
    config.crypto = tls::answer(&host.identity, verdict.clone()).map_err(failed)?;

    let explained = |error: quinn::ConnectionError| match verdict.refusal() {
        Some(refusal) => AcceptError::Refused { addr, refusal },
        None if error == quinn::ConnectionError::TimedOut => AcceptError::TimedOut { addr },
        None => failed(CloseReason::from(error).to_string()),
    };
    let connecting = incoming.accept_with(Arc::new(config)).map_err(explained)?;
    let quic = connecting.await.map_err(explained)?;
    let Some(peer) = verdict.peer() else {
        return Err(failed("it ended without a certificate".to_owned()));
    };
    let mut greeting = quic.open_uni().await.map_err(explained)?;
    greeting.write_all(&[WELCOME]).await.map_err(|e| failed(e.to_string()))?;
    greeting.finish().map_err(|e| failed(e.to_string()))?;
    Ok(Connection::new(quic, peer, host.limits.max_frame))
}
