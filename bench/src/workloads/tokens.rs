//! Reads with a token of three regions that is satisfied already, beside the same reads without one.

use crate::ours::cluster::{Cluster, any_port};
use crate::ours::local;
use crate::setting::Setting;
use crate::workload::{Figure, Workload};
use anabranch::{Database, Outcome, Session, Token};
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

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "tokens",
        title: "Reads with a satisfied token of three regions",
        what: "Three regions in this process have each other's 1,000 writes; one thread reads 1,000 of them, in turn with a token of all \
               three and without. In the library: `Database::view_at_async` and `View::get`, beside `Database::view` and \
               `View::get`; through a session, which also takes note of what it reads, beside the same; over HTTP, one \
               connection that stays, with the header and without. Each is the median time of a read (in the library of 50 \
               together), as a rate.",
        unit: "reads/s",
        // The plan states no target for this.
        goals: Vec::new(),
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let regions = Regions::start(dir.path())?;
    let library = in_turn(setting, &regions, "library", async |reader, key| {
        Ok(reader.db.view_at_async(&reader.token, reader.later).await?.get(local::COLLECTION, key)?)
    })?;
    let session =
        in_turn(setting, &regions, "session", async |reader, key| Ok(reader.session.get(local::COLLECTION, key)?))?;
    let http = over_http(setting, &regions)?;
    regions.cluster.stop();
    Ok([library, session, http].concat())
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
    regions: &Regions,
    name: &str,
    read: impl AsyncFn(&Reader<'_>, &str) -> anyhow::Result<Option<Outcome>>,
) -> anyhow::Result<[Figure; 2]> {
    let (db, keys, start) = (&regions.cluster.leaders[0], regions.keys()?, Instant::now());
    let reader = Reader { db, token: regions.token(), session: db.session(), later: start + 2 * setting.length };
    let mut times = Times::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let reading = async {
        while start.elapsed() < setting.length {
            for keys in keys.chunks_exact(TOGETHER) {
                let (carries, began) = (times.turn(), Instant::now());
                for key in keys {
                    let found =
                        if carries { read(&reader, key).await? } else { db.view().get(local::COLLECTION, key)? };
                    anyhow::ensure!(found.is_some(), "a key that was written is not there");
                }
                times.took(carries, began.elapsed());
            }
        }
        Ok(())
    };
    runtime.block_on(reading)?;
    times.figures(name, TOGETHER)
}

/// Over HTTP, on a connection that stays.
fn over_http(setting: &Setting, regions: &Regions) -> anyhow::Result<[Figure; 2]> {
    let keys = regions.keys()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let server = runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(any_port()).await?;
        anyhow::Ok(serve_http(regions.cluster.leaders[0].clone(), None, listener, HttpConfig::default())?)
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
    times.figures("HTTP", 1)
}

/// Three regions that have each other's writes.
struct Regions {
    cluster: Cluster,
}

impl Regions {
    fn start(dir: &Path) -> anyhow::Result<Self> {
        let cluster = Cluster::start(dir, &["a", "b", "c"])?;
        for (number, db) in cluster.leaders.iter().enumerate() {
            let first = number as u64 * FILL;
            local::fill(db, (first..first + FILL).map(local::write))?;
        }
        cluster.settle()?;
        Ok(Self { cluster })
    }

    /// What the first one has: writes of all three.
    fn token(&self) -> Token {
        self.cluster.leaders[0].view().token()
    }

    fn keys(&self) -> anyhow::Result<Vec<String>> {
        let origins: usize = self.token().iter().map(|(_, vector)| vector.iter().count()).sum();
        anyhow::ensure!(origins == 3, "a token of {origins} origins instead of three");
        let page = self.cluster.leaders[0].view().scan(local::COLLECTION, "", None, FILL as usize)?;
        Ok(page.entries.into_iter().map(|entry| entry.key).collect())
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

    fn figures(self, name: &str, reads: usize) -> anyhow::Result<[Figure; 2]> {
        let per_second = |times: Vec<Duration>| anyhow::Ok(reads as f64 / median(times)?.as_secs_f64());
        Ok([
            Figure::new(&format!("Anabranch, {name}, token"), per_second(self.with)?),
            Figure::new(&format!("Anabranch, {name}, no token"), per_second(self.without)?),
        ])
    }
}

fn median(mut times: Vec<Duration>) -> anyhow::Result<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied().context("nothing was read")
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
