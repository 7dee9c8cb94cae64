//! Several nodes in this process, with certificates of one authority, and links between them.
//!
//! Of two nodes, the one with the smaller name had better dial: the other would wait a while before it does.

use super::{Answer, send};
use anabranch::transport::{CertificateAuthority, LinkProfile, WanLink};
use anabranch_server::{Config, Node, Overrides, Serve};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A cluster named `shop`.
pub(crate) struct Cluster {
    pub(crate) runtime: Runtime,
    pub(crate) authority: CertificateAuthority,
    dir: tempfile::TempDir,
}

/// A running node. Stopped when dropped.
pub(crate) struct Running<'c> {
    pub(crate) addr: SocketAddr,
    pub(crate) node: Option<Node>,
    cluster: &'c Cluster,
}

/// A `[[peer]]` of a config file.
pub(crate) fn peer(region: &str, name: &str, addr: Option<SocketAddr>) -> String {
    let addr = addr.map_or_else(String::new, |addr| format!("addr = \"{addr}\"\n"));
    format!("[[peer]]\nregion = \"{region}\"\nname = \"{name}\"\n{addr}")
}

/// Returns once something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let authority = CertificateAuthority::create("shop").expect("an authority");
        let dir = tempfile::tempdir().expect("a directory");
        authority.write_ca(dir.path()).expect("written");
        Self { runtime: Runtime::new().expect("a runtime"), authority, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The config of a node; `settings` are lines of `[node]`, `peers` are made by [`peer`].
    pub(crate) fn config(&self, region: &str, name: &str, settings: &str, peers: &[String]) -> Config {
        if !self.dir().join(format!("{name}.pem")).exists() {
            self.authority.issue(region, name).expect("a certificate").write_node(self.dir()).expect("written");
        }
        let text = format!(
            "[node]\ncluster = \"shop\"\nregion = \"{region}\"\nname = \"{name}\"\ndata_dir = \"{name}\"\n{settings}\n\
             [listen]\nhttp = \"127.0.0.1:0\"\nquic = \"127.0.0.1:0\"\n\
             [tls]\nca = \"ca.pem\"\ncert = \"{name}.pem\"\nkey = \"{name}.key\"\n{}",
            peers.concat()
        );
        Config::parse(&text, &self.dir().join(format!("{name}.toml")), &Overrides::new()).expect("a config")
    }

    pub(crate) fn start(&self, config: Config) -> Running<'_> {
        self.serve(Serve::new(config))
    }

    /// Starts a node with what it has of its own.
    pub(crate) fn serve(&self, serve: Serve) -> Running<'_> {
        let node = self.runtime.block_on(serve.start()).expect("starts");
        Running { addr: node.http_addr(), node: Some(node), cluster: self }
    }

    /// Starts a leader that is named like its region.
    pub(crate) fn leader(&self, region: &str, peers: &[String]) -> Running<'_> {
        self.start(self.config(region, region, "", peers))
    }

    /// Starts a follower of the node `leader`.
    pub(crate) fn follower(&self, region: &str, name: &str, leader: &str, peers: &[String]) -> Running<'_> {
        self.start(self.config(region, name, &format!("role = \"follower\"\nleader = \"{leader}\""), peers))
    }

    /// A link to a node, perfect until told otherwise.
    pub(crate) fn link(&self, target: &Running<'_>) -> WanLink {
        let _inside = self.runtime.enter();
        WanLink::start(target.quic(), LinkProfile::default(), 1).expect("a link")
    }
}

impl Running<'_> {
    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().expect("it runs")
    }

    pub(crate) fn quic(&self) -> SocketAddr {
        self.node().quic_addr().expect("it listens")
    }

    pub(crate) fn name(&self) -> String {
        self.node().database().names().node.clone()
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(self.addr, method, path, headers, body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn put(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[], body)
    }

    pub(crate) fn declare(&self, name: &str, resolver: &str) -> Answer {
        let answer = self.put(&format!("/v1/collections/{name}"), &json!({ "resolver": resolver }).to_string());
        assert_eq!(answer.status, 201, "{answer:?}");
        answer
    }

    pub(crate) fn status(&self) -> Value {
        self.get("/v1/status").ok()
    }

    /// What its status says of a peer.
    pub(crate) fn peer(&self, name: &str) -> Value {
        let peers = self.status()["peers"].as_array().cloned().unwrap_or_default();
        peers.into_iter().find(|peer| peer["name"] == name).unwrap_or_else(|| panic!("{name} is known"))
    }

    /// What two replicas have in common when they hold the same transactions.
    pub(crate) fn shard(&self) -> Value {
        let shard = &self.status()["shards"][0];
        json!([shard["version_vector"], shard["digest"]])
    }

    pub(crate) fn until_connected(&self, peer: &str) {
        until(&format!("{} connects to {peer}", self.name()), || self.peer(peer)["state"] == "connected");
    }

    pub(crate) fn until_equal(&self, other: &Running<'_>) {
        until(&format!("{} equals {}", self.name(), other.name()), || self.shard() == other.shard());
    }

    /// Stops as a process does when it is told to.
    pub(crate) fn stop(&mut self) {
        if let Some(node) = self.node.take() {
            self.cluster.runtime.block_on(node.stop());
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}
