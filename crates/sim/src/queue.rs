//! Events in virtual time.

use crate::travellers::Travel;
use anabranch_engine::{Refusal, Written};
use std::collections::BTreeMap;

/// What is to happen.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A node works off some of what came in.
    Turn { node: usize, life: u64 },
    /// A node looks at the clock.
    Tick { node: usize, life: u64 },
    /// A frame arrives.
    Deliver { from: usize, to: usize, connection: u64, frame: Vec<u8> },
    /// A node notices that a connection is gone.
    Lost { node: usize, peer: usize, connection: u64 },
    /// Two nodes try to connect.
    Dial { a: usize, b: usize },
    /// Something breaks.
    Fault,
    /// A link comes or goes again, so many times more; `cut`: what is to heal first.
    Flap { a: usize, b: usize, period: u64, left: u32, cut: Option<u64> },
    /// A data directory is copied, and both copies run.
    Clone,
    /// So many days pass, in which nothing happens.
    Leap { days: u64 },
    /// A node gets the newest build.
    Upgrade { node: usize },
    /// A node that was to crash at some point of its work, and did not come there, crashes now.
    CrashAnyway { node: usize, life: u64 },
    /// A node starts.
    Start { node: usize },
    /// What was cut heals.
    Mend { cut: u64 },
    /// A session thinks of something to do.
    Step { session: usize },
    /// A request is sent, for the first time or again.
    Attempt { request: usize },
    /// A request comes to a node.
    Arrive { node: usize, ticket: u64 },
    /// An answer comes to a client.
    Answer { ticket: u64, answer: Box<Result<Written, Refusal>> },
    /// A client has waited long enough.
    Timeout { request: usize, attempt: u32 },
    /// Something of clients with sessions.
    Travel(Travel),
}

/// What is to happen, in the order of time; at one time, in the order in which it was decided.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    events: BTreeMap<(u64, u64), Event>,
    decided: u64,
}

impl Queue {
    /// It will happen then.
    pub(crate) fn at(&mut self, when: u64, event: Event) {
        self.decided += 1;
        self.events.insert((when, self.decided), event);
    }

    /// When the next thing happens.
    pub(crate) fn next_time(&self) -> Option<u64> {
        self.events.first_key_value().map(|((when, _), _)| *when)
    }

    /// The next thing.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.events.pop_first().map(|(_, event)| event)
    }
}
