//! Whole nodes, as `anabranch serve` runs them, in this process.

use anabranch::transport::CertificateAuthority;
use anabranch::{Database, PeerConfig};
use anabranch_server::{Config, Node, TlsFiles};
use anyhow::Context as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const CLUSTER: &str = "bench";

/// A node with a runtime of its own, on loopback. Its data is in the folder that it was given.
pub struct Running {
    runtime: Runtime,
    node: Node,
}

impl Running {
    /// One that stands alone: HTTP and nothing else.
    pub fn alone(dir: &Path) -> anyhow::Result<Self> {
        Self::start(config(dir, "a"))
    }

    /// One that peers and clients of the cluster reach over QUIC, in a region of its own name. It dials
    /// those peers that run, and accepts those that it is told the name of.
    pub fn member(dir: &Path, name: &str, credentials: &Credentials, peers: &[Peer]) -> anyhow::Result<Self> {
        Self::start(Config {
            quic: Some(loopback()),
            tls: Some(credentials.node(name)?),
            peers: peers.iter().map(Peer::config).collect(),
            ..config(dir, name)
        })
    }

    fn start(config: Config) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let node = runtime.block_on(Node::start(config))?;
        Ok(Self { runtime, node })
    }

    pub fn http_addr(&self) -> SocketAddr {
        self.node.http_addr()
    }

    pub fn quic_addr(&self) -> Option<SocketAddr> {
        self.node.quic_addr()
    }

    pub fn database(&self) -> &Database {
        self.node.database()
    }

    /// Until it has all that the other has now, on disk. Looks again after each `pause`.
    pub fn wait_for(&self, other: &Self, patience: Duration, pause: Duration) -> anyhow::Result<()> {
        let (wanted, begun) = (other.database().view().token(), Instant::now());
        while self.database().view().satisfies(&wanted).is_err() {
            anyhow::ensure!(begun.elapsed() < patience, "the second node does not catch up");
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Stops it; its data stays.
    pub fn stop(self) {
        self.runtime.block_on(self.node.stop());
    }
}

/// Another member.
pub enum Peer<'a> {
    /// It runs, and is to be dialled.
    Running(&'a Running),
    /// It comes later, under that name.
    Later(&'a str),
}

impl Peer<'_> {
    fn config(&self) -> PeerConfig {
        match self {
            Peer::Running(node) => {
                PeerConfig { addr: node.quic_addr().map(|addr| addr.to_string()), ..PeerConfig::default() }
            }
            Peer::Later(name) => PeerConfig { node: Some((*name).to_owned()), ..PeerConfig::default() },
        }
    }
}

fn config(dir: &Path, name: &str) -> Config {
    Config {
        cluster: CLUSTER.to_owned(),
        region: name.to_owned(),
        name: name.to_owned(),
        leader: None,
        data_dir: dir.join(name),
        max_clock_skew: None,
        lag_limit: Duration::from_secs(1),
        http: loopback(),
        quic: None,
        tls: None,
        peers: Vec::new(),
        insecure: false,
        allowed_origins: Vec::new(),
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A cluster's authority and the certificates that it gave.
pub struct Credentials {
    authority: CertificateAuthority,
    dir: PathBuf,
    ca: PathBuf,
}

impl Credentials {
    /// New ones, in that folder.
    pub fn create(dir: &Path) -> anyhow::Result<Self> {
        let authority = CertificateAuthority::create(CLUSTER)?;
        let (ca, _) = authority.write_ca(dir)?;
        Ok(Self { authority, dir: dir.to_owned(), ca })
    }

    fn node(&self, name: &str) -> anyhow::Result<TlsFiles> {
        let (cert, key) = self.authority.issue(name, name)?.write_node(&self.dir)?;
        Ok(TlsFiles { ca: self.ca.clone(), cert, key })
    }

    /// What a client proves itself with.
    pub fn client(&self, name: &str) -> anyhow::Result<anabranch_client::Identity> {
        let issued = self.authority.issue("clients", name)?;
        let ca = self.authority.cert_pem().as_bytes();
        let identity = anabranch_client::Identity::from_pem(ca, issued.cert_pem.as_bytes(), issued.key_pem.as_bytes());
        identity.context("an identity of a client")
    }
}
