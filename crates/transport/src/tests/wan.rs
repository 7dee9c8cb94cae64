//! The simulated link, alone and under connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;

use crate::tests::support::{connect, endpoint, endpoint_with, identity, loopback, soon};
use crate::{CloseReason, Congestion, Direction, Limits, LinkProfile, WanLink};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Sends back whatever it gets.
async fn echo() -> SocketAddr {
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    let addr = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            socket.send_to(&buffer[..length], from).await.unwrap();
        }
    });
    addr
}

/// Receives numbered datagrams until nothing comes for a while.
async fn numbers(socket: &UdpSocket) -> Vec<u32> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4];
    while let Ok(received) = tokio::time::timeout(ms(200), socket.recv(&mut buffer)).await {
        received.unwrap();
        seen.push(u32::from_le_bytes(buffer));
    }
    seen
}

/// What comes back of `count` numbered datagrams sent over a link to an echo.
async fn fates(profile: LinkProfile, seed: u64, count: u32) -> (Vec<u32>, WanLink) {
    let link = WanLink::start(echo().await, profile, seed).unwrap();
    // Only the way there is as the profile says, so that order means something.
    link.set_profile_one_way(Direction::FromTarget, LinkProfile::default()).unwrap();
    let socket = Arc::new(UdpSocket::bind(loopback()).await.unwrap());
    socket.connect(link.addr()).await.unwrap();
    // A loopback socket holds only a few hundred datagrams: read while sending.
    let reading = tokio::spawn({
        let socket = socket.clone();
        async move { numbers(&socket).await }
    });
    for number in 0..count {
        socket.send(&number.to_le_bytes()).await.unwrap();
        if number % 50 == 49 {
            tokio::time::sleep(ms(2)).await;
        }
    }
    (reading.await.unwrap(), link)
}

#[tokio::test]
async fn delay_is_as_told() {
    let link = WanLink::start(echo().await, LinkProfile::with_delay(ms(40)), 1).unwrap();
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    socket.connect(link.addr()).await.unwrap();
    let mut buffer = [0; 16];
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        socket.send(b"ping").await.unwrap();
        soon(socket.recv(&mut buffer)).await.unwrap();
        assert!(begun.elapsed() >= ms(80));
        best = best.min(begun.elapsed());
    }
    assert!(best < ms(110), "{best:?}");
    let stats = link.stats(Direction::ToTarget);
    assert_eq!((stats.delivered, stats.delivered_bytes), (5, 20));
}

#[tokio::test]
async fn faults_follow_the_seed() {
    let profile = LinkProfile { jitter: ms(3), loss: 0.2, duplicate: 0.1, reorder: 0.1, ..LinkProfile::default() };
    let (seen, link) = fates(profile, 7, 1000).await;
    let stats = link.stats(Direction::ToTarget);
    assert!((150..250).contains(&stats.lost), "{stats:?}");
    assert!((50..120).contains(&stats.duplicated), "{stats:?}");
    assert!((50..120).contains(&stats.reordered), "{stats:?}");
    assert_eq!(stats.delivered, 1000 - stats.lost + stats.duplicated);
    assert_eq!(seen.len() as u64, stats.delivered);
    assert!(!seen.is_sorted());

    let sorted = |mut seen: Vec<u32>| {
        seen.sort_unstable();
        seen
    };
    let first = sorted(seen);
    assert_eq!(first, sorted(fates(profile, 7, 1000).await.0));
    assert_ne!(first, sorted(fates(profile, 8, 1000).await.0));
}

#[tokio::test]
async fn jitter_alone_keeps_the_order() {
    let profile = LinkProfile { delay: ms(5), jitter: ms(20), ..LinkProfile::default() };
    let (seen, _link) = fates(profile, 3, 300).await;
    assert_eq!(seen, (0..300).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_direction_can_be_cut() {
    let link = WanLink::start(echo().await, LinkProfile::default(), 1).unwrap();
    let socket = UdpSocket::bind(loopback()).await.unwrap();
    socket.connect(link.addr()).await.unwrap();
    let echoed = async || {
        socket.send(&[0; 4]).await.unwrap();
        numbers(&socket).await.len()
    };
    assert_eq!(echoed().await, 1);
    link.cut_one_way(Direction::FromTarget);
    assert_eq!(echoed().await, 0);
    assert_eq!(link.stats(Direction::ToTarget).delivered, 2);
    assert_eq!(link.stats(Direction::FromTarget).cut, 1);
    link.heal();
    link.cut_one_way(Direction::ToTarget);
    assert_eq!(echoed().await, 0);
    assert_eq!(link.stats(Direction::ToTarget).cut, 1);
    link.heal();
    assert_eq!(echoed().await, 1);
}

#[tokio::test]
async fn clients_and_queue_are_bounded() {
    let long = LinkProfile::with_delay(Duration::from_secs(60));
    let link = WanLink::start(echo().await, long, 1).unwrap();
    let mut sockets = Vec::new();
    for _ in 0..70 {
        let socket = UdpSocket::bind(loopback()).await.unwrap();
        socket.send_to(b"x", link.addr()).await.unwrap();
        sockets.push(socket);
    }
    let datagram = vec![0; 60_000];
    let full = async {
        while link.stats(Direction::ToTarget).overflowed == 0 {
            sockets[0].send_to(&datagram, link.addr()).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    soon(full).await;
    assert_eq!(link.stats(Direction::ToTarget).refused, 6);
    link.cut();
    let cut = link.stats(Direction::ToTarget).cut;
    assert!((550..700).contains(&cut), "{cut} datagrams of 60 kB in 32 MiB");
}

#[tokio::test]
async fn bad_profiles_are_refused() {
    for loss in [-0.1, 1.1, f64::NAN] {
        let profile = LinkProfile { loss, ..LinkProfile::default() };
        assert!(WanLink::start(loopback(), profile, 1).is_err());
    }
    let profile = LinkProfile::with_delay(Duration::from_secs(61));
    assert!(WanLink::start(loopback(), profile, 1).is_err());
}

#[tokio::test]
async fn a_cut_is_noticed_and_healing_lets_a_new_connection_through() {
    let right = endpoint("us", "right");
    let profile = LinkProfile::with_delay(ms(20));
    let link = WanLink::start(right.local_addr(), profile, 1).unwrap();
    let pair = connect(endpoint("eu", "left"), right, link.addr()).await;
    assert!(pair.dialer.rtt() >= ms(40), "{:?}", pair.dialer.rtt());

    // A short cut is survived.
    let (mut send, _back) = pair.dialer.open().await.unwrap();
    link.cut();
    send.send(b"hello").await.unwrap();
    tokio::time::sleep(ms(300)).await;
    link.heal();
    let (_, mut there) = soon(pair.answerer.accept_stream()).await.unwrap();
    assert_eq!(soon(there.recv()).await.unwrap().unwrap(), b"hello");

    link.cut();
    let begun = Instant::now();
    let lost = async { tokio::join!(pair.dialer.closed(), pair.answerer.closed()) };
    assert_eq!(soon(lost).await, (CloseReason::TimedOut, CloseReason::TimedOut));
    let took = begun.elapsed();
    assert!((ms(1500)..ms(4500)).contains(&took), "{took:?}");
    link.heal();
    connect(pair.left, pair.right, link.addr()).await;
}

#[tokio::test]
async fn idle_connections_live_on() {
    let right = endpoint("us", "right");
    let addr = right.local_addr();
    let pair = connect(endpoint("eu", "left"), right, addr).await;
    tokio::time::sleep(ms(4000)).await;
    assert_eq!(pair.dialer.close_reason(), None);
    assert_eq!(pair.answerer.close_reason(), None);
}

/// How many bytes per second a connection moves over a link.
async fn speed(profile: LinkProfile, congestion: Congestion, frames: usize) -> f64 {
    let limits = Limits { congestion, ..Limits::default() };
    let left = endpoint_with(identity("eu", "left"), limits.clone());
    let right = endpoint_with(identity("us", "right"), limits);
    let link = WanLink::start(right.local_addr(), profile, 1).unwrap();
    let pair = connect(left, right, link.addr()).await;
    let (mut send, _back) = pair.dialer.open().await.unwrap();
    let begun = Instant::now();
    let writer = tokio::spawn(async move {
        let frame = vec![7; 1024 * 1024];
        for _ in 0..frames {
            send.send(&frame).await.unwrap();
        }
        send.finish().await.unwrap();
    });
    let (_, mut there) = pair.answerer.accept_stream().await.unwrap();
    let mut bytes = 0;
    while let Some(frame) = there.recv().await.unwrap() {
        bytes += frame.len();
    }
    writer.await.unwrap();
    bytes as f64 / begun.elapsed().as_secs_f64()
}

#[tokio::test]
async fn bulk_data_passes_a_long_link() {
    for congestion in [Congestion::Cubic, Congestion::Bbr] {
        let speed = soon(speed(LinkProfile::with_delay(ms(40)), congestion, 4)).await;
        assert!(speed > 0.5e6, "{congestion:?}: {speed} bytes per second");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: its numbers depend on the machine"]
async fn measure_speed() {
    let long = LinkProfile::with_delay(ms(40));
    let lossy = LinkProfile { loss: 0.001, ..long };
    let mut report = String::new();
    for congestion in [Congestion::Cubic, Congestion::Bbr] {
        let links = [(LinkProfile::default(), 400), (long, 400), (lossy, 20)];
        for (profile, frames) in links {
            let rate = speed(profile, congestion, frames).await / 1e6;
            report += &format!("\n{rate:.1} MB/s with {congestion:?} over {profile:?}");
        }
    }
    panic!("{report}");
}
