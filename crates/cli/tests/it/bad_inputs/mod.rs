//! Bad inputs to real processes, one file per surface: each gets a definite answer, the process stays up and serves, and
//! **its state is the same before and after**. docs/testing.md lists them, and where what is not here is tested.

mod cli;
mod config;
mod disk;
mod handshake;
mod http;
mod peer;
mod quic_peer;
mod request;
mod slow;
mod stranger;
mod token;

use crate::support::cluster::Cluster;
use crate::support::eventually;
use serde_json::{Value, json};
use std::time::Duration;

/// A running node `eu` that bad inputs are sent to, and what it held before.
struct Target {
    cluster: Cluster,
    before: Value,
}

impl Target {
    /// A node that has these peers, which only the test plays, and some data.
    fn start(peers: &[&str]) -> Self {
        let mut cluster = Cluster::prepare(&[&["eu"], peers].concat());
        cluster.start_node(0);
        let mut target = Self { cluster, before: Value::Null };
        let (api, port) = (target.cluster.api.clone(), target.http());
        for (name, resolver) in [("c", "lww"), ("likes", "g-counter"), ("stock", "pn-counter")] {
            api.create(port, name, resolver);
        }
        api.put(port, "c", "good", "\"good\"");
        target.settle();
        target
    }

    fn http(&self) -> u16 {
        self.cluster.nodes[0].http
    }

    fn quic(&self) -> u16 {
        self.cluster.nodes[0].quic
    }

    /// From now on it is to stay as it is now.
    fn settle(&mut self) {
        self.before = self.state();
    }

    fn state(&self) -> Value {
        let shard = &self.status()["shards"][0];
        json!([shard["digest"], shard["version_vector"], shard["log_transactions"]])
    }

    fn status(&self) -> Value {
        self.cluster.api.status(self.http())
    }

    /// The process is up, answers a good request, and holds what it held.
    #[track_caller]
    fn is_unharmed(&mut self, what: &str) {
        assert!(!self.cluster.process(0).has_ended(), "{what}: the process has ended");
        assert_eq!(self.cluster.api.value(self.http(), "c", "good"), Some(json!("good")), "{what}");
        assert_eq!(self.state(), self.before, "{what}: what it holds has changed");
    }

    /// What it has logged.
    fn log(&self) -> String {
        std::fs::read_to_string(self.cluster.nodes[0].config.with_extension("log")).expect("a log")
    }

    #[track_caller]
    fn logs(&self, what: &str) {
        eventually(&format!("it logs {what:?}"), Duration::from_secs(5), || self.log().contains(what));
    }

    /// After all of it: takes writes, ends well, and never panicked.
    #[track_caller]
    fn serves_on(mut self) {
        let (api, port) = (self.cluster.api.clone(), self.http());
        api.put(port, "c", "good", "\"better\"");
        assert_eq!(api.value(port, "c", "good"), Some(json!("better")));
        self.cluster.stop(0);
        let log = self.log();
        assert!(!log.contains("panicked"), "{log}");
    }
}
