//! One operation of a client, as it is logged.

use super::text;
use anabranch_causality::Dot;
use anabranch_session::Guarantees;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One operation of a client, with all its attempts: one line of a history.
///
/// All times of a history are of one clock, in microseconds. Take `invoke_us` before the session is asked what to attach, and
/// `end_us` after it has taken in the answer: what ended before something else began came before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Its number, unique in the history.
    pub id: u64,
    /// Whose operation it is. What has no session has a name of its own for each operation.
    pub session: String,
    /// Which node answered, when any did: who made the answer, not who passed it on. A node whose disk was put back has
    /// another name from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What it asked for: `"session"` (all four), `"eventual"` (none), or some of `ryw+mr+mw+wfr`.
    #[serde(with = "text::guarantees")]
    pub guarantees: Guarantees,
    /// When it began.
    pub invoke_us: u64,
    /// When it ended: answered or given up.
    pub end_us: u64,
    /// What came of it.
    pub result: Outcome,
    /// What it did.
    pub action: Action,
    /// The token that it carried, as text; several, joined by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_in: Option<String>,
    /// The token of the answer, as text. It is kept for people: no checker looks at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_out: Option<String>,
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Ok,
    /// It was surely not done, and never will be.
    Fail,
    /// Nobody knows: it may take effect, once, at any later time.
    Info,
}

/// What an operation did. Sets only grow: each write adds its own number to its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// A read of some keys at one cut.
    Read {
        /// For every key that it covers the writes that it saw, also when there were none.
        seen: BTreeMap<String, Vec<u64>>,
    },
    /// A write of a number to one or several keys, all or nothing.
    Write {
        /// The number, unique among the history's writes.
        write: u64,
        /// The keys.
        keys: Vec<String>,
        /// Where it stands, from the answer.
        #[serde(default, with = "text::dot", skip_serializing_if = "Option::is_none")]
        dot: Option<Dot>,
        /// The node that made the transaction, when that is sure: a leader that answered itself, and not as a repeat. A node
        /// whose disk was put back has another name from then on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sequenced_at: Option<String>,
        /// How often it was sent, by whomever. After more than one there may be copies that saw less.
        attempts: u32,
    },
    /// One is added to a counter. An operation may be logged several times, once per attempt.
    Add {
        /// The operation's number.
        operation: u64,
        /// The counter.
        counter: String,
    },
    /// A read of a counter.
    Count {
        /// The counter.
        counter: String,
        /// Its value; 0 when there is no such counter.
        value: i64,
        /// Read at the end, when all replicas had everything.
        last: bool,
    },
    /// From here on the session carries all that another carried when this began: a session's token is handed over. The token
    /// of a single answer is not logged like this: the `token_in` of what carries it is enough.
    Join {
        /// The other session.
        session: String,
    },
}
