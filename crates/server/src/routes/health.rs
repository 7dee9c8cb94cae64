//! `/health` and `/ready`.

use crate::answer;
use crate::app::App;
use anabranch::{PeerState, Status};
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// How long after the disk was found full a node says that it is not ready. Longer than writes are refused for it, and
/// short enough for traffic to come back and find out whether there is room again.
const FULL_FOR: Duration = Duration::from_secs(5);

/// `GET /health`: local reads and writes work.
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    let works = app.database.status_async().await.is_some();
    let status = if works { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::plain(status, "application/json", json!({ "healthy": works }).to_string())
}

/// `GET /ready`: whether traffic should come here.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    let status = app.database.status_async().await;
    let mut checks = vec![store(status.as_ref()), disk(app.database.metrics().disk_full_ago())];
    checks.push(clock(status.as_ref()));
    // Nobody can be shut out yet: members that are behind come with log truncation.
    checks.push(check("fenced", "ok", "this node is a member"));
    checks.push(peers(&app.peers()));
    checks.push(lag(status.as_ref(), app.config.lag_limit));
    let ready = checks.iter().all(|check| check["state"] != "fail");
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    answer::plain(status, "application/json", json!({ "ready": ready, "checks": checks }).to_string())
}

fn check(name: &str, state: &str, detail: impl Into<String>) -> Value {
    json!({ "check": name, "state": state, "detail": detail.into() })
}

fn store(status: Option<&Status>) -> Value {
    match status {
        Some(_) => check("store", "ok", "it reads and writes"),
        None => check("store", "fail", "the store failed or is closed: start the node again; its log says why"),
    }
}

fn disk(full_ago: Option<Duration>) -> Value {
    match full_ago {
        None => check("disk", "ok", "there is room"),
        Some(ago) if ago < FULL_FOR => check("disk", "fail", "the disk is full: free some space"),
        Some(_) => check("disk", "warn", "the disk was full at the last write"),
    }
}

fn clock(status: Option<&Status>) -> Value {
    match status.and_then(|status| status.clock_refusal.as_deref()) {
        None => check("clock", "ok", "it agrees with the other members', as far as they are heard"),
        Some(why) => check("clock", "fail", why),
    }
}

fn peers(peers: &[PeerState]) -> Value {
    let missing: Vec<&str> = peers.iter().filter(|peer| !peer.connected).map(|peer| peer.node.as_str()).collect();
    match (peers.len(), missing.is_empty()) {
        (0, _) => check("peers", "ok", "none are configured"),
        (count, true) => check("peers", "ok", format!("all {count} are connected")),
        (_, false) => check("peers", "warn", format!("not connected: {}", missing.join(", "))),
    }
}

fn lag(status: Option<&Status>, limit: Duration) -> Value {
    let limit = limit.as_millis() as u64;
    let behind = status.into_iter().flat_map(|status| &status.peers).filter(|peer| peer.lag_ms > limit);
    let behind: Vec<String> = behind.map(|peer| format!("{} by {} ms", peer.name, peer.lag_ms)).collect();
    match behind.is_empty() {
        true => check("lag", "ok", "nothing of the peers has been missing for long"),
        false => check("lag", "warn", format!("behind {}", behind.join(", "))),
    }
}
