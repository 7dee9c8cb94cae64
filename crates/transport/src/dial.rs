//! Connecting to another node.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectError, ConnectionError, TransportConfig};

use crate::accept::WELCOME;
use crate::certs::TLS_NAME;
use crate::connection::{Connection, peer_text};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::tls;
use crate::verify::{Refusal, Verdict};

/// A dial came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Somebody answered who is not the node to talk to; trying again will not help.
    #[error("not the right node at {addr}: {refusal}")]
    WrongPeer {
        /// The address dialed.
        addr: SocketAddr,
        /// Who it is, or what is wrong with its certificate.
        refusal: Refusal,
    },
    /// The node which answered refused this one; trying again helps only after a change there or
    /// of this node's certificate.
    #[error("the node at {addr} refused this node: {reason}")]
    RefusedByPeer {
        /// The address dialed.
        addr: SocketAddr,
        /// What the other side said; unverified text.
        reason: String,
    },
    /// Nobody answered: the node or the network between is down, or the address is wrong.
    #[error("no answer from {addr} within {} ms", waited.as_millis())]
    NoAnswer {
        /// The address dialed.
        addr: SocketAddr,
        /// How long was waited.
        waited: Duration,
    },
    /// The handshake failed in another way, for example because something else answered.
    #[error("cannot connect to {addr}: {reason}")]
    Failed {
        /// The address dialed.
        addr: SocketAddr,
        /// What happened.
        reason: String,
    },
    /// This endpoint is closed.
    #[error("this endpoint is closed and dials nobody")]
    EndpointClosed,
}

impl DialError {
    /// Whether the reason is one of identity, so that dialing again changes nothing until somebody
    /// changes an address or a certificate.
    pub fn is_definite(&self) -> bool {
        matches!(self, Self::WrongPeer { .. } | Self::RefusedByPeer { .. })
    }
}

/// What a dial needs to know of its endpoint.
pub(crate) struct Config<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) limits: &'a Limits,
    pub(crate) transport: Arc<TransportConfig>,
}

pub(crate) async fn dial(
    endpoint: &quinn::Endpoint,
    config: &Config<'_>,
    addr: SocketAddr,
    node: Option<&str>,
) -> Result<Connection, DialError> {
    let begun = tokio::time::Instant::now();
    let verdict = Arc::new(Verdict::default());
    let work = handshake(endpoint, config, addr, node, verdict.clone());
    let failure = match tokio::time::timeout(config.limits.handshake_timeout, work).await {
        Ok(Ok(connection)) => return Ok(connection),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::Quic(ConnectionError::TimedOut),
    };
    Err(explain(failure, addr, &verdict, begun.elapsed()))
}

/// What went wrong, before it is put in terms of the caller.
enum Failure {
    Quic(ConnectionError),
    EndpointClosed,
    Other(String),
}

impl From<ConnectionError> for Failure {
    fn from(error: ConnectionError) -> Self {
        Self::Quic(error)
    }
}

async fn handshake(
    endpoint: &quinn::Endpoint,
    config: &Config<'_>,
    addr: SocketAddr,
    node: Option<&str>,
    verdict: Arc<Verdict>,
) -> Result<Connection, Failure> {
    let transport = config.transport.clone();
    let tls = tls::dial(config.identity, transport, node, verdict.clone());
    let tls = tls.map_err(Failure::Other)?;
    let connecting = endpoint.connect_with(tls, addr, TLS_NAME).map_err(|error| match error {
        ConnectError::EndpointStopping => Failure::EndpointClosed,
        other => Failure::Other(other.to_string()),
    })?;
    let quic = connecting.await?;
    let mut greeting = quic.accept_uni().await?;
    match greeting.read_to_end(1).await {
        Ok(bytes) if bytes == [WELCOME] => {}
        Ok(_) => return Err(Failure::Other("it did not greet as it should".to_owned())),
        Err(quinn::ReadToEndError::Read(quinn::ReadError::ConnectionLost(lost))) => {
            return Err(Failure::Quic(lost));
        }
        Err(other) => return Err(Failure::Other(other.to_string())),
    }
    match verdict.peer() {
        Some(peer) => Ok(Connection::new(quic, peer, config.limits.max_frame)),
        None => Err(Failure::Other("it showed no certificate".to_owned())),
    }
}

fn explain(failure: Failure, addr: SocketAddr, verdict: &Verdict, waited: Duration) -> DialError {
    // This side's own refusal is the cause of whatever error came of it.
    if let Some(refusal) = verdict.refusal() {
        return DialError::WrongPeer { addr, refusal };
    }
    match failure {
        Failure::EndpointClosed | Failure::Quic(ConnectionError::LocallyClosed) => DialError::EndpointClosed,
        Failure::Quic(ConnectionError::TimedOut) => DialError::NoAnswer { addr, waited },
        Failure::Quic(ConnectionError::ConnectionClosed(close)) if is_tls_alert(&close) => {
            let text = peer_text(&close.reason);
            // How rustls introduces the refusals of this crate.
            let text = text.strip_prefix("other error: ").unwrap_or(&text);
            let reason = if text.is_empty() { close.error_code.to_string() } else { text.to_owned() };
            DialError::RefusedByPeer { addr, reason }
        }
        Failure::Quic(other) => DialError::Failed { addr, reason: peer_text(other.to_string().as_bytes()) },
        Failure::Other(reason) => DialError::Failed { addr, reason },
    }
}

/// QUIC carries TLS alerts as the codes 0x100 to 0x1ff.
fn is_tls_alert(close: &quinn::ConnectionClose) -> bool {
    (0x100..0x200).contains(&u64::from(close.error_code))
}
