//! Metrics, one registry per server: several nodes may run in one process.

mod fsync;

use crate::app::App;
use anabranch::Database;
use anabranch::conflicts::OpenCounts;
use axum::http::{Method, StatusCode};
use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets for requests, in seconds.
const BOUNDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

/// How waiting for a token ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Everything was there.
    None,
    /// It came in time.
    Reached,
    /// Another replica had it.
    Forwarded,
    /// It did not.
    NotReached,
    /// Waiting itself failed.
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WaitLabels {
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InCollection {
    collection: String,
}

type PerPeer = Family<Peer, Gauge<f64, AtomicU64>>;
type PeerCounter = Family<Peer, Counter>;

/// The metrics of one server.
pub(crate) struct Metrics {
    registry: Registry,
    waits: Family<WaitLabels, Counter>,
    requests: Family<RequestLabels, Histogram>,
    /// What is looked up when asked for. One at a time, so that an answer is of one moment.
    looked_up: Mutex<LookedUp>,
}

#[derive(Default)]
struct LookedUp {
    up: PerPeer,
    lag_seconds: PerPeer,
    lag_transactions: PerPeer,
    unacked: PerPeer,
    clock_skew: PerPeer,
    sent: PeerCounter,
    received: PeerCounter,
    buffered: Gauge,
    mismatches: Counter,
    readers: Gauge,
    conflicts: Family<InCollection, Gauge>,
    conflicts_more: Gauge,
    parked: Family<What, Gauge>,
}

impl Metrics {
    pub(crate) fn new(database: &Database) -> Self {
        let mut registry = Registry::with_prefix("anabranch");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The program", build);
        let waits = Family::default();
        registry.register("token_waits", "Requests with a token, by how waiting for it ended", waits.clone());
        let requests =
            Family::<RequestLabels, Histogram>::new_with_constructor(|| Histogram::new(BOUNDS.iter().copied()));
        registry.register_with_unit("http_request", "Time to answer a request", Unit::Seconds, requests.clone());
        registry.register_collector(Box::new(fsync::Fsync(database.clone())));
        let looked_up = LookedUp::default();
        looked_up.register(&mut registry);
        Self { registry, waits, requests, looked_up: Mutex::new(looked_up) }
    }

    /// A request with a token was kept waiting, or not.
    pub(crate) fn token_wait(&self, result: Wait) {
        let result = match result {
            Wait::None => "none",
            Wait::Reached => "reached",
            Wait::Forwarded => "forwarded",
            Wait::NotReached => "not-reached",
            Wait::Failed => "failed",
        };
        self.waits.get_or_create(&WaitLabels { result }).inc();
    }

    /// A request was answered. `route` is a pattern, never what a client sent.
    pub(crate) fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        const KNOWN: [&str; 6] = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"];
        let method = KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other");
        let labels = RequestLabels { method, route: route.to_owned(), status: status.as_u16() };
        self.requests.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// All metrics as OpenMetrics text.
    pub(crate) async fn text(app: &App) -> Result<String, std::fmt::Error> {
        let status = app.database.status_async().await;
        let connections = app.peers();
        let open = app.conflicts.of(&app.database).await;
        let metrics = &app.metrics;
        // A panic of another thread leaves numbers that are set anew below.
        let looked_up = metrics.looked_up.lock().unwrap_or_else(PoisonError::into_inner);
        looked_up.clear();
        if let Some(status) = &status {
            looked_up.set(status);
        }
        looked_up.connections(&connections);
        looked_up.conflicts(open.ok().as_deref());
        looked_up.readers.set(app.readers.count() as i64);
        let mut out = String::new();
        text::encode(&mut out, &metrics.registry)?;
        Ok(out)
    }
}

impl LookedUp {
    fn register(&self, registry: &mut Registry) {
        registry.register("peer_up", "Whether a connection to the peer is up", self.up.clone());
        let name = "replication_lag";
        registry.register_with_unit(
            name,
            "For how long we have lacked transactions of the peer, or, as it is silent, not known whether we do",
            Unit::Seconds,
            self.lag_seconds.clone(),
        );
        let help = "Transactions of the peer that we lack";
        registry.register("replication_lag_transactions", help, self.lag_transactions.clone());
        let help = "Transactions that we have and the peer has not acknowledged";
        registry.register("unacked_transactions", help, self.unacked.clone());
        let help = "How far the peer's clock is ahead of ours";
        registry.register_with_unit("clock_skew", help, Unit::Seconds, self.clock_skew.clone());
        registry.register("sent_bytes", "Bytes sent to the peer", self.sent.clone());
        registry.register("received_bytes", "Bytes received from the peer", self.received.clone());
        let help = "Transactions that wait for what they depend on";
        registry.register("buffered_transactions", help, self.buffered.clone());
        registry.register("digest_mismatches", "Digest mismatches found", self.mismatches.clone());
        registry.register("conflicts_open", "Conflicts that wait for a person", self.conflicts.clone());
        let help = "Whether more conflicts are open than were counted";
        registry.register("conflicts_open_more", help, self.conflicts_more.clone());
        registry.register("change_readers", "Clients that read changes now", self.readers.clone());
        registry.register("parked", "Origins and collections that are parked", self.parked.clone());
    }

    /// Of a store that cannot be read, none are known.
    fn conflicts(&self, open: Option<&OpenCounts>) {
        self.conflicts.clear();
        for (collection, count) in open.map(|open| open.collections.as_slice()).unwrap_or_default() {
            self.conflicts.get_or_create(&InCollection { collection: collection.clone() }).set(*count as i64);
        }
        self.conflicts_more.set(open.is_some_and(|open| open.more).into());
    }

    fn clear(&self) {
        for family in [&self.up, &self.lag_seconds, &self.lag_transactions, &self.unacked, &self.clock_skew] {
            family.clear();
        }
        self.sent.clear();
        self.received.clear();
    }

    fn set(&self, status: &anabranch::Status) {
        self.buffered.set(status.buffered as i64);
        let mismatches = status.counters.digest_mismatches;
        self.mismatches.inner().store(mismatches, std::sync::atomic::Ordering::Relaxed);
        for (what, count) in [("origin", status.parked_origins.len()), ("collection", status.parked_collections.len())]
        {
            self.parked.get_or_create(&What { what }).set(count as i64);
        }
        for peer in &status.peers {
            let labels = Peer { peer: peer.name.clone() };
            self.lag_seconds.get_or_create(&labels).set(peer.lag_ms as f64 / 1e3);
            self.lag_transactions.get_or_create(&labels).set(peer.lag_transactions as f64);
            if peer.connected {
                self.unacked.get_or_create(&labels).set(peer.unacked_transactions as f64);
            }
            if let Some(ahead) = peer.clock_ahead_ms {
                self.clock_skew.get_or_create(&labels).set(ahead as f64 / 1e3);
            }
        }
    }

    fn connections(&self, connections: &[anabranch::PeerState]) {
        for peer in connections {
            let labels = Peer { peer: peer.node.clone() };
            self.up.get_or_create(&labels).set(f64::from(u8::from(peer.connected)));
            self.sent.get_or_create(&labels).inc_by(peer.sent_bytes);
            self.received.get_or_create(&labels).inc_by(peer.received_bytes);
        }
    }
}
