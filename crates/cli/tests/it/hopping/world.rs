//! What all travellers share.

use super::ask::{COUNTERS, Era, SETS};
use super::journal::Journal;
use super::traveller::{COUNTER_NAMES, TRAVELLERS, Traveller, name};
use crate::support::cluster::Cluster;
use crate::support::random::Random;
use anabranch_client::Client;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

/// How many clients sessions of the native kind move between.
const CLIENTS: [&str; 3] = ["phone", "laptop", "backend"];

pub(super) struct World {
    pub(super) nodes: Vec<Place>,
    pub(super) journal: Journal,
    /// Whether there is one leader, so that no write has a copy.
    pub(super) one_leader: bool,
    stop: AtomicBool,
    // Before the runtime: they end inside it.
    clients: Vec<Client>,
    runtime: Runtime,
}

/// A node, as clients know it.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) http: u16,
}

impl World {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().expect("a runtime");
        let clients = runtime.block_on(async { CLIENTS.map(|name| client(cluster, name)) }).into();
        let place = |node: &crate::support::cluster::Node| Place { name: node.name.clone(), http: node.http };
        Self {
            nodes: cluster.nodes.iter().map(place).collect(),
            journal: Journal::new("shop"),
            one_leader: cluster.nodes.iter().filter(|node| node.leader.is_none()).count() == 1,
            stop: AtomicBool::new(false),
            clients,
            runtime,
        }
    }

    /// Returns when all nodes have them.
    pub(super) fn make_collections(&self, cluster: &Cluster) {
        cluster.api.create(self.nodes[0].http, SETS, "or-set");
        cluster.api.create(self.nodes[0].http, COUNTERS, "g-counter");
        cluster.verify("15s").with_code(0);
    }

    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    pub(super) fn some_client(&self, random: &mut Random) -> &Client {
        &self.clients[random.below(self.clients.len() as u64) as usize]
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// When all have everything, whoever comes after all travellers must find all that was acknowledged, at each node.
    pub(super) fn look_everywhere(self: &Arc<Self>) {
        let last = Era::at(self.journal.now_us());
        for (at, place) in self.nodes.iter().enumerate() {
            let session = format!("end-{}", place.name);
            self.journal.joined_in_the_end(&session, (0..TRAVELLERS).map(name));
            let mut witness = Traveller::witness(self, session);
            last.all().for_each(|era| witness.look(at, era));
            COUNTER_NAMES.iter().for_each(|counter| witness.count(at, counter));
        }
    }
}

fn client(cluster: &Cluster, name: &str) -> Client {
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut builder = Client::builder(cluster.identity(name)).bind(here).deadline(Duration::from_secs(2));
    for node in &cluster.nodes {
        builder = builder.replica(Some(&node.name), &format!("127.0.0.1:{}", node.quic));
    }
    builder.connect().expect("a client")
}
