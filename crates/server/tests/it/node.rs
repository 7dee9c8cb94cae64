//! A node as a process would run it: from a config file to the end.

use crate::support::send;
use anabranch_server::{Config, Node, Overrides, ServerError, run};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

fn config(dir: &Path, more: &str) -> Config {
    let text = format!(
        "[node]\ncluster = \"shop\"\nregion = \"eu\"\nname = \"eu-1\"\ndata_dir = \"data\"\n\
         [listen]\nhttp = \"127.0.0.1:0\"\n{more}"
    );
    Config::parse(&text, &dir.join("node.toml"), &Overrides::new()).expect("a config")
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = Runtime::new().expect("a runtime");
    let node = runtime.block_on(Node::start(config(dir.path(), ""))).expect("starts");
    let addr = node.http_addr();
    assert!(node.quic_addr().is_none() && node.network().is_none());
    assert_eq!(send(addr, "PUT", "/v1/collections/c", &[], br#"{"resolver":"lww"}"#).status, 201);
    let put = send(addr, "PUT", "/v1/data/c/k", &[], b"1");
    assert_eq!(put.status, 200);
    let started = Instant::now();
    runtime.block_on(node.stop());
    assert!(started.elapsed() < Duration::from_secs(5));
    let node = runtime.block_on(Node::start(config(dir.path(), ""))).expect("starts again");
    let got = send(node.http_addr(), "GET", "/v1/data/c/k", &[("anabranch-token", put.token())], b"");
    assert_eq!(got.ok()["value"], 1);
    let write = send(node.http_addr(), "PUT", "/v1/data/c/k", &[], b"2");
    assert_ne!(write.ok()["dot"], put.json()["dot"]);
    runtime.block_on(node.stop());
}

#[test]
fn running_ends_when_told_or_when_the_store_fails() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(run(config(dir.path(), ""), async {})).expect("a clean end");
    let node = runtime.block_on(Node::start(config(dir.path(), ""))).expect("starts");
    node.database().crash();
    let failed = async { tokio::time::timeout(Duration::from_secs(5), node.failed()).await };
    assert!(runtime.block_on(failed).is_ok());
}

#[test]
fn what_cannot_work_is_refused_before_the_data_is_touched() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = Runtime::new().expect("a runtime");
    let start = |config: Config| runtime.block_on(Node::start(config)).err().expect("refused");
    let mut exposed = config(dir.path(), "");
    exposed.http = "0.0.0.0:0".parse().expect("an address");
    assert!(matches!(start(exposed), ServerError::Exposed(_)));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut busy = config(dir.path(), "");
    busy.http = taken.local_addr().expect("an address");
    let error = start(busy);
    assert!(matches!(&error, ServerError::Listen { .. }) && error.to_string().contains("127.0.0.1:"), "{error}");
    std::fs::write(dir.path().join("x.pem"), "nonsense").expect("a file");
    let bad = config(dir.path(), "[tls]\nca = \"x.pem\"\ncert = \"x.pem\"\nkey = \"x.pem\"\n");
    assert!(matches!(start(bad), ServerError::Credentials(_)));
    assert!(!dir.path().join("data").exists());
}

#[test]
fn a_directory_belongs_to_one_node_and_one_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = Runtime::new().expect("a runtime");
    let node = runtime.block_on(Node::start(config(dir.path(), ""))).expect("starts");
    assert!(matches!(runtime.block_on(Node::start(config(dir.path(), ""))).err(), Some(ServerError::Open(_))));
    assert_eq!(send(node.http_addr(), "PUT", "/v1/collections/c", &[], br#"{"resolver":"lww"}"#).status, 201);
    runtime.block_on(node.stop());
    let other = Config { name: "eu-2".into(), ..config(dir.path(), "") };
    assert!(matches!(runtime.block_on(Node::start(other)).err(), Some(ServerError::Open(_))));
}

#[test]
fn insecure_is_a_choice() {
    let dir = tempfile::tempdir().expect("a directory");
    let runtime = Runtime::new().expect("a runtime");
    let mut config = config(dir.path(), "[http]\ninsecure = true\n");
    config.http = "0.0.0.0:0".parse().expect("an address");
    let node = runtime.block_on(Node::start(config)).expect("starts");
    let addr = std::net::SocketAddr::from(([127, 0, 0, 1], node.http_addr().port()));
    // Not on loopback only, so any host name may be its own.
    assert_eq!(send(addr, "GET", "/health", &[("host", "db.example.com")], b"").status, 200);
    runtime.block_on(node.stop());
}
