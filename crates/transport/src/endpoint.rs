//! One UDP port, from which a node dials and at which it answers.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use quinn::{EndpointConfig, TokioRuntime, TransportConfig, VarInt};
use socket2::SockRef;
use tokio::sync::Mutex;

use crate::accept::{AcceptError, Acceptor};
use crate::connection::Connection;
use crate::dial::{self, DialError};
use crate::identity::Identity;
use crate::limits::Limits;
use crate::tls;

/// What to ask the system for; it grants less if its own limits are lower.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
/// How long `close` waits for the peers to take note.
const FAREWELL: Duration = Duration::from_secs(1);

/// A UDP port with a node's identity: dials other nodes and answers them.
///
/// Dropping it stops answering; its connections live on until they end by themselves.
#[derive(Debug)]
pub struct Endpoint {
    quic: quinn::Endpoint,
    local: SocketAddr,
    identity: Arc<Identity>,
    limits: Limits,
    transport: Arc<TransportConfig>,
    acceptor: Mutex<Acceptor>,
}

/// An endpoint cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another program, or another endpoint of this one, uses the port.
    #[error("the UDP address {addr} is in use: stop the program which uses it or choose another port")]
    InUse {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The address cannot be used for another reason.
    #[error("cannot listen at UDP address {addr}: {source}")]
    Socket {
        /// The address asked for.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The limits contradict themselves.
    #[error("the transport limits are unusable: {0}")]
    Limits(String),
    /// The TLS library rejects the settings.
    #[error("cannot set up TLS: {0}")]
    Tls(String),
    /// Called outside a tokio runtime.
    #[error("an endpoint can only be set up inside a tokio runtime (a fault of the calling code)")]
    NoRuntime,
}

impl Endpoint {
    /// Opens a UDP port and begins to answer handshakes. Port 0 lets the system choose, see
    /// [`local_addr`](Self::local_addr). Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// If the address cannot be used, or the limits make no sense.
    pub fn bind(addr: SocketAddr, identity: Arc<Identity>, limits: Limits) -> Result<Self, BindError> {
        tokio::runtime::Handle::try_current().map_err(|_| BindError::NoRuntime)?;
        limits.check().map_err(BindError::Limits)?;
        let transport = Arc::new(limits.transport().map_err(BindError::Limits)?);
        let listen = tls::listen(&identity, &limits, transport.clone()).map_err(BindError::Tls)?;

        let socket_failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => BindError::InUse { addr },
            _ => BindError::Socket { addr, source },
        };
        let socket = UdpSocket::bind(addr).map_err(socket_failed)?;
        let local = socket.local_addr().map_err(socket_failed)?;
        // Larger buffers only spare losses under load; do without if refused.
        let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER);
        let _ = SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER);

        let quic =
            quinn::Endpoint::new(EndpointConfig::default(), Some(listen.clone()), socket, Arc::new(TokioRuntime))
                .map_err(socket_failed)?;
        let acceptor = Acceptor::start(quic.clone(), listen, identity.clone(), limits.clone());
        Ok(Self { quic, local, identity, limits, transport, acceptor: Mutex::new(acceptor) })
    }

    /// The address this endpoint is bound to, with the port in use.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Who this endpoint is.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Waits for the next incoming connection whose handshake has ended, well or badly; `None`
    /// after [`close`](Self::close). Handshakes proceed at the same time and whether or not anyone
    /// waits here, but each fills one of `max_handshakes` places until it is taken. Cancel safe.
    ///
    /// An error concerns one connection attempt only: go on accepting.
    pub async fn accept(&self) -> Option<Result<Connection, AcceptError>> {
        self.acceptor.lock().await.next().await
    }

    /// Connects to the node at `addr`, within the handshake timeout. Who answers is known by its
    /// certificate; with `expected_node` it must be the node of that name.
    ///
    /// # Errors
    /// If nobody answers, the wrong one answers, or the other side refuses this node.
    pub async fn dial(&self, addr: SocketAddr, expected_node: Option<&str>) -> Result<Connection, DialError> {
        let config = dial::Config { identity: &self.identity, limits: &self.limits, transport: self.transport.clone() };
        dial::dial(&self.quic, &config, addr, expected_node).await
    }

    /// Closes all connections, tells the peers so (waiting a second at most) and accepts no more.
    /// The port is free once the endpoint is dropped too.
    pub async fn close(&self) {
        self.quic.close(VarInt::from_u32(0), b"node is shutting down");
        // A peer which does not take note finds out by its idle timeout.
        let _ = tokio::time::timeout(FAREWELL, self.quic.wait_idle()).await;
    }
}
