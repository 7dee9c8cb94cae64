//! One node: its database, its place in the cluster, its HTTP server.

use crate::accept::{HttpServer, check_exposure, serve_http};
use crate::app::HttpConfig;
use crate::config::Config;
use crate::error::ServerError;
use crate::serving::Serve;
use crate::{lag, notices};
use anabranch::resolvers::Resolver;
use anabranch::transport::{Identity, Limits};
use anabranch::{Builder, Database, Network, NetworkConfig};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long closing the store may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A node that runs until it is stopped or dropped. Several may run in one process.
pub struct Node {
    database: Database,
    network: Option<Arc<Network>>,
    http: HttpServer,
    watches: [JoinHandle<()>; 2],
}

impl Node {
    /// Starts a node. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ServerError`]. What can be checked without touching the data is checked first.
    pub async fn start(config: Config) -> Result<Self, ServerError> {
        Serve::new(config).start().await
    }

    pub(crate) async fn begin(serve: Serve) -> Result<Self, ServerError> {
        let Serve { config, resolvers } = serve;
        let builder = builder(&config, resolvers)?;
        let http = HttpConfig {
            insecure: config.insecure,
            allowed_origins: config.allowed_origins.clone(),
            lag_limit: config.lag_limit,
            ..HttpConfig::default()
        };
        check_exposure(config.http, &http)?;
        let (identity, lag_limit) = (identity(&config)?, config.lag_limit);
        let listened = TcpListener::bind(config.http).await;
        let listener = listened.map_err(|source| ServerError::Listen { addr: config.http.to_string(), source })?;
        let (database, network) = blocking(move || open(&config, builder, identity)).await??;
        let server = serve_http(database.clone(), network.clone(), listener, http)?;
        let lag = tokio::spawn(lag::watch(database.clone(), lag_limit));
        let notices = tokio::spawn(notices::watch(database.clone()));
        let node = Self { database, network, http: server, watches: [lag, notices] };
        node.announce();
        Ok(node)
    }

    fn announce(&self) {
        let names = self.database.names();
        let (http, quic) = (self.http_addr(), self.quic_addr().map(tracing::field::display));
        tracing::info!(cluster = names.cluster, region = names.region, name = names.node, %http, quic, "node started");
    }

    /// Where HTTP is served.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http.addr()
    }

    /// Where peers are answered, if they are.
    #[must_use]
    pub fn quic_addr(&self) -> Option<SocketAddr> {
        self.network.as_ref().map(|network| network.local_addr())
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Its place in the cluster, if it has one.
    #[must_use]
    pub fn network(&self) -> Option<&Arc<Network>> {
        self.network.as_ref()
    }

    /// Returns when the store has failed or the database was closed.
    pub async fn failed(&self) {
        let mut changed = self.database.subscribe();
        // That nobody tells of changes any more means the same.
        let _ = changed.wait_for(|index| *index == u64::MAX).await;
    }

    /// Stops: requests under way finish if that is quick, peers are told, what was written is on disk. Takes less than
    /// five seconds, whatever the clients do.
    pub async fn stop(self) {
        let Self { database, network, http, watches } = self;
        watches.iter().for_each(JoinHandle::abort);
        http.stop().await;
        if let Some(network) = network {
            network.stop().await;
        }
        let closing = blocking(move || database.close());
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!("the store takes long to close: it will open as after a crash, with nothing lost");
        }
    }
}

/// Loads the certificates and compares them with the configuration.
fn identity(config: &Config) -> Result<Option<Arc<Identity>>, ServerError> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let identity = Identity::load(&tls.ca, &tls.cert, &tls.key)?;
    let name = identity.name();
    let certificate = format!("{}/{}/{}", name.cluster, name.region, name.node);
    let configured = format!("{}/{}/{}", config.cluster, config.region, config.name);
    if certificate != configured {
        return Err(ServerError::WrongCertificate { certificate, configured });
    }
    Ok(Some(Arc::new(identity)))
}

type Opened = (Database, Option<Arc<Network>>);

fn builder(config: &Config, resolvers: Vec<Arc<dyn Resolver>>) -> Result<Builder, ServerError> {
    let mut builder = Database::builder().names(&config.cluster, &config.region, &config.name);
    if let Some(leader) = &config.leader {
        builder = builder.follower_of(leader);
    }
    if let Some(skew) = config.max_clock_skew {
        builder = builder.max_clock_skew(skew);
    }
    resolvers.into_iter().try_fold(builder, |builder, resolver| Ok(builder.resolver(resolver)?))
}

fn open(config: &Config, builder: Builder, identity: Option<Arc<Identity>>) -> Result<Opened, ServerError> {
    let database = builder.open(&config.data_dir)?;
    let (Some(identity), Some(listen)) = (identity, config.quic) else { return Ok((database, None)) };
    let network = Network::start(&database, NetworkConfig { identity, listen, limits: Limits::default() })?;
    for peer in &config.peers {
        network.add_peer(peer.clone());
    }
    Ok((database, Some(Arc::new(network))))
}

/// On a thread that may wait for the disk.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ServerError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ServerError::System(format!("a task failed: {error}")))
}
