//! Which peers there are, and which connection to each is the one in use.

use crate::driver::ConnectionId;
use anabranch_causality::Origin;
use anabranch_transport::{Connection, PeerName, Traffic};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A peer to accept, and to dial when it has an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its name; `None` for whoever of the cluster answers at the address.
    pub node: Option<String>,
    /// Its region, if it must be that one.
    pub region: Option<String>,
    /// Where to dial it, `host:port`. Who answers is known by its certificate, never by its address.
    pub addr: Option<String>,
}

/// A peer and the connection to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerState {
    /// Its name.
    pub node: String,
    /// Its region, when known.
    pub region: Option<String>,
    /// Whether a connection is up.
    pub connected: bool,
    /// The round trip time of the connection.
    pub rtt: Option<Duration>,
    /// Bytes sent to it since the network was started, as UDP payload.
    pub sent_bytes: u64,
    /// Bytes received from it since the network was started, likewise.
    pub received_bytes: u64,
    /// Of the bytes sent, those of messages and requests, with the lengths before them: what QUIC adds is left out.
    pub sent_stream_bytes: u64,
    /// Likewise of the bytes received.
    pub received_stream_bytes: u64,
    /// Why it could not be reached the last time, if so.
    pub problem: Option<String>,
}

#[derive(Default)]
pub(crate) struct Peers {
    inner: Mutex<Inner>,
    changed: tokio::sync::Notify,
}

#[derive(Default)]
struct Inner {
    known: BTreeMap<String, Known>,
    next_id: u64,
}

#[derive(Default)]
struct Known {
    region: Option<String>,
    active: Option<Active>,
    problem: Option<String>,
    past: Traffic,
}

struct Active {
    id: ConnectionId,
    preferred: bool,
    origin: Origin,
    connection: Connection,
}

/// Why a connection is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotAdmitted {
    /// Nobody said that this node is a peer.
    Unknown,
    /// It is configured with another region.
    OtherRegion,
    /// There is one already.
    Duplicate,
}

impl Peers {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, node: &str, region: Option<&str>) {
        let mut inner = self.lock();
        inner.known.entry(node.to_owned()).or_default().region = region.map(str::to_owned);
    }

    /// Makes a connection the one in use, if it should be. Of two that both nodes dialled at the same moment, the one
    /// dialled by the node with the smaller name stays, at both; a peer that was restarted replaces its old one.
    pub(crate) fn admit(
        &self,
        connection: &Connection,
        origin: Origin,
        preferred: bool,
        dialled_by_address: bool,
    ) -> Result<ConnectionId, NotAdmitted> {
        let mut inner = self.lock();
        inner.next_id += 1;
        let id = ConnectionId(inner.next_id);
        let PeerName { node, region, .. } = connection.peer();
        if dialled_by_address {
            inner.known.entry(node.clone()).or_default();
        }
        let known = inner.known.get_mut(node).ok_or(NotAdmitted::Unknown)?;
        match &known.region {
            Some(expected) if expected != region => return Err(NotAdmitted::OtherRegion),
            Some(_) => {}
            None => known.region = Some(region.clone()),
        }
        if let Some(active) = &known.active {
            let alive = active.connection.close_reason().is_none() && active.origin == origin;
            if alive && active.preferred && !preferred {
                return Err(NotAdmitted::Duplicate);
            }
            active.connection.close(codes::REPLACED, "replaced by a newer connection");
        }
        known.retire();
        known.problem = None;
        known.active = Some(Active { id, preferred, origin, connection: connection.clone() });
        drop(inner);
        self.changed.notify_waiters();
        Ok(id)
    }

    /// The connection is no more.
    pub(crate) fn release(&self, node: &str, id: ConnectionId) {
        let mut inner = self.lock();
        if let Some(known) = inner.known.get_mut(node)
            && known.active.as_ref().is_some_and(|active| active.id == id)
        {
            known.retire();
        }
        drop(inner);
        self.changed.notify_waiters();
    }

    /// Takes note of why a peer could not be reached.
    pub(crate) fn note_problem(&self, node: &str, problem: &str) {
        if let Some(known) = self.lock().known.get_mut(node) {
            known.problem = Some(problem.to_owned());
        }
    }

    /// The connection in use.
    pub(crate) fn connection(&self, node: &str) -> Option<Connection> {
        self.lock().known.get(node)?.active.as_ref().map(|active| active.connection.clone())
    }

    pub(crate) fn is_connected(&self, node: &str) -> bool {
        self.lock().known.get(node).is_some_and(|known| known.active.is_some())
    }

    /// Returns when no connection to the peer is in use.
    pub(crate) async fn disconnected(&self, node: &str) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that no change between the two is missed.
            changed.as_mut().enable();
            if !self.is_connected(node) {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn close_all(&self) {
        for known in self.lock().known.values() {
            if let Some(active) = &known.active {
                active.connection.close(codes::STOPPED, "the node stops");
            }
        }
    }

    pub(crate) fn states(&self) -> Vec<PeerState> {
        let state = |(node, known): (&String, &Known)| {
            let traffic = known.traffic();
            PeerState {
                node: node.clone(),
                region: known.region.clone(),
                connected: known.active.is_some(),
                rtt: known.active.as_ref().map(|active| active.connection.rtt()),
                sent_bytes: traffic.sent_bytes,
                received_bytes: traffic.received_bytes,
                sent_stream_bytes: traffic.sent_stream_bytes,
                received_stream_bytes: traffic.received_stream_bytes,
                problem: known.problem.clone(),
            }
        };
        self.lock().known.iter().map(state).collect()
    }
}

impl Known {
    /// Of the connection in use and those before it.
    fn traffic(&self) -> Traffic {
        let (past, now) =
            (self.past, self.active.as_ref().map(|active| active.connection.traffic()).unwrap_or_default());
        Traffic {
            sent_bytes: past.sent_bytes + now.sent_bytes,
            received_bytes: past.received_bytes + now.received_bytes,
            sent_stream_bytes: past.sent_stream_bytes + now.sent_stream_bytes,
            received_stream_bytes: past.received_stream_bytes + now.received_stream_bytes,
            sent_packets: past.sent_packets + now.sent_packets,
            lost_packets: past.lost_packets + now.lost_packets,
        }
    }

    fn retire(&mut self) {
        self.past = self.traffic();
        self.active = None;
    }
}

/// The codes with which connections are closed.
pub(crate) mod codes {
    /// The node stops.
    pub(crate) const STOPPED: u32 = 1;
    /// Another connection to the same peer is used.
    pub(crate) const REPLACED: u32 = 2;
    /// This node is not configured as a peer.
    pub(crate) const NOT_A_PEER: u32 = 3;
    /// What was sent does not follow the protocol.
    pub(crate) const PROTOCOL: u32 = 4;
    /// There are as many clients as may be.
    pub(crate) const BUSY: u32 = 6;
    /// The peer takes nothing more.
    pub(crate) const SLOW: u32 = 5;
}
