//! What the examples share: nodes in this process, real QUIC between them over links with a delay, and clients far and near.

// Each example uses a part of it.
#![allow(dead_code)]

use anabranch::transport::{CertificateAuthority, Identity, Limits, LinkProfile, WanLink};
use anabranch::{Database, Network, NetworkConfig, PeerConfig};
use anabranch_client::Client;
use anabranch_server::{HttpConfig, HttpServer, serve_http};
use std::error::Error;
use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// How an example ends: well only if it proved its point.
pub(crate) fn verdict(proved: Result<bool, impl Display>) -> ExitCode {
    match proved {
        Ok(true) => return ExitCode::SUCCESS,
        Ok(false) => println!("NOT PROVED"),
        Err(error) => println!("NOT PROVED: {error}"),
    }
    ExitCode::FAILURE
}

const CLUSTER: &str = "example";

/// One way, in milliseconds.
pub(crate) type Delay = u64;

/// A node to be: its name, and the leader that it follows, if it is no leader itself. Each stands in a region of its name.
pub(crate) type Plan<'a> = (&'a str, Option<&'a str>);

/// A cluster in this process.
pub(crate) struct World {
    authority: CertificateAuthority,
    nodes: Vec<Node>,
    links: Vec<WanLink>,
    /// Which of the links are between which nodes.
    between: Vec<(usize, usize, usize)>,
}

/// One node: its data is in memory, gone when the example ends.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) database: Database,
    network: Arc<Network>,
    http: HttpServer,
}

impl World {
    /// Starts the nodes, and lays a link between each two that `delay` gives one.
    pub(crate) async fn start(plan: &[Plan<'_>], delay: impl Fn(&str, &str) -> Option<Delay>) -> Result<Self, Failure> {
        let authority = CertificateAuthority::create(CLUSTER)?;
        let mut world = Self { authority, nodes: Vec::new(), links: Vec::new(), between: Vec::new() };
        for (name, leader) in plan {
            let node = world.node(name, *leader).await?;
            world.nodes.push(node);
        }
        for from in 0..plan.len() {
            for to in from + 1..plan.len() {
                if let Some(delay) = delay(plan[from].0, plan[to].0) {
                    world.connect(from, to, delay)?;
                }
            }
        }
        Ok(world)
    }

    async fn node(&self, name: &str, leader: Option<&str>) -> Result<Node, Failure> {
        let mut builder = Database::builder().names(CLUSTER, name, name);
        if let Some(leader) = leader {
            builder = builder.follower_of(leader);
        }
        let database = builder.open_in_memory()?;
        let identity = Arc::new(self.identity(name, name)?);
        let config = NetworkConfig { identity, listen: any_port(), limits: Limits::default() };
        let network = Arc::new(Network::start(&database, config)?);
        let listener = tokio::net::TcpListener::bind(any_port()).await?;
        let http = serve_http(database.clone(), Some(network.clone()), listener, HttpConfig::default())?;
        Ok(Node { name: name.to_owned(), database, network, http })
    }

    fn identity(&self, region: &str, name: &str) -> Result<Identity, Failure> {
        let issued = self.authority.issue(region, name)?;
        let ca = self.authority.cert_pem().as_bytes();
        Ok(Identity::from_pem(ca, issued.cert_pem.as_bytes(), issued.key_pem.as_bytes())?)
    }

    /// Lays a link between two nodes that have none yet.
    pub(crate) fn connect(&mut self, from: usize, to: usize, delay: Delay) -> Result<(), Failure> {
        let addr = self.link(to, delay)?;
        self.between.push((from, to, self.links.len() - 1));
        let (dialler, target) = (&self.nodes[from], &self.nodes[to]);
        let peer =
            |node: &Node, addr| PeerConfig { node: Some(node.name.clone()), region: Some(node.name.clone()), addr };
        target.network.add_peer(peer(dialler, None));
        dialler.network.add_peer(peer(target, Some(addr.to_string())));
        Ok(())
    }

    /// A link to a node; says where to dial.
    fn link(&mut self, to: usize, delay: Delay) -> Result<SocketAddr, Failure> {
        let profile = LinkProfile::with_delay(Duration::from_millis(delay));
        let seed = self.links.len() as u64;
        let link = WanLink::start(self.nodes[to].network.local_addr(), profile, seed)?;
        let addr = link.addr();
        self.links.push(link);
        Ok(addr)
    }

    /// A client at a place from which each node is that far away.
    pub(crate) fn client(&mut self, place: &str, delay: impl Fn(&str) -> Delay) -> Result<Client, Failure> {
        let mut builder = Client::builder(self.identity(place, &format!("app-{place}"))?).bind(any_port());
        for index in 0..self.nodes.len() {
            let name = self.nodes[index].name.clone();
            let addr = self.link(index, delay(&name))?;
            builder = builder.replica(Some(&name), &addr.to_string());
        }
        Ok(builder.connect()?)
    }

    /// An app's own database, on a device that may sync with every node.
    pub(crate) fn device(&self, name: &str) -> Result<Database, Failure> {
        for node in &self.nodes {
            let (node_name, region) = (Some(name.to_owned()), Some(name.to_owned()));
            node.network.add_peer(PeerConfig { node: node_name, region, addr: None });
        }
        Ok(Database::builder().names(CLUSTER, name, name).open_in_memory()?)
    }

    /// Syncs a device with a node, until what is returned is dropped.
    pub(crate) fn sync(&mut self, device: &Database, with: &str) -> Result<anabranch::Sync, Failure> {
        let names = device.names();
        let identity = self.identity(&names.region, &names.node)?;
        let node = self.nodes.iter().position(|node| node.name == with).ok_or("no such node")?;
        let addr = self.link(node, 1)?;
        Ok(device.sync(&addr.to_string(), identity).bind(any_port()).start()?)
    }

    /// Cuts all links of a node to the others, or heals them.
    pub(crate) fn cut_off(&self, name: &str, cut: bool) {
        let is_it = |index: usize| self.nodes[index].name == name;
        for (_, _, link) in self.between.iter().filter(|(from, to, _)| is_it(*from) || is_it(*to)) {
            if cut { self.links[*link].cut() } else { self.links[*link].heal() }
        }
    }

    pub(crate) fn node_named(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Where each node serves HTTP.
    pub(crate) fn http(&self) -> Vec<SocketAddr> {
        self.nodes.iter().map(|node| node.http.addr()).collect()
    }

    /// Returns when all nodes hold the same transactions, and with them the same rows.
    pub(crate) async fn converged(&self) -> Result<(), Failure> {
        until("the nodes hold the same", || {
            let status = |node: &Node| node.database.status().map(|status| (status.vector, status.digest));
            let first = self.nodes.first().and_then(status);
            first.is_some() && self.nodes.iter().all(|node| status(node) == first)
        })
        .await
    }

    /// Returns when each node is connected to that many others.
    pub(crate) async fn connected(&self, others: impl Fn(&str) -> usize) -> Result<(), Failure> {
        let connected = |node: &Node| node.network.peers().iter().filter(|peer| peer.connected).count();
        until("the nodes are connected", || self.nodes.iter().all(|node| connected(node) >= others(&node.name))).await
    }

    /// Stops all nodes.
    pub(crate) async fn stop(self) {
        let mut stopping = tokio::task::JoinSet::new();
        for node in self.nodes {
            stopping.spawn(async move {
                node.http.stop().await;
                node.network.stop().await;
                node.database.close();
            });
        }
        stopping.join_all().await;
    }
}

/// Waits until `check` holds, for at most 10 s.
pub(crate) async fn until(what: &str, check: impl Fn() -> bool) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !check() {
        if Instant::now() > deadline {
            return Err(format!("not within 10 s: {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// A loopback address with a port that the system chooses.
pub(crate) fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// The latency that that share of calls does not exceed.
pub(crate) fn percentile(latencies: &mut [Duration], percent: usize) -> Duration {
    latencies.sort_unstable();
    let index = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
    latencies.get(index).copied().unwrap_or_default()
}
