//! Lag is logged: once when an episode begins, once when it ends.

use anabranch::{Database, Status};
use std::collections::BTreeSet;
use std::time::Duration;

/// From where on lag is worth a warning, unless an operator says otherwise.
pub(crate) const DEFAULT_LIMIT: Duration = Duration::from_secs(1);
/// How old what a replica shows may seem only because heartbeats are that far apart.
pub(crate) const HEARTBEATS: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Watches until the database is closed.
pub(crate) async fn watch(database: Database, limit: Duration) {
    let mut episodes = Episodes { limit_ms: limit.as_millis() as u64, behind: BTreeSet::new() };
    while let Some(status) = database.status_async().await {
        for event in episodes.note(&status) {
            event.log();
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The peers that we lag behind.
struct Episodes {
    limit_ms: u64,
    behind: BTreeSet<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Event {
    Begins { peer: String, transactions: u64, ms: u64 },
    Ends { peer: String },
}

impl Event {
    fn log(&self) {
        match self {
            Self::Begins { peer, transactions, ms } => {
                tracing::warn!(peer, transactions, ms, "replication lags: this node may lack writes of the peer");
            }
            Self::Ends { peer } => tracing::info!(peer, "replication has caught up with the peer"),
        }
    }
}

impl Episodes {
    fn note(&mut self, status: &Status) -> Vec<Event> {
        let mut events = Vec::new();
        for peer in &status.peers {
            if peer.lag_ms > self.limit_ms && self.behind.insert(peer.name.clone()) {
                let (transactions, ms) = (peer.lag_transactions, peer.lag_ms);
                events.push(Event::Begins { peer: peer.name.clone(), transactions, ms });
            }
            // Not at the limit: around it there would be one episode after the other.
            if peer.lag_ms <= self.limit_ms / 2 && self.behind.remove(&peer.name) {
                events.push(Event::Ends { peer: peer.name.clone() });
            }
        }
        self.behind.retain(|name| status.peers.iter().any(|peer| peer.name == *name));
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch::PeerStatus;

    #[test]
    fn an_episode_is_told_once_when_it_begins_and_once_when_it_ends() {
        let database = Database::builder().names("shop", "eu", "eu").open_in_memory().expect("opens");
        let empty = database.status().expect("open");
        let peer = |lag_ms| PeerStatus {
            name: "us".to_owned(),
            region: "us".to_owned(),
            role: None,
            connected: false,
            lag_transactions: 7,
            missing_transactions: 7,
            lag_ms,
            unacked_transactions: 0,
            in_flight_bytes: 0,
            acked: anabranch::VersionVector::new(),
            clock_ahead_ms: None,
        };
        let mut episodes = Episodes { limit_ms: 1_000, behind: BTreeSet::new() };
        let mut note = |lag_ms| episodes.note(&Status { peers: vec![peer(lag_ms)], ..empty.clone() });
        assert_eq!(note(1_000), []);
        assert_eq!(note(1_001), [Event::Begins { peer: "us".to_owned(), transactions: 7, ms: 1_001 }]);
        assert_eq!(note(9_000), []);
        assert_eq!(note(900), []);
        assert_eq!(note(1_100), []);
        assert_eq!(note(0), [Event::Ends { peer: "us".to_owned() }]);
        assert_eq!(note(0), []);
    }
}
