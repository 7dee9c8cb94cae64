//! Who may connect to whom, and that one bad client does not hold up the others.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::net::UdpSocket;

use crate::tests::support::{assembled, authority, endpoint, endpoint_with, identity, loopback, pair, soon};
use crate::{
    AcceptError, BindError, CertificateAuthority, Connection, DialError, Endpoint, Identity, Limits, PeerName, Refusal,
};

/// Dials and accepts at once; gives both outcomes.
async fn meet(
    left: &Endpoint,
    right: &Endpoint,
    node: Option<&str>,
) -> (Result<Connection, DialError>, Result<Connection, AcceptError>) {
    let (dialed, accepted) = soon(async { tokio::join!(left.dial(right.local_addr(), node), right.accept()) }).await;
    (dialed, accepted.unwrap())
}

/// A good node still gets through.
async fn still_serves(right: &Endpoint) {
    let (dialed, accepted) = meet(&endpoint("eu", "good"), right, None).await;
    dialed.unwrap();
    assert_eq!(accepted.unwrap().peer().node, "good");
}

#[tokio::test]
async fn both_sides_know_each_other() {
    let pair = pair().await;
    assert_eq!(pair.dialer.peer(), &PeerName::new("test", "us", "right").unwrap());
    assert_eq!(pair.answerer.peer(), &PeerName::new("test", "eu", "left").unwrap());
    assert_eq!(pair.dialer.remote_addr(), pair.right.local_addr());
    assert_eq!(pair.answerer.remote_addr(), pair.left.local_addr());
    assert!(pair.dialer.rtt() < Duration::from_secs(1));
    assert!(pair.dialer.traffic().sent_bytes > 0);
    assert_eq!(pair.dialer.close_reason(), None);
}

#[tokio::test]
async fn the_wrong_node_is_an_error_naming_both() {
    let right = endpoint("us", "right");
    let (dialed, accepted) = meet(&endpoint("eu", "left"), &right, Some("wanted")).await;
    let error = dialed.unwrap_err();
    let DialError::WrongPeer { refusal: Refusal::OtherNode { expected, found }, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((expected.as_str(), found.node.as_str()), ("wanted", "right"));
    assert!(error.is_definite());
    assert!(matches!(accepted, Err(AcceptError::Handshake { .. })));
    still_serves(&right).await;
}

#[tokio::test]
async fn a_foreign_authority_is_refused_by_either_side() {
    // Same cluster name, another authority.
    let foreign = CertificateAuthority::create("test").unwrap();
    let own = foreign.issue("eu", "mallory").unwrap();
    let right = endpoint("us", "right");
    let stranger = endpoint_with(Arc::new(assembled(&foreign, &own)), Limits::default());
    let (dialed, _) = meet(&stranger, &right, None).await;
    let error = dialed.unwrap_err();
    assert!(matches!(&error, DialError::WrongPeer { refusal: Refusal::Untrusted { .. }, .. }));
    let text = error.to_string();
    assert!(text.contains("anabranch://test/us/right") && text.contains("another authority"), "{text}");

    // A stranger who trusts our authority but holds a certificate of another one.
    let sly = endpoint_with(Arc::new(assembled(authority(), &own)), Limits::default());
    let (dialed, accepted) = meet(&sly, &right, None).await;
    let error = accepted.unwrap_err();
    let AcceptError::Refused { refusal: Refusal::Untrusted { claim, .. }, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!(claim, "anabranch://test/eu/mallory");
    let error = dialed.unwrap_err();
    assert!(matches!(&error, DialError::RefusedByPeer { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("refused this node: its certificate") && text.contains("another authority"), "{text}");
    still_serves(&right).await;
}

#[tokio::test]
async fn another_cluster_of_the_same_authority_is_refused() {
    // An authority with the same key, taken up under another cluster's name.
    let other = authority().renamed("other");
    let own = other.issue("eu", "left").unwrap();
    let own = Arc::new(assembled(authority(), &own));
    let left = endpoint_with(own.clone(), Limits::default());
    let right = endpoint("us", "right");
    let (dialed, _) = meet(&left, &right, None).await;
    let error = dialed.unwrap_err();
    let DialError::WrongPeer { refusal: Refusal::OtherCluster { expected, found }, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((expected.as_str(), found.cluster.as_str()), ("other", "test"));

    // A dialer which does not mind: the answering side does.
    let (addr, plain) = (right.local_addr(), Plain::new(Some(&own)));
    let (accepted, _) = soon(async { tokio::join!(right.accept(), plain.dial(addr)) }).await;
    let error = accepted.unwrap().unwrap_err();
    let AcceptError::Refused { refusal: Refusal::OtherCluster { expected, found }, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((expected.as_str(), found.cluster.as_str()), ("test", "other"));
    still_serves(&right).await;
}

/// A dialer without the rules of this crate: it accepts every node of the authority, and may have
/// no certificate of its own.
struct Plain {
    quic: quinn::Endpoint,
    config: quinn::ClientConfig,
}

impl Plain {
    fn new(own: Option<&Identity>) -> Self {
        Self::speaking(own, b"anabranch/1")
    }

    fn speaking(own: Option<&Identity>, protocol: &[u8]) -> Self {
        let trusting = identity("eu", "trusting");
        let builder = rustls::ClientConfig::builder_with_provider(trusting.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(trusting.dialed.clone());
        let mut tls = match own {
            Some(own) => {
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own.own.clone())))
            }
            None => builder.with_no_client_auth(),
        };
        tls.alpn_protocols = vec![protocol.to_vec()];
        let quic = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
        Self { quic: quinn::Endpoint::client(loopback()).unwrap(), config: quinn::ClientConfig::new(Arc::new(quic)) }
    }

    /// Dials and waits until the other side has ended the connection.
    async fn dial(&self, addr: SocketAddr) -> quinn::ConnectionError {
        let config = self.config.clone();
        let connecting = self.quic.connect_with(config, addr, "anabranch.node");
        match connecting.unwrap().await {
            Ok(connection) => connection.closed().await,
            Err(error) => error,
        }
    }
}

#[tokio::test]
async fn nobody_without_a_certificate_gets_in() {
    let right = endpoint("us", "right");
    let stranger = Plain::new(None);
    let addr = right.local_addr();
    let (accepted, closed) = soon(async { tokio::join!(right.accept(), stranger.dial(addr)) }).await;
    let error = accepted.unwrap().unwrap_err();
    assert!(error.to_string().contains("no certificate"), "{error}");
    assert!(closed.to_string().contains("certificate"), "{closed}");
    still_serves(&right).await;
}

#[tokio::test]
async fn another_protocol_is_refused() {
    let right = endpoint("us", "right");
    let own = identity("eu", "left");
    let stranger = Plain::speaking(Some(&own), b"h3");
    let addr = right.local_addr();
    let (accepted, _) = soon(async { tokio::join!(right.accept(), stranger.dial(addr)) }).await;
    let error = accepted.unwrap().unwrap_err();
    assert!(error.to_string().contains("protocol"), "{error}");
    still_serves(&right).await;
}

#[tokio::test]
async fn expired_certificates_are_refused_by_either_side() {
    let day = Duration::from_secs(24 * 3600);
    let past = SystemTime::now() - 10 * day;
    let old = authority().issue_valid("eu", "old", past, day).unwrap();
    let old = endpoint_with(Arc::new(assembled(authority(), &old)), Limits::default());
    let right = endpoint("us", "right");
    let (dialed, accepted) = meet(&old, &right, None).await;
    assert!(dialed.unwrap_err().to_string().contains("expired"));
    let error = accepted.unwrap_err();
    assert!(error.to_string().contains("expired"), "{error}");
    assert!(error.to_string().contains("anabranch://test/eu/old"), "{error}");
    let (dialed, _) = meet(&right, &old, Some("old")).await;
    let error = dialed.unwrap_err();
    assert!(matches!(&error, DialError::WrongPeer { .. }) && error.to_string().contains("expired"));
    still_serves(&right).await;
}

#[tokio::test]
async fn silent_strangers_do_not_hold_up_others() {
    let limits = Limits { handshake_timeout: Duration::from_millis(1500), ..Limits::default() };
    let right = endpoint_with(identity("us", "right"), limits);
    let addr = right.local_addr();
    // A relay which passes the first datagrams on and then nothing comes back: a dialer which
    // falls silent in the middle of its handshake.
    let mute = mute_relay(addr).await;
    let victim = endpoint("eu", "victim");
    let dialing = tokio::spawn(async move { victim.dial(mute, None).await.unwrap_err() });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = Instant::now();
    still_serves(&right).await;
    assert!(begun.elapsed() < Duration::from_millis(1000));
    let error = soon(right.accept()).await.unwrap().unwrap_err();
    assert!(matches!(error, AcceptError::TimedOut { .. }), "{error}");
    let error = soon(dialing).await.unwrap();
    assert!(matches!(error, DialError::NoAnswer { .. }), "{error}");
}

/// Passes datagrams on to `target` and swallows all answers.
async fn mute_relay(target: SocketAddr) -> SocketAddr {
    let front = UdpSocket::bind(loopback()).await.unwrap();
    let back = UdpSocket::bind(loopback()).await.unwrap();
    let addr = front.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, _)) = front.recv_from(&mut buffer).await {
            back.send_to(&buffer[..length], target).await.unwrap();
        }
    });
    addr
}

#[tokio::test]
async fn too_many_handshakes_are_refused() {
    let limits = Limits { max_handshakes: 1, ..Limits::default() };
    let right = endpoint_with(identity("us", "right"), limits);
    let left = endpoint("eu", "left");
    // Done, but not taken: it fills the only place.
    let first = soon(left.dial(right.local_addr(), None)).await.unwrap();
    let error = soon(left.dial(right.local_addr(), None)).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
    assert_eq!(soon(right.accept()).await.unwrap().unwrap().peer().node, "left");
    still_serves(&right).await;
    drop(first);
}

#[tokio::test]
async fn strangers_can_be_made_to_prove_their_address() {
    let limits = Limits { retry_from: 0, ..Limits::default() };
    let right = endpoint_with(identity("us", "right"), limits);
    still_serves(&right).await;
}

#[tokio::test]
async fn bad_endpoints_are_refused() {
    let first = endpoint("eu", "first");
    let taken = first.local_addr();
    let error = Endpoint::bind(taken, identity("eu", "second"), Limits::default()).unwrap_err();
    assert!(matches!(error, BindError::InUse { addr } if addr == taken));
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
    let senseless = Limits { keep_alive: Duration::from_secs(3), ..Limits::default() };
    let error = Endpoint::bind(loopback(), identity("eu", "second"), senseless).unwrap_err();
    assert!(matches!(error, BindError::Limits(_)));
}

#[tokio::test]
async fn closing_tells_the_peers_and_frees_the_port() {
    let pair = pair().await;
    let addr = pair.right.local_addr();
    soon(pair.right.close()).await;
    let reason = soon(pair.dialer.closed()).await;
    assert!(reason.to_string().contains("shutting down"), "{reason}");
    assert!(soon(pair.right.accept()).await.is_none());
    let error = pair.right.dial(addr, None).await.unwrap_err();
    assert_eq!(error, DialError::EndpointClosed);
    drop((pair.right, pair.answerer));
    let again = async {
        while Endpoint::bind(addr, identity("us", "right"), Limits::default()).is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(again).await;
}
