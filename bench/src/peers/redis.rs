//! Redis with an append-only file that is synced before each answer, in processes of its own.

use crate::load::resp;
use crate::setting::Setting;
use crate::workload::Figure;
use crate::workloads::counters::{CONNECTIONS, IN_FLIGHT, key};
use anyhow::Context as _;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SERVER: &str = "redis-server";
const START: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// Increments per second by itself and with a replica; nothing where there is no Redis.
pub fn increments(dir: &Path, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    if Command::new(SERVER).arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("{SERVER} is not installed: Redis is left out");
        return Ok(Vec::new());
    }
    let first = Server::start(&dir.join("redis"), None)?;
    let alone = rate(&first, setting, None)?;
    let replica = Server::start(&dir.join("replica"), Some(&first))?;
    replica.wait_for_first()?;
    let waited = rate(&first, setting, Some(&["WAIT", "1", "0"]))?;
    Ok(vec![Figure::new("Redis", alone), Figure::new("Redis, WAIT 1", waited)])
}

fn rate(server: &Server, setting: &Setting, after: Option<&'static [&'static str]>) -> anyhow::Result<f64> {
    let command = |number| vec!["INCRBY".to_owned(), key(number), "1".to_owned()];
    resp::drive(server.addr, CONNECTIONS, IN_FLIGHT as u64, setting.until(), command, after)
}

/// One process. Killed when dropped.
struct Server {
    addr: SocketAddr,
    process: Child,
}

impl Server {
    fn start(dir: &Path, first: Option<&Self>) -> anyhow::Result<Self> {
        fs::create_dir(dir)?;
        let addr = free()?;
        let mut command = Command::new(SERVER);
        command.args(["--bind", "127.0.0.1", "--port", &addr.port().to_string(), "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "always", "--dir"]).arg(dir);
        if let Some(first) = first {
            command.args(["--replicaof", "127.0.0.1", &first.addr.port().to_string()]);
        }
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let server = Self { addr, process };
        server.until("answers", |server| TcpStream::connect(server.addr).is_ok())?;
        Ok(server)
    }

    /// Until it has a whole copy.
    fn wait_for_first(&self) -> anyhow::Result<()> {
        self.until("has a copy", |server| {
            resp::ask(server.addr, &["ROLE"]).is_ok_and(|role| role.contains("connected"))
        })
    }

    fn until(&self, what: &str, is: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !is(self) {
            anyhow::ensure!(begun.elapsed() < START, "no Redis that {what}");
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It is gone already, or it goes now: its folder is removed either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port of loopback that nobody has now.
fn free() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a free port")?;
    Ok(listener.local_addr()?)
}
