//! A task board: one leader, three followers far away from it. A user moves a task and looks; then refreshes twice, at
//! other followers.
//!
//! Without a session the own move is missing, and a refresh shows what was before; with one, neither ever happens. Proved here by
//! counting both, and by what it costs: the latency of reads, beside reads that ask for nothing and reads at the leader.
//!
//! `cargo run --release --example taskflow`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch::resolvers::laws::Random;
use anabranch_client::{Client, Guarantees, Options, Session};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::{Delay, Failure, World, percentile};

const LEADER: &str = "us";
const FOLLOWERS: [&str; 3] = ["eu", "ap", "sa"];
const USERS: usize = 64;
const MOVES: u32 = 2;

/// From the leader to its followers: a slow path, as behind a busy network.
fn replication(from: &str, to: &str) -> Option<Delay> {
    match (from, to) {
        (LEADER, "eu") => Some(80),
        (LEADER, "ap") => Some(250),
        (LEADER, "sa") => Some(180),
        _ => None,
    }
}

/// From the users, who live in Europe.
fn distance(node: &str) -> Delay {
    match node {
        "eu" => 5,
        "us" => 40,
        "sa" => 50,
        _ => 60,
    }
}

/// Where users read, and what for.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    guarantees: Guarantees,
    at_leader: bool,
}

const WAYS: [Way; 3] = [
    Way { name: "eventual, at followers", guarantees: Guarantees::NONE, at_leader: false },
    Way { name: "sessions, at followers", guarantees: Guarantees::ALL, at_leader: false },
    Way { name: "at the leader only", guarantees: Guarantees::NONE, at_leader: true },
];

/// What users saw.
#[derive(Default)]
struct Seen {
    reads: usize,
    /// The own move was missing.
    stale: usize,
    /// A refresh showed less than the look before it.
    back_in_time: usize,
    latencies: Vec<Duration>,
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.stale += other.stale;
        self.back_in_time += other.back_in_time;
        self.latencies.extend(other.latencies);
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    let plan = [(LEADER, None), ("eu", Some(LEADER)), ("ap", Some(LEADER)), ("sa", Some(LEADER))];
    let mut world = World::start(&plan, replication).await?;
    // Reads are asked of one follower each, so that what is counted is what that one shows.
    let client = world.client("eu", distance)?;
    world.connected(|name| if name == LEADER { 3 } else { 1 }).await?;
    client.session().declare("tasks", "lww").await?;
    world.converged().await?;
    println!("{USERS} users move {MOVES} tasks each; after each move they look, and refresh twice\n");
    println!("{:24} {:>6} {:>6} {:>13} {:>8} {:>8}", "reads", "count", "stale", "back in time", "p50 ms", "p99 ms");
    let mut results = Vec::new();
    for (index, way) in WAYS.into_iter().enumerate() {
        let mut seen = board(&client, index, way).await?;
        let ms = |latency: Duration| latency.as_secs_f64() * 1e3;
        let (p50, p99) = (ms(percentile(&mut seen.latencies, 50)), ms(percentile(&mut seen.latencies, 99)));
        let Seen { reads, stale, back_in_time, .. } = seen;
        println!("{:24} {reads:>6} {stale:>6} {back_in_time:>13} {p50:>8.1} {p99:>8.1}", way.name);
        results.push((stale, back_in_time));
    }
    world.converged().await?;
    world.stop().await;
    let [eventual, sessions, leader] = results[..] else { return Ok(false) };
    let provoked = eventual.0 > 0 && eventual.1 > 0;
    println!("\nthe anomalies can be provoked: {provoked}; with sessions there are none: {}", sessions == (0, 0));
    Ok(provoked && sessions == (0, 0) && leader == (0, 0))
}

/// All users at once, each with a session and a task of their own.
async fn board(client: &Client, way_index: usize, way: Way) -> Result<Seen, Failure> {
    let mut users = tokio::task::JoinSet::new();
    for user in 0..USERS {
        let session = client.session_with(way.guarantees);
        let task = format!("way-{way_index}/user-{user}");
        users.spawn(async move { live(&session, &task, way, Random::new(user as u64)).await });
    }
    let mut seen = Seen::default();
    while let Some(one) = users.join_next().await {
        seen.add(one??);
    }
    Ok(seen)
}

async fn live(session: &Session, task: &str, way: Way, mut random: Random) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    for column in 1..=MOVES {
        session.write(|tx| tx.put("tasks", task, &column)).await?;
        let mut last = 0;
        let (first, step) = (random.index(3), 1 + random.index(2));
        for look in 0..3 {
            let replica = if way.at_leader { LEADER } else { FOLLOWERS[(first + step * look) % 3] };
            let options = Options { replica: Some(replica.to_owned()), ..Options::default() };
            let began = Instant::now();
            let found: Option<u32> = session.with(options).get_as("tasks", task).await?;
            seen.latencies.push(began.elapsed());
            let found = found.unwrap_or(0);
            seen.reads += 1;
            seen.stale += usize::from(found < column);
            seen.back_in_time += usize::from(found < last);
            last = found;
        }
    }
    Ok(seen)
}
