//! A server of the CouchDB protocol, PouchDB on LevelDB, in a process of Node.js.

use anyhow::Context as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where the script is, and the packages after `npm ci`.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers-node");

/// Whether it can be started; if not, says so.
pub fn is_there() -> bool {
    let has_packages = Path::new(SCRIPTS).join("node_modules").is_dir();
    let has_node = Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !(has_packages && has_node) {
        eprintln!("Node.js or the packages of peers-node are not installed (`npm ci` there): PouchDB is left out");
    }
    has_packages && has_node
}

/// One process. Killed when dropped.
pub struct Server {
    addr: SocketAddr,
    process: Child,
}

impl Server {
    /// With its data in a new folder there. `synced`: LevelDB syncs each batch.
    pub fn start(dir: &Path, synced: bool) -> anyhow::Result<Self> {
        fs::create_dir(dir)?;
        let mut command = Command::new("node");
        command.arg(Path::new(SCRIPTS).join("server.js")).arg(dir).current_dir(dir);
        command.args(synced.then_some("synced"));
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take();
        let mut server = Self { addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), process };
        let mut line = String::new();
        BufReader::new(stdout.context("its output")?).read_line(&mut line)?;
        server.addr.set_port(line.trim().parse().context("PouchDB's server says where it listens")?);
        Ok(server)
    }

    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or it goes now: its folder is removed either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
