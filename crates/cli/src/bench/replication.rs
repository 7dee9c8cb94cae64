//! Replication between two regions on loopback: written at one, on disk at the other.

use super::report::Row;
use super::{Setting, writes};
use anabranch::transport::{CertificateAuthority, Endpoint, Identity, Limits};
use anabranch::{Database, Network, NetworkConfig, PeerConfig};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const WRITERS: usize = 64;
pub(super) const CATCH_UP: Duration = Duration::from_secs(120);

/// Beside the sender's own rate with no peer.
pub(super) fn beside_sender(setting: &Setting) -> anyhow::Result<Row> {
    let dir = tempfile::tempdir_in(&setting.dir)?;
    let alone = Database::open(dir.path().join("alone"))?;
    let (raw, _) = writes::drive(&alone, WRITERS, setting.length)?;
    alone.close();
    let (ours, _) = replicate(dir.path(), setting.length)?;
    Ok(Row { ours, raw, beside: "the sender with no peer", unit: "writes", worst_ms: None })
}

/// Beside QUIC moving the same bytes.
pub(super) fn beside_quic(setting: &Setting) -> anyhow::Result<Row> {
    let dir = tempfile::tempdir_in(&setting.dir)?;
    let (rate, bytes_per_write) = replicate(dir.path(), setting.length)?;
    let raw = quic_alone(bytes_per_write, setting.length)?;
    Ok(Row { ours: rate, raw, beside: "QUIC alone, same bytes in frames of 64 writes", unit: "writes", worst_ms: None })
}

/// Nodes of one cluster, called `bench`.
pub(super) struct Nodes {
    authority: CertificateAuthority,
}

impl Nodes {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self { authority: CertificateAuthority::create("bench")? })
    }

    fn identity(&self, name: &str) -> anyhow::Result<Arc<Identity>> {
        let issued = self.authority.issue(name, name)?;
        let ca = self.authority.cert_pem().as_bytes();
        Ok(Arc::new(Identity::from_pem(ca, issued.cert_pem.as_bytes(), issued.key_pem.as_bytes())?))
    }

    pub(super) fn start(&self, dir: &Path, name: &str) -> anyhow::Result<(Database, Network)> {
        let db = Database::builder().names("bench", name, name).open(dir.join(name))?;
        let config = NetworkConfig { identity: self.identity(name)?, listen: any_port(), limits: Limits::default() };
        let network = Network::start(&db, config)?;
        Ok((db, network))
    }
}

pub(super) fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// Two leaders that are connected.
pub(super) struct Pair {
    pub(super) a: Database,
    pub(super) b: Database,
    to_b: Network,
    _to_a: Network,
}

/// Starts two leaders, and connects them.
pub(super) fn pair(dir: &Path) -> anyhow::Result<Pair> {
    let nodes = Nodes::new()?;
    let (a, to_b) = nodes.start(dir, "a")?;
    let (b, to_a) = nodes.start(dir, "b")?;
    let peer = |node: &str, network: &Network| PeerConfig {
        node: Some(node.to_owned()),
        region: None,
        addr: Some(network.local_addr().to_string()),
    };
    to_b.add_peer(peer("b", &to_a));
    to_a.add_peer(PeerConfig { node: Some("a".to_owned()), ..PeerConfig::default() });
    let connected = Instant::now();
    while !to_b.peers().iter().any(|peer| peer.connected) {
        anyhow::ensure!(connected.elapsed() < CATCH_UP, "the two regions did not connect");
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(Pair { a, b, to_b, _to_a: to_a })
}

/// Writes per second until all is on disk at both, and bytes sent per write.
fn replicate(dir: &Path, length: Duration) -> anyhow::Result<(f64, usize)> {
    let Pair { a, b, to_b, _to_a: _ } = &pair(dir)?;
    let start = Instant::now();
    let (rate, _) = writes::drive(a, WRITERS, length)?;
    let written = (rate * length.as_secs_f64()).max(1.0);
    let token = a.view().token();
    b.view_at(&token, CATCH_UP)?;
    let end_to_end = written / start.elapsed().as_secs_f64();
    let sent: u64 = to_b.peers().iter().map(|peer| peer.sent_bytes).sum();
    Ok((end_to_end, (sent as f64 / written) as usize))
}

/// Frames of as many bytes as 64 writes take, from one endpoint to another.
fn quic_alone(bytes_per_write: usize, length: Duration) -> anyhow::Result<f64> {
    let nodes = Nodes::new()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let sender = Endpoint::bind(any_port(), nodes.identity("a")?, Limits::default())?;
        let receiver = Endpoint::bind(any_port(), nodes.identity("b")?, Limits::default())?;
        let target = receiver.local_addr();
        let frame = vec![7u8; (bytes_per_write * WRITERS).max(1)];
        let receiving = tokio::spawn(async move {
            let Some(Ok(connection)) = receiver.accept().await else { anyhow::bail!("no connection") };
            let (_answers, mut frames) = connection.accept_stream().await?;
            let mut count = 0u64;
            while frames.recv().await?.is_some() {
                count += 1;
            }
            Ok(count)
        });
        let connection = sender.dial(target, Some("b")).await?;
        let (mut frames, _answers) = connection.open().await?;
        let start = Instant::now();
        while start.elapsed() < length {
            frames.send(&frame).await?;
        }
        frames.finish().await?;
        let count = receiving.await??;
        Ok(count as f64 * WRITERS as f64 / start.elapsed().as_secs_f64())
    })
}
