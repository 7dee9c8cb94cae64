//! What the tests share: clusters of databases on loopback.

use anabranch::transport::{CertificateAuthority, Identity, Limits};
use anabranch::{Database, Network, NetworkConfig, PeerConfig};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where a free port is taken.
pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// One authority and the nodes it certifies.
pub(crate) struct Cluster {
    authority: CertificateAuthority,
}

/// A database that takes part in a cluster.
pub(crate) struct Node {
    pub(crate) db: Database,
    pub(crate) network: Network,
}

impl Cluster {
    pub(crate) fn new(name: &str) -> Self {
        Self { authority: CertificateAuthority::create(name).expect("an authority") }
    }

    pub(crate) fn identity(&self, node: &str) -> Identity {
        let issued = self.authority.issue(node, node).expect("a certificate");
        let ca = self.authority.cert_pem().as_bytes();
        Identity::from_pem(ca, issued.cert_pem.as_bytes(), issued.key_pem.as_bytes()).expect("an identity")
    }

    /// Lets a database take part, under the name `node`, in a region of that name.
    pub(crate) fn join(&self, db: Database, node: &str) -> Node {
        let identity = Arc::new(self.identity(node));
        let config = NetworkConfig { identity, listen: any_port(), limits: Limits::default() };
        let network = Network::start(&db, config).expect("a network");
        Node { db, network }
    }
}

/// Makes each know all others; all dial all.
pub(crate) fn mesh(nodes: &[(&str, &Node)]) {
    for (name, node) in nodes {
        for (other, to) in nodes.iter().filter(|(other, _)| other != name) {
            let addr = Some(to.network.local_addr().to_string());
            node.network.add_peer(PeerConfig { node: Some((*other).to_owned()), region: None, addr });
        }
    }
}

/// Waits until `check` holds; fails after 10 s.
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !check() {
        assert!(Instant::now() < deadline, "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether all hold the same transactions and the same rows.
pub(crate) fn equal(databases: &[&Database]) -> bool {
    let status = |db: &&Database| db.status().map(|status| (status.vector, status.digest));
    let first = status(&databases[0]);
    first.is_some() && databases.iter().all(|db| status(db) == first)
}
