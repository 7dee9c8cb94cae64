//! Clusters: certificates, configurations and processes of several nodes.

use super::api::Api;
use super::clocks::Clock;
use super::command::{Ended, program, run};
use super::ports::free_port;
use super::process::Process;
use super::{eventually, links::Links};
use anabranch_transport::{Identity, LinkProfile};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// How long a node may take to start.
const START: Duration = Duration::from_secs(10);

/// One node: where it is, and its process while it runs.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) http: u16,
    pub(crate) quic: u16,
    /// Whom it follows, if it is no leader itself.
    pub(crate) leader: Option<String>,
    /// By how much its clock is off, if it is.
    pub(crate) clock: Option<Clock>,
    pub(crate) process: Option<Process>,
}

/// Nodes that know each other, in a directory that goes when this does.
pub(crate) struct Cluster {
    // Nodes first: they are dropped, and with them their processes, before the directory.
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Option<Links>,
    pub(crate) api: Api,
    name: String,
    scratch: TempDir,
}

impl Cluster {
    /// Makes certificates and configurations, and starts every node.
    pub(crate) fn start(names: &[&str]) -> Self {
        let mut cluster = Self::prepare(names);
        cluster.configure();
        cluster.start_all();
        cluster
    }

    /// As [`Cluster::start`], with a simulated link of its own for every ordered pair of nodes.
    pub(crate) fn start_linked(names: &[&str], delay: Duration) -> Self {
        Self::start_apart(names, None, LinkProfile::with_delay(delay), 0)
    }

    /// As [`Cluster::start`], with links of that kind. If one of them is named as the leader, all others follow it.
    pub(crate) fn start_apart(names: &[&str], leader: Option<&str>, link: LinkProfile, seed: u64) -> Self {
        let mut cluster = Self::prepare(names);
        let ports: Vec<_> = cluster.nodes.iter().map(|node| node.quic).collect();
        cluster.links = Some(Links::start(&ports, link, seed));
        for node in cluster.nodes.iter_mut().filter(|node| Some(node.name.as_str()) != leader) {
            node.leader = leader.map(str::to_owned);
        }
        cluster.configure();
        cluster.start_all();
        cluster
    }

    /// Makes certificates, and configurations of nodes that are not started.
    pub(crate) fn prepare(names: &[&str]) -> Self {
        Self::prepare_named("shop", names)
    }

    /// As [`Cluster::prepare`], of a cluster with this name.
    pub(crate) fn prepare_named(cluster: &str, names: &[&str]) -> Self {
        let scratch = tempfile::tempdir().expect("a scratch directory");
        let certs = scratch.path().join("certs");
        let dir = certs.to_str().expect("a path");
        run(&["cert", "init", "--dir", dir, "--cluster", cluster]).with_code(0);
        let nodes = names.iter().map(|name| {
            run(&["cert", "issue", "--dir", dir, "--region", name]).with_code(0);
            Node {
                name: (*name).to_owned(),
                config: scratch.path().join(format!("{name}.toml")),
                data: scratch.path().join("data").join(name),
                http: free_port(),
                quic: free_port(),
                leader: None,
                clock: None,
                process: None,
            }
        });
        let cluster = Self { nodes: nodes.collect(), links: None, api: Api::new(), name: cluster.to_owned(), scratch };
        cluster.configure();
        cluster
    }

    /// Writes every node's configuration.
    fn configure(&self) {
        for at in 0..self.nodes.len() {
            std::fs::write(&self.nodes[at].config, self.config(at)).expect("a configuration");
        }
    }

    /// The text of a node's configuration.
    pub(crate) fn config(&self, at: usize) -> String {
        let Node { name, http, quic, leader, .. } = &self.nodes[at];
        let follows = |leader: &String| format!("role = \"follower\"\nleader = \"{leader}\"\n");
        let role = leader.as_ref().map(follows).unwrap_or_default();
        let mut text = format!(
            "[node]\ncluster = \"{}\"\nregion = \"{name}\"\ndata_dir = \"data/{name}\"\n{role}\n\
             [listen]\nquic = \"127.0.0.1:{quic}\"\nhttp = \"127.0.0.1:{http}\"\n\n\
             [tls]\nca = \"certs/ca.pem\"\ncert = \"certs/{name}.pem\"\nkey = \"certs/{name}.key\"\n",
            self.name
        );
        for (to, peer) in self.nodes.iter().enumerate().filter(|(to, _)| *to != at) {
            let direct = format!("127.0.0.1:{}", peer.quic);
            let addr = self.links.as_ref().map_or(direct, |links| links.addr(at, to).to_string());
            write!(text, "\n[[peer]]\nregion = \"{}\"\naddr = \"{addr}\"\n", peer.name).expect("text");
        }
        text
    }

    /// Issues a certificate to a client of that name.
    pub(crate) fn identity(&self, name: &str) -> Identity {
        let certs = self.dir().join("certs");
        let dir = certs.to_str().expect("a path");
        run(&["cert", "issue", "--dir", dir, "--region", "home", "--name", name]).with_code(0);
        let file = |name: String| certs.join(name);
        let (ca, cert, key) = (file("ca.pem".into()), file(format!("{name}.pem")), file(format!("{name}.key")));
        Identity::load(&ca, &cert, &key).expect("an identity")
    }

    /// The scratch directory.
    pub(crate) fn dir(&self) -> &Path {
        self.scratch.path()
    }

    fn start_all(&mut self) {
        for node in &mut self.nodes {
            node.process = Some(Process::start(&node.config));
        }
        for at in 0..self.nodes.len() {
            self.wait_until_up(at);
        }
    }

    /// Starts one node and waits until it serves.
    pub(crate) fn start_node(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let mut command = program();
        command.args(["serve", "--config"]).arg(&node.config);
        if let Some(clock) = &node.clock {
            clock.set(&mut command);
        }
        node.process = Some(Process::start_command(command, &node.config));
        self.wait_until_up(at);
    }

    #[track_caller]
    pub(crate) fn wait_until_up(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let process = node.process.as_mut().expect("a process");
        eventually(&format!("{} is up", node.name), START, || {
            assert!(!process.has_ended(), "{} has ended instead of coming up", node.name);
            self.api.is_up(node.http)
        });
    }

    /// The process of a node that runs.
    pub(crate) fn process(&mut self, at: usize) -> &mut Process {
        self.nodes[at].process.as_mut().expect("a running node")
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, at: usize) {
        self.process(at).kill();
        self.nodes[at].process = None;
    }

    /// SIGTERM, and the node must end well.
    #[track_caller]
    pub(crate) fn stop(&mut self, at: usize) {
        let (status, took) = self.process(at).terminate();
        assert!(status.success(), "{status}");
        assert!(took < Duration::from_secs(5), "{took:?}");
        self.nodes[at].process = None;
    }

    pub(crate) fn url(&self, at: usize) -> String {
        format!("http://127.0.0.1:{}", self.nodes[at].http)
    }

    pub(crate) fn http_ports(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.http).collect()
    }

    /// Runs a client command against one node.
    pub(crate) fn client(&self, at: usize, arguments: &[&str]) -> Ended {
        let url = self.url(at);
        run(&[arguments, &["--url", &url]].concat())
    }

    /// Runs `anabranch verify` over all nodes.
    pub(crate) fn verify(&self, timeout: &str) -> Ended {
        let urls: Vec<_> = (0..self.nodes.len()).map(|at| self.url(at)).collect();
        let mut arguments = vec!["verify", "--timeout", timeout];
        for url in &urls {
            arguments.extend(["--url", url.as_str()]);
        }
        run(&arguments)
    }
}
