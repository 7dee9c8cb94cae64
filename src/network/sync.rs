//! Syncing an app's database with one server.

use super::{Network, NetworkConfig, NetworkError, PeerConfig};
use crate::database::Database;
use crate::error::WaitError;
use anabranch_transport::{Identity, Limits};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Syncing in the making.
pub struct SyncBuilder {
    database: Database,
    addr: String,
    config: NetworkConfig,
}

/// Syncing: reconnects, resumes and backs off by itself, until this is dropped.
pub struct Sync {
    database: Database,
    network: Network,
}

impl Database {
    /// Syncs with the server at `host:port`, as the node that `identity` names.
    #[must_use]
    pub fn sync(&self, addr: &str, identity: Identity) -> SyncBuilder {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let config = NetworkConfig { identity: Arc::new(identity), listen, limits: Limits::default() };
        SyncBuilder { database: self.clone(), addr: addr.to_owned(), config }
    }
}

impl SyncBuilder {
    /// The local UDP address to use; by default any.
    #[must_use]
    pub fn bind(mut self, addr: SocketAddr) -> Self {
        self.config.listen = addr;
        self
    }

    /// Begins. Does not wait for a connection: an app works offline.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn start(self) -> Result<Sync, NetworkError> {
        let network = Network::start(&self.database, self.config)?;
        network.add_peer(PeerConfig { node: None, region: None, addr: Some(self.addr) });
        Ok(Sync { database: self.database, network })
    }
}

impl Sync {
    /// Returns when the server has all that we have and we have all that it has.
    ///
    /// # Errors
    /// [`WaitError::Closed`] when the database is closed.
    pub async fn caught_up(&self) -> Result<(), WaitError> {
        loop {
            let status = self.database.status_async().await.ok_or(WaitError::Closed)?;
            let even = |peer: &anabranch_engine::PeerStatus| {
                // Before its first heartbeat, a peer's silence says nothing.
                peer.clock_ahead_ms.is_some() && peer.missing_transactions == 0 && peer.unacked_transactions == 0
            };
            let mut connected = status.peers.iter().filter(|peer| peer.connected).peekable();
            if connected.peek().is_some() && connected.all(even) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// How the connection is.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }
}
