//! What all requests of one HTTP server share.

use crate::changes::Readers;
use crate::forward::Links;
use crate::inbox::Counts;
use crate::last_token::LastToken;
use crate::metrics::Metrics;
use crate::reads::Reads;
use anabranch::{Database, Network, PeerState, Status, Token};
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
    /// From where on replication lag is worth a warning, and clients are steered away. Default 1 s.
    pub lag_limit: Duration,
    /// The most readers of changes at a time. Default 256.
    pub max_readers: usize,
    /// How often readers of changes are told that there are none. Default 15 s.
    pub heartbeat: Duration,
    /// How long a reader of changes may take nothing. Default 10 s.
    pub reader_timeout: Duration,
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
            lag_limit: crate::lag::DEFAULT_LIMIT,
            max_readers: 256,
            heartbeat: Duration::from_secs(15),
            reader_timeout: Duration::from_secs(10),
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
    pub(crate) links: Links,
    pub(crate) readers: Readers,
    pub(crate) reads: Reads,
    pub(crate) last_token: LastToken,
    pub(crate) conflicts: Arc<Counts>,
    pub(crate) started: Instant,
    /// The address it listens at, as hosts are compared with it; `None` when it is not on loopback.
    pub(crate) loopback: Option<std::net::IpAddr>,
}

impl App {
    /// The connections to peers, as the network sees them.
    pub(crate) fn peers(&self) -> Vec<PeerState> {
        self.network.as_ref().map(|network| network.peers()).unwrap_or_default()
    }

    /// Whether clients should rather ask another replica: what this one shows may be older than the limit allows. Heartbeats
    /// are some time apart, so that much is never known to be fresh.
    pub(crate) fn is_lagging(&self, status: &Status) -> bool {
        let limit = (self.config.lag_limit + crate::lag::HEARTBEATS).as_millis() as u64;
        status.behind_ms.is_none_or(|behind| behind > limit)
    }

    /// The token of an answer that does not say what it shows: it covers what was asked for, and all there is.
    pub(crate) fn covering(&self, asked: &Token) -> Token {
        let view = self.database.view();
        let mut token = view.token();
        if view.satisfies(asked).is_err() {
            token.join(asked);
            if token.encode(&self.database.names().cluster).len() > Token::MAX_TEXT {
                // It could not be sent again. The answer is about the wait alone, and shows no data.
                return asked.clone();
            }
        }
        token
    }

    /// How many regions are known, this one included.
    pub(crate) fn regions(&self) -> usize {
        let mut regions: BTreeSet<String> = self.peers().into_iter().filter_map(|peer| peer.region).collect();
        regions.insert(self.database.names().region.clone());
        regions.len()
    }
}
