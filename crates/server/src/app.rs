//! What all requests of one HTTP server share.

use crate::metrics::Metrics;
use anabranch::{Database, Network, PeerState};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How the HTTP API is served.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Serve elsewhere than on loopback, although nobody is asked for credentials.
    pub insecure: bool,
    /// Web origins whose pages may send requests, as browsers write them: `https://example.com`.
    pub allowed_origins: Vec<String>,
    /// The most connections at a time. Default 4,096.
    pub max_connections: usize,
    /// How long a connection may take until the whole head of a request has arrived, from its first moment and between
    /// requests. Default 10 s.
    pub header_timeout: Duration,
    /// How long the body of a request may take to arrive. Default 10 s.
    pub body_timeout: Duration,
    /// How long a request may take in all. Default 45 s.
    pub request_timeout: Duration,
    /// How long requests under way may take when the server stops. Default 2 s.
    pub drain_timeout: Duration,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            insecure: false,
            allowed_origins: Vec::new(),
            max_connections: 4_096,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(45),
            drain_timeout: Duration::from_secs(2),
        }
    }
}

/// What all requests of one HTTP server share.
pub(crate) struct App {
    pub(crate) database: Database,
    pub(crate) network: Option<Arc<Network>>,
    pub(crate) config: HttpConfig,
    pub(crate) metrics: Metrics,
    pub(crate) started: Instant,
    /// The address it listens at, as hosts are compared with it; `None` when it is not on loopback.
    pub(crate) loopback: Option<std::net::IpAddr>,
}

impl App {
    /// The connections to peers, as the network sees them.
    pub(crate) fn peers(&self) -> Vec<PeerState> {
        self.network.as_ref().map(|network| network.peers()).unwrap_or_default()
    }

    /// How many regions are known, this one included.
    pub(crate) fn regions(&self) -> usize {
        let mut regions: BTreeSet<String> = self.peers().into_iter().filter_map(|peer| peer.region).collect();
        regions.insert(self.database.names().region.clone());
        regions.len()
    }
}
