//! The end of a run, as its clients saw it: what every replica shows, and the checkers' verdict on the history.

use super::calls::COUNTER;
use crate::histories::{self, Action, History, Outcome, Scope};
use crate::node::CLUSTER;
use crate::world::{Checked, World};
use anabranch_causality::{Actor, OperationId};
use std::collections::{BTreeMap, BTreeSet};

impl World {
    /// Checks the history of all clients with sessions.
    pub(crate) fn check_sessions(&mut self) -> Checked {
        for node in (0..self.nodes.len()).filter(|node| !self.nodes[*node].is_gone).collect::<Vec<_>>() {
            self.look_at(node)?;
        }
        if let Some(complaint) = self.travellers.record.complaint.take() {
            return Err(self.violation("sessions", complaint));
        }
        self.excuse_counts();
        let events = std::mem::take(&mut self.travellers.record.events);
        self.coverage.add("operations judged", events.len() as u64);
        let history =
            History::new(Some(CLUSTER), events).map_err(|error| self.violation("sessions", error.to_string()))?;
        if let Some(violation) = histories::check(&history, &Scope::promised()).first() {
            return Err(self.violation(violation.rule, violation.to_string()));
        }
        let scope = Scope::as_if(history.eventual_sessions());
        let lacking = histories::read_your_writes::check(&history, &scope).len();
        let back = histories::monotonic_reads::check(&history, &scope).len();
        self.coverage.add("eventual reads that lacked own writes", lacking as u64);
        self.coverage.add("eventual reads that went back in time", back as u64);
        Ok(())
    }

    /// What a replica shows in the end, of everything.
    fn look_at(&mut self, node: usize) -> Checked {
        let mut keys = BTreeSet::new();
        for event in &self.travellers.record.events {
            if let Action::Write { keys: written, .. } = &event.action {
                keys.extend(written.iter().cloned());
            }
        }
        let seen = keys.into_iter().map(|key| self.members(node, &key).map(|members| (key, members)));
        let seen: Result<BTreeMap<_, _>, String> = seen.collect();
        let seen = seen.map_err(|what| self.violation("values", what))?;
        let value = self.counted(node).map_err(|what| self.violation("values", what))?;
        let (label, session) = (self.nodes[node].label(), format!("end of {node}"));
        let actions = [Action::Read { seen }, Action::Count { counter: COUNTER.to_owned(), value, last: true }];
        for action in actions {
            let invoke_us = self.travellers.record.stamp(self.now);
            self.travellers.record.ended(self.now, &session, invoke_us, action).node = Some(label.clone());
        }
        Ok(())
    }

    /// What was acknowledged and is on no disk any more, because disks were put back, need not count.
    fn excuse_counts(&mut self) {
        let vector = &self.nodes[0].durable_vector;
        let record = &mut self.travellers.record;
        let adds = record.events.iter_mut().filter(|event| matches!(event.action, Action::Add { .. }));
        for event in adds.filter(|event| event.result == Outcome::Ok) {
            let write = record.requests.get(&event.id).map(|request| &self.clients.requests[*request].write);
            let Some((session, counter)) = write.and_then(|write| write.key) else { continue };
            let hash = write.map_or(0, |write| write.hash());
            let operation = OperationId { actor: Actor::Session(session), counter, hash };
            let holds = |dot: &anabranch_causality::Dot| vector.get(dot.origin) >= dot.seq;
            if !self.history.copies(&operation).iter().any(holds) {
                event.result = Outcome::Info;
            }
        }
    }
}
