//! A cluster for tests: an authority, identities, endpoints and pairs of connections.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::identity::Source;
use crate::{CertificateAuthority, Connection, Endpoint, Identity, Limits, NodeCertificate};

/// The authority of the test cluster, one for all tests.
pub(super) fn authority() -> &'static CertificateAuthority {
    static AUTHORITY: OnceLock<CertificateAuthority> = OnceLock::new();
    AUTHORITY.get_or_init(|| CertificateAuthority::create("test").unwrap())
}

pub(super) fn identity(region: &str, node: &str) -> Arc<Identity> {
    let issued = authority().issue(region, node).unwrap();
    Arc::new(assembled(authority(), &issued))
}

/// An identity out of parts which need not fit together.
pub(super) fn assembled(ca: &CertificateAuthority, own: &NodeCertificate) -> Identity {
    Identity::unproven(
        &Source::new("ca", ca.cert_pem().as_bytes()),
        &Source::new("cert", own.cert_pem.as_bytes()),
        &Source::new("key", own.key_pem.as_bytes()),
    )
    .unwrap()
}

pub(super) fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(super) fn endpoint(region: &str, node: &str) -> Endpoint {
    endpoint_with(identity(region, node), Limits::default())
}

pub(super) fn endpoint_with(identity: Arc<Identity>, limits: Limits) -> Endpoint {
    Endpoint::bind(loopback(), identity, limits).unwrap()
}

/// Two connected nodes.
pub(super) struct Pair {
    pub(super) dialer: Connection,
    pub(super) answerer: Connection,
    pub(super) left: Endpoint,
    pub(super) right: Endpoint,
}

pub(super) async fn pair() -> Pair {
    let right = endpoint("us", "right");
    let addr = right.local_addr();
    connect(endpoint("eu", "left"), right, addr).await
}

/// Connects `left` to `right`, which is reached at `addr`.
pub(super) async fn connect(left: Endpoint, right: Endpoint, addr: SocketAddr) -> Pair {
    let (dialed, accepted) = tokio::join!(left.dial(addr, Some("right")), right.accept());
    Pair { dialer: dialed.unwrap(), answerer: accepted.unwrap().unwrap(), left, right }
}

/// Fails instead of hanging.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(8), work).await.expect("it should not take this long")
}
