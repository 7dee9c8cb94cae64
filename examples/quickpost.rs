//! Comments and replies, written in different regions. Somebody asks in Europe; a friend who reads it there travels to America
//! and replies; a reader in Asia is nearer to America than to Europe.
//!
//! Without causality Asia shows the answer before the question; with the traveller's token it never does: the leader in
//! America waits for the question before it takes the reply, and from then on the two arrive in this order everywhere.
//!
//! `cargo run --release --example quickpost`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch_client::{Client, ClientError, Guarantees, Options, Session};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use support::{Delay, Failure, World};

const THREADS: usize = 12;

/// Between the leaders.
fn wide_area(from: &str, to: &str) -> Option<Delay> {
    match (from, to) {
        ("eu", "us") => Some(60),
        ("eu", "ap") => Some(150),
        ("us", "ap") => Some(25),
        _ => None,
    }
}

/// Everybody asks only the region where they are.
struct Places {
    eu: Client,
    us: Client,
    ap: Client,
}

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    let mut world = World::start(&[("eu", None), ("us", None), ("ap", None)], wide_area).await?;
    let mut near = |place: &str| world.client(place, |_| 1);
    let places = Arc::new(Places { eu: near("eu")?, us: near("us")?, ap: near("ap")? });
    world.connected(|_| 2).await?;
    places.eu.session().declare("posts", "lww").await?;
    world.converged().await?;
    let eventual = discuss(&places, "eventual", Guarantees::NONE).await?;
    println!("without causality: of {THREADS} threads, {eventual} showed an answer before its question in Asia");
    let causal = discuss(&places, "causal", Guarantees::ALL).await?;
    println!("with the traveller's token: of {THREADS} threads, {causal} did");
    world.converged().await?;
    world.stop().await;
    Ok(eventual > 0 && causal == 0)
}

/// All threads at once; says in how many somebody saw an answer without its question.
async fn discuss(places: &Arc<Places>, name: &str, guarantees: Guarantees) -> Result<usize, Failure> {
    let mut threads = tokio::task::JoinSet::new();
    for index in 0..THREADS {
        let (places, thread) = (places.clone(), format!("{name}-{index}"));
        threads.spawn(async move { discuss_one(&places, &thread, guarantees).await });
    }
    let mut odd = 0;
    while let Some(one) = threads.join_next().await {
        odd += usize::from(one??);
    }
    Ok(odd)
}

async fn discuss_one(places: &Places, thread: &str, guarantees: Guarantees) -> Result<bool, Failure> {
    let stop = AtomicBool::new(false);
    let write = async {
        let written = ask_and_answer(places, thread, guarantees).await;
        // Until both are everywhere.
        tokio::time::sleep(Duration::from_millis(400)).await;
        stop.store(true, Ordering::Relaxed);
        written
    };
    let (written, odd) = tokio::join!(write, watch(&places.ap, thread, guarantees, &stop));
    written?;
    Ok(odd?)
}

async fn ask_and_answer(places: &Places, thread: &str, guarantees: Guarantees) -> Result<(), ClientError> {
    let author = places.eu.session_with(guarantees);
    author.with(here("eu")).write(|tx| tx.put("posts", &format!("{thread}/1-question"), &"Who knows?")).await?;
    let friend = places.eu.session_with(guarantees);
    while friend.with(here("eu")).get("posts", &format!("{thread}/1-question")).await?.is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The friend travels, and what the friend has read travels along.
    let friend = places.us.resume(&friend.save()).map_err(|error| ClientError::Invalid(error.to_string()))?;
    friend.with(here("us")).write(|tx| tx.put("posts", &format!("{thread}/2-answer"), &"I do.")).await?;
    Ok(())
}

/// Reads the thread again and again, at one cut each time.
async fn watch(ap: &Client, thread: &str, guarantees: Guarantees, stop: &AtomicBool) -> Result<bool, ClientError> {
    let reader: Session = ap.session_with(guarantees);
    let mut odd = false;
    while !stop.load(Ordering::Relaxed) {
        let page = reader.with(here("ap")).scan("posts", &format!("{thread}/"), None, 10).await?;
        let keys: Vec<&str> = page.entries.iter().map(|entry| entry.key.as_str()).collect();
        let has = |part: &str| keys.iter().any(|key| key.ends_with(part));
        odd |= has("2-answer") && !has("1-question");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(odd)
}

fn here(region: &str) -> Options {
    Options { replica: Some(region.to_owned()), ..Options::default() }
}
