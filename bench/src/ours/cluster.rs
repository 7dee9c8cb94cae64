//! Databases in this process that replicate to each other over QUIC on loopback.

use anabranch::transport::{CertificateAuthority, Identity, Limits};
use anabranch::{Database, Network, NetworkConfig, PeerConfig};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long replicas may take to connect, or to come to the same state.
pub const CATCH_UP: Duration = Duration::from_secs(120);

/// Leaders of one cluster, each a region, that know each other's writes.
pub struct Cluster {
    pub leaders: Vec<Database>,
    networks: Vec<Network>,
}

impl Cluster {
    /// Starts leaders of those names in folders in `dir`, and connects each with each.
    pub fn start(dir: &Path, names: &[&str]) -> anyhow::Result<Self> {
        let authority = CertificateAuthority::create("bench")?;
        let mut cluster = Self { leaders: Vec::new(), networks: Vec::new() };
        for name in names {
            let db = Database::builder().names("bench", name, name).open(dir.join(name))?;
            let config =
                NetworkConfig { identity: identity(&authority, name)?, listen: any_port(), limits: Limits::default() };
            cluster.networks.push(Network::start(&db, config)?);
            cluster.leaders.push(db);
        }
        cluster.introduce(names);
        cluster.wait_until_connected(names.len())?;
        Ok(cluster)
    }

    /// Of two, the first dials the second.
    fn introduce(&self, names: &[&str]) {
        for (at, network) in self.networks.iter().enumerate() {
            for (to, name) in names.iter().enumerate().filter(|(to, _)| *to != at) {
                let addr = (at < to).then(|| self.networks[to].local_addr().to_string());
                network.add_peer(PeerConfig { node: Some((*name).to_owned()), region: None, addr });
            }
        }
    }

    fn wait_until_connected(&self, count: usize) -> anyhow::Result<()> {
        let start = Instant::now();
        let connected = |network: &Network| network.peers().iter().filter(|peer| peer.connected).count() == count - 1;
        while !self.networks.iter().all(connected) {
            anyhow::ensure!(start.elapsed() < CATCH_UP, "the regions did not connect");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until each has what each other has.
    pub fn settle(&self) -> anyhow::Result<()> {
        for from in &self.leaders {
            let token = from.view().token();
            for to in &self.leaders {
                to.view_at(&token, CATCH_UP)?;
            }
        }
        Ok(())
    }

    pub fn stop(self) {
        drop(self.networks);
        self.leaders.iter().for_each(Database::close);
    }
}

fn identity(authority: &CertificateAuthority, name: &str) -> anyhow::Result<Arc<Identity>> {
    let issued = authority.issue(name, name)?;
    let ca = authority.cert_pem().as_bytes();
    Ok(Arc::new(Identity::from_pem(ca, issued.cert_pem.as_bytes(), issued.key_pem.as_bytes())?))
}

/// Any free port on loopback.
pub fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}
