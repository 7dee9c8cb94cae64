//! Ports that nobody uses.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A loopback port that is free for TCP and UDP, and is given out once by this process. It is below the range from which
/// systems choose ports for outgoing connections, so that none of those takes it before it is used; where a process
/// begins depends on its id, so that test processes running side by side rarely look at the same ports.
pub(crate) fn free_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 22_000;
    loop {
        let at = std::process::id().wrapping_mul(64).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(FIRST + at % COUNT).expect("a port");
        let free_tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let free_udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        if free_tcp.is_ok() && free_udp.is_ok() {
            return port;
        }
    }
}
