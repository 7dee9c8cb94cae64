//! Reads with a token of three regions that is satisfied already, beside the same reads without one.

use super::replication::{Nodes, any_port};
use super::report::Row;
use super::{Setting, writes};
use anabranch::{Database, Network, Outcome, PeerConfig, Session, Token};
use anabranch_server::{HttpConfig, serve_http};
use anyhow::Context as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many writes each region makes.
const FILL: u64 = 1_000;
/// How many reads are timed together in the library: one by one they are too short for the clock.
const TOGETHER: usize = 50;
const CATCH_UP: Duration = Duration::from_secs(30);

/// Through the library.
pub(super) fn library(setting: &Setting) -> anyhow::Result<Row> {
    in_turn(setting, async |reader, key| {
        Ok(reader.db.view_at_async(&reader.token, reader.later).await?.get("bench", key)?)
    })
}

/// In a session, which also takes note of what it reads.
pub(super) fn session(setting: &Setting) -> anyhow::Result<Row> {
    in_turn(setting, async |reader, key| Ok(reader.session.get("bench", key)?))
}

/// What reads with a token are made with.
struct Reader<'a> {
    db: &'a Database,
    token: Token,
    session: Session,
    /// Never waited for.
    later: Instant,
}

fn in_turn(
    setting: &Setting,
    read: impl AsyncFn(&Reader<'_>, &str) -> anyhow::Result<Option<Outcome>>,
) -> anyhow::Result<Row> {
    let dir = tempfile::tempdir_in(&setting.dir)?;
    let regions = Regions::start(dir.path())?;
    let (db, keys, start) = (&regions.databases[0], regions.keys()?, Instant::now());
    let reader = Reader { db, token: regions.token(), session: db.session(), later: start + 2 * setting.length };
    let mut times = Times::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reading = async {
        while start.elapsed() < setting.length {
            for keys in keys.chunks_exact(TOGETHER) {
                let (carries, began) = (times.turn(), Instant::now());
                for key in keys {
                    let found = if carries { read(&reader, key).await? } else { db.view().get("bench", key)? };
                    anyhow::ensure!(found.is_some(), "a key that was written is not there");
                }
                times.took(carries, began.elapsed());
            }
        }
        Ok(())
    };
    runtime.block_on(reading)?;
    drop(reader);
    regions.stop();
    Ok(times.row(TOGETHER))
}

/// Over HTTP, on a connection that stays.
pub(super) fn over_http(setting: &Setting) -> anyhow::Result<Row> {
    let dir = tempfile::tempdir_in(&setting.dir)?;
    let regions = Regions::start(dir.path())?;
    let keys = regions.keys()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let server = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(any_port()).await?;
        anyhow::Ok(serve_http(regions.databases[0].clone(), None, listener, HttpConfig::default())?)
    })?;
    let mut line = TcpStream::connect(server.addr())?;
    line.set_nodelay(true)?;
    let header = format!("anabranch-token: {}\r\n", regions.token().encode("bench"));
    let mut times = Times::default();
    let start = Instant::now();
    while start.elapsed() < setting.length {
        for key in &keys {
            let carries = times.turn();
            let took = exchange(&mut line, key, if carries { &header } else { "" })?;
            times.took(carries, took);
        }
    }
    runtime.block_on(server.stop());
    regions.stop();
    Ok(times.row(1))
}

/// Three regions that have each other's writes.
struct Regions {
    databases: Vec<Database>,
    networks: Vec<Network>,
}

impl Regions {
    fn start(dir: &Path) -> anyhow::Result<Self> {
        let (nodes, names) = (Nodes::new()?, ["a", "b", "c"]);
        let started: anyhow::Result<Vec<_>> = names.iter().map(|name| nodes.start(dir, name)).collect();
        let (databases, networks): (Vec<_>, Vec<_>) = started?.into_iter().unzip();
        for (at, network) in networks.iter().enumerate() {
            for (to, name) in names.iter().enumerate().filter(|(to, _)| *to != at) {
                let addr = (at < to).then(|| networks[to].local_addr().to_string());
                network.add_peer(PeerConfig { node: Some((*name).to_owned()), region: None, addr });
            }
        }
        for (number, db) in databases.iter().enumerate() {
            let first = number as u64 * FILL;
            writes::fill(db, first..first + FILL)?;
        }
        let regions = Self { databases, networks };
        for db in &regions.databases {
            regions.databases[0].view_at(&db.view().token(), CATCH_UP)?;
        }
        Ok(regions)
    }

    /// What the first one has: writes of all three.
    fn token(&self) -> Token {
        self.databases[0].view().token()
    }

    fn keys(&self) -> anyhow::Result<Vec<String>> {
        let origins: usize = self.token().iter().map(|(_, vector)| vector.iter().count()).sum();
        anyhow::ensure!(origins == 3, "a token of {origins} origins instead of three");
        let page = self.databases[0].view().scan("bench", "", None, FILL as usize)?;
        Ok(page.entries.into_iter().map(|entry| entry.key).collect())
    }

    fn stop(self) {
        drop(self.networks);
        self.databases.iter().for_each(Database::close);
    }
}

/// How long reads took, in turn with a token and without.
#[derive(Default)]
struct Times {
    turns: usize,
    without: Vec<Duration>,
    with: Vec<Duration>,
}

impl Times {
    /// Whether the next one carries a token. Not strictly every other one: so each key is read both ways.
    fn turn(&mut self) -> bool {
        self.turns += 1;
        self.turns % 2 == self.turns / 4_000 % 2
    }

    fn took(&mut self, carries: bool, took: Duration) {
        if carries { &mut self.with } else { &mut self.without }.push(took);
    }

    fn row(self, reads: usize) -> Row {
        let per_second = |times: Vec<Duration>| reads as f64 / median(times).as_secs_f64();
        let (ours, raw) = (per_second(self.with), per_second(self.without));
        Row { ours, raw, beside: "the same without a token", unit: "reads", worst_ms: None }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Sends a read and takes its answer; how long that took.
fn exchange(line: &mut TcpStream, key: &str, header: &str) -> anyhow::Result<Duration> {
    let request = format!("GET /v1/data/bench/{key} HTTP/1.1\r\nhost: localhost\r\nx-request-id: r\r\n{header}\r\n");
    let mut answer = Vec::with_capacity(2 << 10);
    let began = Instant::now();
    line.write_all(request.as_bytes())?;
    while !is_whole(&answer)? {
        let before = answer.len();
        answer.resize(before + (2 << 10), 0);
        let length = line.read(&mut answer[before..])?;
        anyhow::ensure!(length > 0, "the connection ended");
        answer.truncate(before + length);
    }
    let took = began.elapsed();
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    Ok(took)
}

fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(&answer[..end])?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no length")?;
    Ok(answer.len() >= end + 4 + length.parse::<usize>()?)
}
