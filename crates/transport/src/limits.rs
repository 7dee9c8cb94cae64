//! Bounds on what connections may take: time, memory, numbers.

use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::{BbrConfig, CubicConfig};
use quinn::{IdleTimeout, TransportConfig, VarInt};

/// Bounds on time, memory and numbers, for all connections of one endpoint.
///
/// A peer can make a connection hold at most `connection_window` received plus `send_window` sent
/// bytes, and each frame receiver at most twice `max_frame`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// How long a peer may be silent before the connection counts as lost. Default 3 s. The
    /// smaller value of the two sides holds.
    pub idle_timeout: Duration,
    /// After how long a silence a sign of life is sent. Default 1 s; must be shorter than
    /// `idle_timeout`.
    pub keep_alive: Duration,
    /// How long a dial or an incoming handshake may take in all. Default 5 s.
    pub handshake_timeout: Duration,
    /// How many incoming connections may be in their handshake, or done with it and not yet taken
    /// by `accept`; more are refused. Default 256.
    pub max_handshakes: usize,
    /// From how many such connections on a stranger must first prove its address (QUIC Retry),
    /// at the price of a round trip. Default 64; 0 means always.
    pub retry_from: usize,
    /// How many bidirectional streams a peer may have open. Default 16.
    pub max_bidi_streams: u32,
    /// How many unidirectional streams a peer may have open. Default 16; at least 1, since the
    /// greeting after a handshake needs one.
    pub max_uni_streams: u32,
    /// How many received bytes wait unread on one connection, in bytes. Default 16 MiB.
    pub connection_window: u32,
    /// How many received bytes wait unread on one stream, in bytes. Default 8 MiB.
    pub stream_window: u32,
    /// How many sent bytes wait for the peer's acknowledgement on one connection, in bytes; then
    /// sending waits. Default 8 MiB.
    pub send_window: u32,
    /// How sending adapts to the network. Default [`Congestion::Cubic`].
    pub congestion: Congestion,
    /// The longest frame sent or accepted, in bytes without its length prefix. Default 4 MiB.
    pub max_frame: u32,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: u32 = 1024 * 1024;
        Self {
            idle_timeout: Duration::from_secs(3),
            keep_alive: Duration::from_secs(1),
            handshake_timeout: Duration::from_secs(5),
            max_handshakes: 256,
            retry_from: 64,
            max_bidi_streams: 16,
            max_uni_streams: 16,
            connection_window: 16 * MIB,
            stream_window: 8 * MIB,
            send_window: 8 * MIB,
            congestion: Congestion::Cubic,
            max_frame: 4 * MIB,
        }
    }
}

impl Limits {
    /// Says which limit makes no sense, if any.
    pub(crate) fn check(&self) -> Result<(), String> {
        const LONGEST: Duration = Duration::from_secs(3600);
        let within = |d: Duration| d >= Duration::from_millis(1) && d <= LONGEST;
        let problem = if !within(self.idle_timeout) || !within(self.handshake_timeout) {
            "idle_timeout and handshake_timeout must be between 1 ms and 1 h"
        } else if self.keep_alive.is_zero() || self.keep_alive >= self.idle_timeout {
            "keep_alive must be above zero and below idle_timeout"
        } else if self.max_handshakes == 0 || self.max_handshakes > 65_536 {
            "max_handshakes must be between 1 and 65536"
        } else if self.max_bidi_streams == 0 || self.max_uni_streams == 0 {
            "max_bidi_streams and max_uni_streams must be at least 1"
        } else if self.stream_window == 0 || self.connection_window == 0 || self.send_window == 0 {
            "connection_window, stream_window and send_window must be at least 1"
        } else if self.max_frame == 0 {
            "max_frame must be at least 1"
        } else {
            return Ok(());
        };
        Err(problem.to_owned())
    }

    /// The same limits in quinn's terms; they have passed [`check`](Self::check).
    pub(crate) fn transport(&self) -> Result<TransportConfig, String> {
        let idle = IdleTimeout::try_from(self.idle_timeout).map_err(|e| e.to_string())?;
        let mut transport = TransportConfig::default();
        transport
            .max_idle_timeout(Some(idle))
            .keep_alive_interval(Some(self.keep_alive))
            .max_concurrent_bidi_streams(VarInt::from_u32(self.max_bidi_streams))
            .max_concurrent_uni_streams(VarInt::from_u32(self.max_uni_streams))
            .receive_window(VarInt::from_u32(self.connection_window))
            .stream_receive_window(VarInt::from_u32(self.stream_window))
            .send_window(u64::from(self.send_window))
            .datagram_receive_buffer_size(None)
            .allow_spin(false);
        match self.congestion {
            Congestion::Cubic => transport.congestion_controller_factory(Arc::new(CubicConfig::default())),
            Congestion::Bbr => transport.congestion_controller_factory(Arc::new(BbrConfig::default())),
        };
        Ok(transport)
    }
}

/// How a connection finds out how fast it may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Congestion {
    /// Slows down at every loss: fair to other traffic, and slow on long links which lose packets
    /// for other reasons than being full.
    #[default]
    Cubic,
    /// Measures the link's bandwidth instead (BBR; experimental in quinn): much faster on long
    /// links with some loss, and less considerate of other traffic.
    Bbr,
}
