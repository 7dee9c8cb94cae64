//! A client: connections to replicas, and what is known of them.

use crate::builder::Builder;
use crate::error::ClientError;
use crate::replica::{self, STOPPED};
use crate::session::Session;
use crate::shared::Shared;
use anabranch_causality::SessionId;
use anabranch_session::{Guarantees, Replica, Role, SaveError, SessionState};
use anabranch_transport::Identity;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Connections to replicas. Cheap to clone; with the last clone and the last session all connections end.
#[derive(Clone)]
pub struct Client {
    core: Arc<Core>,
}

struct Core {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// What a client knows of a replica, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaState {
    /// What the client calls it.
    pub name: String,
    /// Where it is dialled.
    pub addr: String,
    /// The node that answered there, once one did.
    pub node: Option<String>,
    /// Its region, when known.
    pub region: Option<String>,
    /// What it does, when known.
    pub role: Option<Role>,
    /// Whether a connection is up.
    pub connected: bool,
    /// Whether it failed, and is asked after the others for a while.
    pub failing: bool,
    /// How far it is behind, if it said so lately.
    pub lag: Option<Duration>,
    /// The smoothed time that it takes to say how it stands.
    pub round_trip: Option<Duration>,
    /// Why it is not connected, if that is known.
    pub problem: Option<String>,
}

impl Client {
    /// A client with that identity: a certificate of the cluster, with a name of its own.
    #[must_use]
    pub fn builder(identity: Identity) -> Builder {
        Builder::new(identity)
    }

    pub(crate) fn start(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        let keep = |index| tokio::spawn(replica::keep(shared.clone(), index));
        let tasks = (0..shared.links.len()).map(keep).collect();
        Self { core: Arc::new(Core { shared, tasks }) }
    }

    /// A new session with all four guarantees: causal consistency.
    #[must_use]
    pub fn session(&self) -> Session {
        self.session_with(Guarantees::ALL)
    }

    /// A new session with these guarantees.
    #[must_use]
    pub fn session_with(&self, guarantees: Guarantees) -> Session {
        let id = SessionId(*uuid::Uuid::now_v7().as_bytes());
        Session::new(self.clone(), SessionState::new(id, guarantees))
    }

    /// Carries on a session that [`Session::save`] made text of. Only one holder may: see there.
    ///
    /// # Errors
    /// [`SaveError`] for a text that is no session, or another cluster's.
    pub fn resume(&self, saved: &str) -> Result<Session, SaveError> {
        let state = SessionState::restore(saved, self.cluster())?;
        Ok(Session::new(self.clone(), state))
    }

    /// The name of the cluster.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.core.shared.hello.cluster
    }

    /// What is known of the replicas, in the order in which they were given.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaState> {
        let shared = self.shared();
        let (fleet, now_ms) = (shared.fleet(), shared.now_ms());
        let nothing = Replica::default();
        let state = |link: &crate::link::Link| {
            let known = fleet.get(&link.name).unwrap_or(&nothing);
            ReplicaState {
                name: link.name.clone(),
                addr: link.addr.clone(),
                node: link.node(),
                region: known.region().map(str::to_owned),
                role: known.role(),
                connected: link.channel().is_some(),
                failing: known.is_failing(now_ms),
                lag: known.lag_ms(now_ms).map(Duration::from_millis),
                round_trip: known.round_trip_micros().map(Duration::from_micros),
                problem: link.problem(),
            }
        };
        shared.links.iter().map(state).collect()
    }

    /// Returns when at least that many replicas are connected and have said how they stand. No call needs this: each waits
    /// by itself for the first replica. But only a client that knows all of them chooses the nearest.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] when it takes longer than `within`.
    pub async fn connected(&self, count: usize, within: Duration) -> Result<(), ClientError> {
        let deadline = Instant::now() + within;
        let is_known = |state: &ReplicaState| state.connected && state.role.is_some();
        while self.replicas().iter().filter(|state| is_known(state)).count() < count {
            if Instant::now() >= deadline {
                return Err(ClientError::Unreachable(self.shared().problems()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.core.shared
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        for link in &self.shared.links {
            if let Some(channel) = link.take() {
                channel.connection().close(STOPPED, "the client stops");
            }
        }
    }
}
