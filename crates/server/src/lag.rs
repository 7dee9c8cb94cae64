//! Lag is logged: once when an episode begins, once when it ends.

use anabranch::{Database, Status};
use std::collections::BTreeSet;
use std::time::Duration;

/// From where on lag is worth a warning.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches until the database is closed.
pub(crate) async fn watch(database: Database) {
    let mut behind = BTreeSet::new();
    while let Some(status) = database.status_async().await {
        note(&mut behind, &status);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn note(behind: &mut BTreeSet<String>, status: &Status) {
    let limit = LIMIT.as_millis() as u64;
    for peer in &status.peers {
        if peer.lag_ms > limit && behind.insert(peer.name.clone()) {
            let (transactions, ms) = (peer.lag_transactions, peer.lag_ms);
            tracing::warn!(peer = peer.name, transactions, ms, "replication lags: this node lacks writes of the peer");
        }
        if peer.lag_ms == 0 && behind.remove(&peer.name) {
            tracing::info!(peer = peer.name, "replication has caught up with the peer");
        }
    }
    behind.retain(|name| status.peers.iter().any(|peer| peer.name == *name));
}
