//! By what operations are judged.

use super::event::Event;
use anabranch_session::Guarantees;
use std::collections::BTreeSet;

/// By which guarantees each operation is judged.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    as_if: BTreeSet<String>,
}

impl Scope {
    /// Each by what it asked for: what must hold.
    #[must_use]
    pub fn promised() -> Self {
        Self::default()
    }

    /// Those of these sessions as if they had asked for all four, all others by what they asked for. With the sessions that
    /// asked for nothing ([`crate::histories::History::eventual_sessions`]) it counts what going without guarantees costs.
    #[must_use]
    pub fn as_if(sessions: BTreeSet<String>) -> Self {
        Self { as_if: sessions }
    }

    /// What an operation is judged by.
    #[must_use]
    pub fn guarantees(&self, event: &Event) -> Guarantees {
        if self.as_if.contains(&event.session) { Guarantees::ALL } else { event.guarantees }
    }
}
