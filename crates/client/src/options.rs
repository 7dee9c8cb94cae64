//! What a call asks for, where that differs from its session.

use anabranch_protocol::AckLevel;
use anabranch_session::Guarantees;
use std::time::Duration;

/// What a call asks for, where that differs from its session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// What it waits for, instead of the session's own guarantees.
    pub guarantees: Option<Guarantees>,
    /// Reads: how far behind the replica that answers may be. One that does not know how far is not asked to answer.
    pub max_lag: Option<Duration>,
    /// How long a replica may wait, instead of the session's own limit. At most 30 s.
    pub wait: Option<Duration>,
    /// How long the call may take in all, instead of the session's own limit.
    pub deadline: Option<Duration>,
    /// Writes: where they must be on disk. Default [`AckLevel::Local`]: at their leader.
    pub ack: Option<AckLevel>,
    /// Writes: whether the answer is to show the value of the first change's key after the write. What is shown counts as
    /// read.
    pub show: bool,
    /// The only replica to ask, by the client's name for it or its node's: it answers itself, or nobody does. A follower
    /// still passes writes on to its leader.
    pub replica: Option<String>,
}
