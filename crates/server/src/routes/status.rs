//! `/v1/status`.

use crate::answer;
use crate::app::App;
use crate::call::{Call, vector};
use crate::problem::{Code, Problem};
use anabranch::{PeerState, PeerStatus, Role, Status};
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `GET /v1/status`
pub(crate) async fn status(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    call.query(&[])?;
    call.view_here(&app).await?;
    let status = app.database.status_async().await;
    let status = status.ok_or_else(|| Problem::new(Code::NotReady, "the database is closed or its store failed"))?;
    let names = app.database.names();
    let open = app.conflicts.of(&app.database).await?;
    let mut body = json!({
        "cluster": names.cluster,
        "region": names.region,
        "name": names.node,
        "role": app.database.role().name(),
        "leader": app.database.leader(),
        "origin": app.database.leader().is_none().then(|| status.origin.to_string()),
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_s": app.started.elapsed().as_secs(),
        "shards": [shard(&status)],
        "behind_ms": status.behind_ms,
        "peers": peers(&status.peers, &app.peers()),
        "conflicts_open": open.total(),
    });
    if open.more {
        // So many at least: counting ended at its limit.
        body["conflicts_open_more"] = true.into();
    }
    // The view is taken after the status, so that its token covers what the status shows.
    Ok(answer::of(&app.database.view(), StatusCode::OK, &body))
}

fn shard(status: &Status) -> Value {
    let origins = status.parked_origins.iter();
    let origins = origins.map(|(origin, reason)| json!({ "origin": origin.to_string(), "reason": reason }));
    let collections = status.parked_collections.iter();
    let collections = collections.map(|(collection, reason)| json!({ "collection": collection, "reason": reason }));
    json!({
        "shard": 0,
        "version_vector": vector(&status.vector),
        "digest": format!("{:016x}", status.digest),
        "log_transactions": status.log_transactions,
        "buffered": status.buffered,
        "parked": origins.chain(collections).collect::<Vec<_>>(),
    })
}

/// The peers that were configured or met, in the order of their names. What is not known is `null`.
fn peers(connected: &[PeerStatus], states: &[PeerState]) -> Vec<Value> {
    let mut rows: BTreeMap<&str, (Option<&PeerStatus>, Option<&PeerState>)> = BTreeMap::new();
    for state in states {
        rows.entry(&state.node).or_default().1 = Some(state);
    }
    for status in connected {
        rows.entry(&status.name).or_default().0 = Some(status);
    }
    rows.into_iter().map(|(name, (status, state))| peer(name, status, state)).collect()
}

fn peer(name: &str, status: Option<&PeerStatus>, state: Option<&PeerState>) -> Value {
    let region = status.map(|status| status.region.clone()).filter(|region| !region.is_empty());
    let region = region.or_else(|| state.and_then(|state| state.region.clone()));
    let connected = status.filter(|status| status.connected);
    let rtt = state.and_then(|state| state.rtt).filter(|_| connected.is_some());
    json!({
        "name": name,
        "region": region,
        "role": status.and_then(|status| status.role).map(Role::name),
        "state": if connected.is_some() { "connected" } else { "connecting" },
        "lag_transactions": status.map(|status| status.lag_transactions),
        "lag_ms": status.map(|status| status.lag_ms),
        "unacked_transactions": connected.map(|status| status.unacked_transactions),
        "rtt_ms": rtt.map(|rtt| (rtt.as_micros() as f64) / 1e3),
        "acked": connected.map(|status| vector(&status.acked)),
    })
}
