//! The sockets of a simulated link: one which clients dial, and one per client towards the target.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::lane::{Datagram, Lane};

const MAX_CLIENTS: usize = 64;
const FORGET_AFTER: Duration = Duration::from_secs(30);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// The longest UDP datagram there is.
const LONGEST: usize = 65_536;
/// How many datagrams are read before others get their turn.
const BATCH: usize = 64;
/// What to ask the system for; it grants less if its own limits are lower.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// Opens the port which clients dial: on loopback, of the target's address family.
pub(super) fn listen(target: SocketAddr) -> io::Result<UdpSocket> {
    let loopback: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    open(SocketAddr::new(loopback, 0))
}

fn open(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(addr)?;
    socket.set_nonblocking(true)?;
    // Larger buffers only spare losses under load; do without if refused.
    let _ = SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER);
    let _ = SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER);
    UdpSocket::from_std(socket)
}

/// One who dialed the link.
struct Client {
    upstream: Arc<UdpSocket>,
    last_seen: Instant,
    reader: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Reads what clients send, for as long as the link lives.
pub(super) async fn run(listener: UdpSocket, target: SocketAddr, to_target: Arc<Lane>, from_target: Arc<Lane>) {
    let mut relay = Relay { listener: Arc::new(listener), target, to_target, from_target, clients: HashMap::new() };
    let mut buffer = vec![0; LONGEST];
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            ready = relay.listener.readable() => if ready.is_ok() {
                relay.read_batch(&mut buffer);
                // Socket readiness alone does not always yield to other tasks.
                tokio::task::yield_now().await;
            },
            _ = sweep.tick() => relay.forget_idle(),
        }
    }
}

struct Relay {
    listener: Arc<UdpSocket>,
    target: SocketAddr,
    to_target: Arc<Lane>,
    from_target: Arc<Lane>,
    clients: HashMap<SocketAddr, Client>,
}

impl Relay {
    fn read_batch(&mut self, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            match self.listener.try_recv_from(buffer) {
                Ok((length, from)) => self.relay(&buffer[..length], from),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Left over from an earlier send whose receiver is gone.
                Err(_) => {}
            }
        }
    }

    fn relay(&mut self, bytes: &[u8], from: SocketAddr) {
        match self.upstream(from) {
            Some(socket) => self.to_target.offer(Datagram { bytes: bytes.to_vec(), socket, to: None }),
            None => self.to_target.refuse(),
        }
    }

    /// The socket which stands for this client towards the target.
    fn upstream(&mut self, client: SocketAddr) -> Option<Arc<UdpSocket>> {
        if let Some(known) = self.clients.get_mut(&client) {
            known.last_seen = Instant::now();
            return Some(known.upstream.clone());
        }
        if self.clients.len() >= MAX_CLIENTS {
            return None;
        }
        let upstream = Arc::new(self.connect().ok()?);
        let reader =
            tokio::spawn(read_answers(upstream.clone(), self.listener.clone(), client, self.from_target.clone()));
        let known = Client { upstream: upstream.clone(), last_seen: Instant::now(), reader };
        self.clients.insert(client, known);
        Some(upstream)
    }

    fn connect(&self) -> io::Result<UdpSocket> {
        let own: IpAddr = match self.target.ip() {
            target if target.is_loopback() => target,
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = open(SocketAddr::new(own, 0))?;
        // Only what the target sends is let in from then on.
        SockRef::from(&socket).connect(&self.target.into())?;
        Ok(socket)
    }

    fn forget_idle(&mut self) {
        let now = Instant::now();
        self.clients.retain(|_, client| now.duration_since(client.last_seen) < FORGET_AFTER);
    }
}

/// Reads what the target answers to one client.
async fn read_answers(upstream: Arc<UdpSocket>, listener: Arc<UdpSocket>, client: SocketAddr, lane: Arc<Lane>) {
    let mut buffer = vec![0; LONGEST];
    while upstream.readable().await.is_ok() {
        for _ in 0..BATCH {
            match upstream.try_recv(&mut buffer) {
                Ok(length) => lane.offer(Datagram {
                    bytes: buffer[..length].to_vec(),
                    socket: listener.clone(),
                    to: Some(client),
                }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Nobody listens at the target at the moment.
                Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}
