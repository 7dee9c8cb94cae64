//! A hundred thousand likes, given in three regions at the same time, a third of them while one region is cut off. Each is
//! acknowledged where it was given, and in the end every region counts each of them, once.
//!
//! `cargo run --release --example likes`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch::{Change, Database, Kind, Operation, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::{Delay, Failure, World};

const REGIONS: [&str; 3] = ["eu", "us", "ap"];
const LIKES: i64 = 100_000;
/// A transaction likes each of them once.
const POSTS: i64 = 4;
/// Before the partition, during, and after.
const PHASES: i64 = 3;
/// How many give likes at the same time, in each region.
const READERS: i64 = 32;
/// How long the region is cut off at least.
const APART: Duration = Duration::from_millis(800);

/// Between the leaders.
fn wide_area(_: &str, _: &str) -> Option<Delay> {
    Some(20)
}

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    let world = World::start(&REGIONS.map(|region| (region, None)), wide_area).await?;
    world.connected(|_| 2).await?;
    let (began, mut given, mut giving, mut cut_off) = (Instant::now(), 0, Duration::ZERO, Duration::ZERO);
    for phase in 1..=PHASES {
        // Such that they come out even.
        let upto = LIKES / POSTS * phase / PHASES;
        let transactions = upto - given;
        if phase == 2 {
            let started = Instant::now();
            giving += give_apart(&world, given, transactions).await?;
            cut_off = started.elapsed();
        } else {
            giving += give(&world, transactions).await?.1;
            world.converged().await?;
        }
        given = upto;
    }
    let took = began.elapsed();
    let rate = LIKES as f64 / giving.as_secs_f64();
    println!(
        "{LIKES} likes, {rate:.0} a second while they were given; {took:.2?} in all, {cut_off:.2?} of it without ap"
    );
    let mut exact = true;
    for node in nodes(&world) {
        let likes = node.database.g_counter("likes")?;
        let counts: Result<Vec<i64>, _> = (0..POSTS).map(|post| likes.get(&format!("post:{post}"))).collect();
        let counts = counts?;
        println!("{}: {} in all, {} for each post", node.name, total(node), counts[0]);
        exact &= counts.iter().all(|count| *count == LIKES / POSTS) && total(node) == LIKES;
    }
    world.stop().await;
    Ok(exact)
}

/// The same while `ap` is cut off: it counts what it was given, and the others what they were.
async fn give_apart(world: &World, before: i64, transactions: i64) -> Result<Duration, Failure> {
    world.cut_off("ap", true);
    let until = Instant::now() + APART;
    let (here, took) = give(world, transactions).await?;
    let expected = [here[0] + here[1], here[0] + here[1], here[2]].map(|more| (before + more) * POSTS);
    let counted = || nodes(world).map(total).collect::<Vec<i64>>();
    // The others still hear of each other.
    support::until("two regions count what was given there", || counted() == expected).await?;
    println!(
        "ap is cut off: {} likes are acknowledged, the regions count {expected:?}",
        (before + transactions) * POSTS
    );
    tokio::time::sleep_until(until.into()).await;
    world.cut_off("ap", false);
    Ok(took)
}

fn nodes(world: &World) -> impl Iterator<Item = &support::Node> {
    REGIONS.iter().filter_map(|region| world.node_named(region))
}

/// So many transactions, from all regions at once; each waits until its region has it. Says how many each was given,
/// and how long that took.
async fn give(world: &World, transactions: i64) -> Result<([i64; 3], Duration), Failure> {
    let (mut readers, mut given, started) = (tokio::task::JoinSet::new(), [0; 3], Instant::now());
    let all = REGIONS.len() as i64 * READERS;
    for reader in 0..all {
        let region = (reader / READERS) as usize;
        let node = world.node_named(REGIONS[region]).ok_or("no such region")?;
        let count = transactions / all + i64::from(reader < transactions % all);
        given[region] += count;
        readers.spawn(like(node.database.clone(), count));
    }
    while let Some(done) = readers.join_next().await {
        done??;
    }
    Ok((given, started.elapsed()))
}

async fn like(database: Database, transactions: i64) -> Result<(), Failure> {
    for _ in 0..transactions {
        let changes = (0..POSTS).map(|post| Change::Operate {
            collection: "likes".to_owned(),
            kind: Kind::G_COUNTER,
            key: format!("post:{post}"),
            operation: Operation::Add(1),
            context: None,
        });
        database.apply_async(Write { changes: changes.collect(), key: None }).await?;
    }
    Ok(())
}

/// All likes that a region counts.
fn total(node: &support::Node) -> i64 {
    let page = node.database.view().scan("likes", "", None, POSTS as usize);
    page.map_or(0, |page| page.entries.iter().filter_map(|entry| entry.outcome.value.as_i64()).sum())
}
