//! Syncing with other replicas: dialling, accepting, and carrying messages between connections and the writer.

mod connection;
mod dial;
mod peers;
mod requests;
mod sync;

pub use peers::{PeerConfig, PeerState};
pub use sync::{Sync, SyncBuilder};

use crate::database::{Database, Names};
use crate::driver::Command;
use anabranch_transport::{BindError, Connection, Endpoint, FrameReceiver, FrameSender, Identity, Limits, PeerName};
use peers::Peers;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// The most clients that are connected at a time.
const MAX_CLIENTS: usize = 1_024;
/// Of connections that are refused in their handshake, one is logged in so long.
const REFUSALS_TOLD: Duration = Duration::from_secs(1);
/// How long dropping a network waits for its tasks.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How a database takes part in its cluster.
#[derive(Clone)]
pub struct NetworkConfig {
    /// Who this node is, and whom it trusts.
    pub identity: Arc<Identity>,
    /// The UDP address to listen at; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Limits of connections.
    pub limits: Limits,
}

/// Answers the requests that come on a stream; called for every such stream after its hello, must be quick.
pub type Serve = Arc<dyn Fn(Asker, FrameSender, FrameReceiver) + Send + std::marker::Sync>;

/// Whose requests come on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Its name, as its certificate has it.
    pub name: PeerName,
    /// Whether it is a node that is configured as a peer, rather than a client.
    pub is_peer: bool,
}

/// Why a database cannot take part in its cluster.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The address cannot be listened at.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The certificate names another node than the database.
    #[error("the certificate is for {certificate}, the database belongs to {database} (cluster/region/node)")]
    WrongIdentity {
        /// Whom the certificate is for.
        certificate: String,
        /// To whom the database belongs.
        database: String,
    },
    /// The operating system or the database refused.
    #[error("{0}")]
    Other(String),
}

/// A database that takes part in its cluster, until this is dropped.
pub struct Network {
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

/// What all tasks of a network share.
struct Shared {
    database: Database,
    endpoint: Endpoint,
    peers: Peers,
    /// Who answers requests; nobody until that was said.
    serve: OnceLock<Serve>,
    /// Places for clients' connections.
    clients: Arc<Semaphore>,
}

impl Network {
    /// Listens, and accepts peers that were added.
    ///
    /// # Errors
    /// [`NetworkError`].
    pub fn start(database: &Database, config: NetworkConfig) -> Result<Self, NetworkError> {
        claim(database, &config.identity)?;
        let built = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("anabranch-network")
            .enable_all()
            .build();
        let runtime = built.map_err(|error| NetworkError::Other(format!("cannot start network threads: {error}")))?;
        let endpoint = {
            let _inside = runtime.enter();
            Endpoint::bind(config.listen, config.identity, config.limits)?
        };
        let (database, peers) = (database.clone(), Peers::default());
        let clients = Arc::new(Semaphore::new(MAX_CLIENTS));
        let shared = Arc::new(Shared { database, endpoint, peers, serve: OnceLock::new(), clients });
        runtime.spawn(accept(shared.clone()));
        Ok(Self { shared, runtime: Some(runtime) })
    }

    /// The UDP address that it listens at.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.endpoint.local_addr()
    }

    /// Accepts a peer, and dials it if it has an address, again and again while it is not connected.
    pub fn add_peer(&self, peer: PeerConfig) {
        if let Some(node) = &peer.node {
            self.shared.peers.add(node, peer.region.as_deref());
            let (region, expected) = (peer.region.clone(), peer.addr.is_some());
            // A closed database needs no members.
            let _ = self.shared.database.queue().push(Command::Member { peer: node.clone(), region, expected });
        }
        if let (Some(runtime), Some(addr)) = (&self.runtime, peer.addr) {
            runtime.spawn(dial::keep_dialling(self.shared.clone(), peer.node, addr));
        }
    }

    /// The peers that were added or met, and how the connection to each is.
    #[must_use]
    pub fn peers(&self) -> Vec<PeerState> {
        self.shared.peers.states()
    }

    /// Says who answers requests, of clients and of peers on behalf of theirs. Only the first call counts.
    pub fn answer(&self, serve: Serve) {
        // As documented.
        let _ = self.shared.serve.set(serve);
    }

    /// The connection to that peer, if it is connected: for asking it something on a stream of its own.
    #[must_use]
    pub fn connection(&self, node: &str) -> Option<Connection> {
        self.shared.peers.connection(node)
    }

    /// Closes all connections, politely if that is quick.
    pub async fn stop(&self) {
        self.shared.endpoint.close().await;
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.peers.close_all();
        let Some(runtime) = self.runtime.take() else { return };
        if tokio::runtime::Handle::try_current().is_ok() {
            // Inside another runtime nothing may block.
            runtime.shutdown_background();
        } else {
            // So that the tasks' handles to the database are gone, and its directory can be opened again.
            runtime.shutdown_timeout(STOP_TIMEOUT);
        }
    }
}

/// The database must belong to the node that the certificate names; one that belongs to nobody yet does from now on.
fn claim(database: &Database, identity: &Identity) -> Result<(), NetworkError> {
    let name = identity.name();
    let ours = Names { cluster: name.cluster.clone(), region: name.region.clone(), node: name.node.clone() };
    let have = database.names();
    if *have == ours {
        return Ok(());
    }
    if have.cluster.is_empty() {
        return database.adopt(ours).map_err(NetworkError::Other);
    }
    let show = |names: &Names| format!("{}/{}/{}", names.cluster, names.region, names.node);
    Err(NetworkError::WrongIdentity { certificate: show(&ours), database: show(&have) })
}

async fn accept(shared: Arc<Shared>) {
    let mut told: Option<Instant> = None;
    let mut untold: u64 = 0;
    while let Some(accepted) = shared.endpoint.accept().await {
        match accepted {
            Ok(connection) => {
                tokio::spawn(connection::run(shared.clone(), connection, connection::Side::Accepted));
            }
            // Anybody can knock: that must not fill the log.
            Err(_) if told.is_some_and(|told| told.elapsed() < REFUSALS_TOLD) => untold += 1,
            Err(error) => {
                tracing::info!(%error, untold, "a connection was refused");
                (told, untold) = (Some(Instant::now()), 0);
            }
        }
    }
}
