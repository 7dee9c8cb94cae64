//! A photo is uploaded in one region and listed in another, at once, through a load balancer that knows nothing of either: it hands
//! each connection to the next node. The token in the request is all it takes.
//!
//! The requests are plain HTTP, as any program in any language sends them.
//!
//! `cargo run --release --example photo_upload`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use support::{Delay, Failure, World, any_port, percentile};
use tokio::net::{TcpListener, TcpStream};

const ALBUMS: usize = 8;
const PHOTOS: usize = 6;

fn wide_area(from: &str, to: &str) -> Option<Delay> {
    match (from, to) {
        ("eu", "us") => Some(40),
        ("eu", "ap") => Some(110),
        ("us", "ap") => Some(70),
        _ => None,
    }
}

/// What a user's requests came to.
#[derive(Default)]
struct Outcome {
    lists: usize,
    missing: usize,
    nodes: std::collections::BTreeSet<String>,
    latencies: Vec<Duration>,
}

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    let world = World::start(&[("eu", None), ("us", None), ("ap", None)], wide_area).await?;
    world.connected(|_| 2).await?;
    let balancer = balance(world.http()).await?;
    let made = tokio::task::spawn_blocking(move || {
        request(balancer, "PUT", "/v1/collections/albums", None, r#"{"resolver":"or-set"}"#)
    });
    made.await??;
    world.converged().await?;
    let mut without = users(balancer, "plain", false).await?;
    let mut with = users(balancer, "token", true).await?;
    for (name, outcome) in [("without a token", &mut without), ("with the token", &mut with)] {
        let p50 = percentile(&mut outcome.latencies, 50).as_secs_f64() * 1e3;
        let nodes: Vec<&str> = outcome.nodes.iter().map(String::as_str).collect();
        let (lists, missing) = (outcome.lists, outcome.missing);
        println!(
            "{name:16} {missing:>3} of {lists} lists lacked the photo just uploaded; p50 {p50:.1} ms; from {nodes:?}"
        );
    }
    world.converged().await?;
    world.stop().await;
    Ok(without.missing > 0 && with.missing == 0 && with.nodes.len() == 3)
}

/// Hands each connection to the next node.
async fn balance(nodes: Vec<SocketAddr>) -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind(any_port()).await?;
    let addr = listener.local_addr()?;
    tokio::spawn(async move {
        let mut turn = nodes.into_iter().cycle();
        while let (Ok((mut client, _)), Some(node)) = (listener.accept().await, turn.next()) {
            tokio::spawn(async move {
                if let Ok(mut server) = TcpStream::connect(node).await {
                    // A connection that breaks is the client's to notice.
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                }
            });
        }
    });
    Ok(addr)
}

/// Several users at once, each with an album.
async fn users(balancer: SocketAddr, name: &'static str, with_token: bool) -> Result<Outcome, Failure> {
    let mut albums = tokio::task::JoinSet::new();
    for index in 0..ALBUMS {
        albums.spawn_blocking(move || upload_and_list(balancer, &format!("{name}-{index}"), with_token));
    }
    let mut all = Outcome::default();
    while let Some(one) = albums.join_next().await {
        let one = one??;
        all.lists += one.lists;
        all.missing += one.missing;
        all.nodes.extend(one.nodes);
        all.latencies.extend(one.latencies);
    }
    Ok(all)
}

fn upload_and_list(balancer: SocketAddr, album: &str, with_token: bool) -> Result<Outcome, Failure> {
    let path = format!("/v1/data/albums/{album}");
    let mut outcome = Outcome::default();
    let mut token: Option<String> = None;
    for number in 0..PHOTOS {
        let photo = format!("photo-{number}.jpg");
        let body = format!(r#"{{"add":["{photo}"]}}"#);
        let uploaded = request(balancer, "POST", &path, token.as_deref(), &body)?;
        token = with_token.then_some(uploaded.token);
        let began = Instant::now();
        let listed = request(balancer, "GET", &path, token.as_deref(), "")?;
        outcome.latencies.push(began.elapsed());
        outcome.lists += 1;
        outcome.missing += usize::from(!listed.body.contains(&photo));
        outcome.nodes.insert(listed.node);
        token = with_token.then_some(listed.token);
    }
    Ok(outcome)
}

struct Answer {
    token: String,
    node: String,
    body: String,
}

fn request(to: SocketAddr, method: &str, path: &str, token: Option<&str>, body: &str) -> Result<Answer, Failure> {
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    // A connection of its own, so that the balancer decides about each request.
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{to}{path}"));
    request = request.header("connection", "close").header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("anabranch-token", token);
    }
    let mut response = agent.run(request.body(body.to_owned())?)?;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (token, node) = (header("anabranch-token").to_owned(), header("anabranch-served-by").to_owned());
    let (status, body) = (response.status(), response.body_mut().read_to_string()?);
    // Without a token, a list may come before anything was uploaded as far as that node knows.
    if !status.is_success() && status != 404 {
        return Err(format!("{method} {path}: {status}: {body}").into());
    }
    Ok(Answer { token, node, body })
}
