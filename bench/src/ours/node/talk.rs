//! What a node is told, and what it answers.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One thing to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Ask {
    /// Open the database there, which belongs to the region of the node's name, and listen. The certificates are PEM.
    Start { name: String, dir: PathBuf, authority: String, certificate: String, key: String },
    /// Accept that node; dial it where an address is given.
    Peer { node: String, addr: Option<String> },
    /// Wait until that node is connected.
    Connected { node: String },
    /// Keep so many writes under way for so long, then for the last of them to be durable.
    Drive { writers: usize, seconds: f64, values: Values },
    /// Make so many writes, of the keys from a number on, 1,000 under way at a time.
    Fill { from: u64, count: u64, step: u64 },
    /// Write from now on, each key carrying when it was written: at the earliest so long after the last write was
    /// durable, or, open loop, so long after the last was begun.
    Pace { gap_us: u64, open_loop: bool },
    /// Do so no more.
    Halt,
    /// Watch such writes from now on.
    Observe,
    /// Do so no more, and say how late they were.
    Observed,
    /// Wait until what the token names is durable here.
    Reach { token: String },
    /// Take no part in the cluster any more.
    Part,
    /// Take part again: accept or dial that node, wait until it is connected, then for what the token names.
    Rejoin { node: String, addr: Option<String>, token: String },
    /// Listen again, after having parted.
    Listen,
    /// Say what was sent and received.
    Traffic,
}

/// What values are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Values {
    /// Keys of 32 and values of 100 random letters and digits.
    Random,
    /// Keys of 32 bytes that begin alike, and values of 100 bytes as applications have them: small JSON objects.
    Text,
}

/// An answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    Done,
    Listening { addr: String },
    Written(Written),
    Seen(Seen),
    Reached(Reached),
    Traffic(Traffic),
    Failed(String),
}

/// Writes that are durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Written {
    pub count: u64,
    /// When the first began and when the last was acknowledged, on the shared clock.
    pub from_ns: u64,
    pub to_ns: u64,
    /// What another node must have to have them all.
    pub token: String,
}

/// How late writes were seen.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Seen {
    pub count: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub most_ms: f64,
}

/// When something was there, on the shared clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Reached {
    /// When the peer was connected, where that was waited for.
    pub connected_ns: u64,
    pub at_ns: u64,
}

/// Bytes since the node began to take part, to and from all peers.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// As UDP payload.
    pub sent: u64,
    /// Messages alone.
    pub stream_sent: u64,
    pub stream_received: u64,
}
