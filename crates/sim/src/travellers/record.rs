//! The history of a run's clients, as it is written.

use crate::histories::{Action, Event, Guarantees, Outcome};
use anabranch_causality::Origin;
use std::collections::BTreeMap;

/// What was logged so far.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) events: Vec<Event>,
    /// The request behind each write and add, by the event's number.
    pub(crate) requests: BTreeMap<u64, usize>,
    /// Whose disk wrote under each origin.
    pub(crate) origins: BTreeMap<Origin, String>,
    /// The first thing that clients found wrong themselves.
    pub(crate) complaint: Option<String>,
    last_us: u64,
    numbers: u64,
}

impl Record {
    /// A time in microseconds, later than all before it.
    pub(crate) fn stamp(&mut self, now_ms: u64) -> u64 {
        self.last_us = (now_ms * 1_000).max(self.last_us + 1);
        self.last_us
    }

    /// A number for a write or an operation.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// An operation that ends now, eventual and ok unless the caller says otherwise.
    pub(crate) fn ended(&mut self, now_ms: u64, session: &str, invoke_us: u64, action: Action) -> &mut Event {
        let (id, end_us) = (self.events.len() as u64, self.stamp(now_ms));
        self.events.push(Event {
            id,
            session: session.to_owned(),
            node: None,
            guarantees: Guarantees::NONE,
            invoke_us,
            end_us,
            result: Outcome::Ok,
            action,
            token_in: None,
            token_out: None,
        });
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    /// A client finds something wrong.
    pub(crate) fn complain(&mut self, what: String) {
        self.complaint.get_or_insert(what);
    }

    /// A session took in what another carried.
    pub(crate) fn join(&mut self, now_ms: u64, session: &str, invoke_us: u64, from: String) {
        self.ended(now_ms, session, invoke_us, Action::Join { session: from });
    }
}
