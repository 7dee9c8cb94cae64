//! A verified connection to one peer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use quinn::{ConnectionError, VarInt};

use crate::frames::{FrameReceiver, FrameSender};
use crate::name::PeerName;

/// A connection to a peer whose certificate was verified, as was ours by the peer.
///
/// Cloning gives another handle to the same connection. The connection ends when it is
/// [closed](Connection::close), lost, or when all handles and streams of it are dropped.
#[derive(Debug, Clone)]
pub struct Connection {
    quic: quinn::Connection,
    peer: PeerName,
    max_frame: u32,
    streams: Streams,
}

/// How many bytes of frames all streams of a connection have carried, with the lengths before them.
#[derive(Debug, Clone, Default)]
struct Streams {
    sent: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
}

impl Connection {
    pub(crate) fn new(quic: quinn::Connection, peer: PeerName, max_frame: u32) -> Self {
        Self { quic, peer, max_frame, streams: Streams::default() }
    }

    /// Who the peer is, according to its certificate.
    pub fn peer(&self) -> &PeerName {
        &self.peer
    }

    /// The address the peer is reached at. It identifies nobody.
    pub fn remote_addr(&self) -> SocketAddr {
        self.quic.remote_address()
    }

    /// The current estimate of the round-trip time.
    pub fn rtt(&self) -> Duration {
        self.quic.rtt()
    }

    /// What the connection has carried so far.
    pub fn traffic(&self) -> Traffic {
        let stats = self.quic.stats();
        Traffic {
            sent_bytes: stats.udp_tx.bytes,
            received_bytes: stats.udp_rx.bytes,
            sent_stream_bytes: self.streams.sent.load(Ordering::Relaxed),
            received_stream_bytes: self.streams.received.load(Ordering::Relaxed),
            sent_packets: stats.path.sent_packets,
            lost_packets: stats.path.lost_packets,
        }
    }

    /// Opens a stream of frames. The peer sees it only once the first frame is sent, so the side
    /// which opens must also be the first to send. Waits while the peer's limit of open streams is
    /// used up.
    ///
    /// # Errors
    /// Why the connection has ended, if it has.
    pub async fn open(&self) -> Result<(FrameSender, FrameReceiver), CloseReason> {
        let (send, recv) = self.quic.open_bi().await?;
        Ok(self.framed(send, recv))
    }

    /// Waits for a stream opened by the peer. Cancel safe.
    ///
    /// # Errors
    /// Why the connection has ended, if it has.
    pub async fn accept_stream(&self) -> Result<(FrameSender, FrameReceiver), CloseReason> {
        let (send, recv) = self.quic.accept_bi().await?;
        Ok(self.framed(send, recv))
    }

    /// For tests which send what no honest peer would.
    #[cfg(test)]
    pub(crate) fn raw(&self) -> &quinn::Connection {
        &self.quic
    }

    fn framed(&self, send: quinn::SendStream, recv: quinn::RecvStream) -> (FrameSender, FrameReceiver) {
        let Streams { sent, received } = self.streams.clone();
        (FrameSender::new(send, self.max_frame, sent), FrameReceiver::new(recv, self.max_frame, received))
    }

    /// Closes the connection at once and tells the peer `code` and `reason`. Data not yet
    /// acknowledged by the peer may be lost: [`FrameSender::finish`] waits for that.
    pub fn close(&self, code: u32, reason: &str) {
        self.quic.close(VarInt::from_u32(code), reason.as_bytes());
    }

    /// Waits until the connection has ended and says why. Cancel safe.
    pub async fn closed(&self) -> CloseReason {
        self.quic.closed().await.into()
    }

    /// Why the connection has ended; `None` while it lives.
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.quic.close_reason().map(CloseReason::from)
    }
}

/// What a connection has carried since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent as UDP payload, repetitions included.
    pub sent_bytes: u64,
    /// Bytes received as UDP payload.
    pub received_bytes: u64,
    /// Bytes of frames, with the lengths before them, that were given to streams: what is left of the bytes sent without
    /// what QUIC adds.
    pub sent_stream_bytes: u64,
    /// Likewise of frames that came.
    pub received_stream_bytes: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Sent packets which count as lost.
    pub lost_packets: u64,
}

/// Why a connection has ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// This side closed it.
    #[error("closed by this node")]
    Local,
    /// The peer closed it.
    #[error("closed by the peer with code {code}: {reason:?}")]
    Peer {
        /// The code the peer gave.
        code: u64,
        /// The reason the peer gave; unverified text.
        reason: String,
    },
    /// Nothing was heard of the peer for the idle timeout: it or the network between is down.
    #[error("nothing heard from the peer for too long")]
    TimedOut,
    /// The peer no longer knows the connection; most likely it restarted.
    #[error("the peer no longer knows this connection (it has probably restarted)")]
    Reset,
    /// The peer broke the protocol, or says that this side did.
    #[error("protocol failure: {reason}")]
    Protocol {
        /// What went wrong.
        reason: String,
    },
}

impl From<ConnectionError> for CloseReason {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::LocallyClosed => Self::Local,
            ConnectionError::TimedOut => Self::TimedOut,
            ConnectionError::Reset => Self::Reset,
            ConnectionError::ApplicationClosed(close) => {
                Self::Peer { code: close.error_code.into_inner(), reason: peer_text(&close.reason) }
            }
            other => Self::Protocol { reason: peer_text(other.to_string().as_bytes()) },
        }
    }
}

/// Text which came from a peer, made fit for a log: one line, without control characters, bounded.
pub(crate) fn peer_text(bytes: &[u8]) -> String {
    const LONGEST: usize = 500;
    let harmless = |c: char| if c.is_control() { ' ' } else { c };
    String::from_utf8_lossy(bytes).chars().take(LONGEST).map(harmless).collect()
}
