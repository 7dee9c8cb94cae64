//! People who look at what is in conflict somewhere and end it; sometimes two at once, each for something else.

use super::{Request, Session};
use crate::checkers::decided::{self, Decision, Taken};
use crate::checkers::spec::State;
use crate::past::Pasts;
use crate::workload::{self, Standing};
use crate::world::{Checked, World};
use anabranch_causality::{Dot, Transaction};
use anabranch_engine::{Change, Write};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Somebody looks at what is in conflict before asking, in so many of a thousand cases.
const DECIDES: u64 = 300;
/// Somebody else decides the same at the same time, in so many of a thousand cases.
const OPPOSED: u64 = 600;

/// What somebody saw, and the number of the option that they chose.
pub(super) type Seen = (Standing, usize);

impl World {
    /// Makes one of the changes a decision, if anything is in conflict at the replica that its client looks at.
    pub(super) fn decide(&mut self, changes: &mut [Change]) -> Option<(Seen, Option<Decision>)> {
        if !self.clients.random.chance(DECIDES) {
            return None;
        }
        let random = &mut self.clients.random;
        let node = random.below(self.nodes.len());
        let engine = self.nodes[node].engine.as_ref()?;
        let mut standing = workload::standing(&self.plan, &self.registry, engine.catalog(), &self.nodes[node].store);
        if standing.is_empty() {
            return None;
        }
        let found = standing.swap_remove(random.below(standing.len()));
        let option = random.below(found.3.options.len());
        let (change, decision) = workload::decide(&found, option, random);
        let at = random.below(changes.len());
        changes[at] = change;
        self.coverage.note("decisions about conflicts");
        Some(((found, option), decision))
    }

    /// Another client decides for something else, not knowing what the first one does.
    pub(super) fn oppose(&mut self, session: usize, (standing, option): &Seen) {
        let sessions = &self.clients.sessions;
        let elsewhere = (0..sessions.len()).find(|other| sessions[*other].home != sessions[session].home);
        let Some(other) = elsewhere.filter(|_| self.clients.deciders.chance(OPPOSED)) else { return };
        let (change, decision) = workload::decide(standing, option + 1, &mut self.clients.deciders);
        let Session { id, counter, home, .. } = &mut self.clients.sessions[other];
        *counter += 1;
        let write = Write { changes: vec![change], key: Some((*id, *counter)) };
        let home = *home;
        self.coverage.note("decisions about conflicts");
        self.request(write, home, false, decision);
    }

    /// What was decided stands, where nobody who saw it decided otherwise.
    pub(crate) fn check_decisions(&mut self, right: &State, log: &[Arc<Transaction>], pasts: &Pasts) -> Checked {
        let log: Vec<&Transaction> = log.iter().map(AsRef::as_ref).collect();
        let mut dots: BTreeMap<usize, Vec<Dot>> = BTreeMap::new();
        let asked = self.asked();
        for transaction in &log {
            if let Some(request) = asked.get(&transaction.operation) {
                dots.entry(*request).or_default().push(transaction.dot);
            }
        }
        let decision = |(request, dots)| {
            let found: &Request = &self.clients.requests[request];
            found.decision.as_ref().map(|decision| Taken { decision, dots })
        };
        let taken: Vec<Taken<'_>> = dots.into_iter().filter_map(decision).collect();
        let opposite = decided::check(&taken, &log, pasts, right).map_err(|what| self.violation("decided", what))?;
        self.coverage.add("decisions that contradict each other", opposite);
        Ok(())
    }
}
