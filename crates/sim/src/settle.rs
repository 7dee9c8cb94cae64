//! The end of a run: everything heals, nobody writes any more, and all replicas must become one.

use crate::checkers::{acknowledged, conflicts, counters, digest, spec, values};
use crate::past::Pasts;
use crate::plan::Scenario;
use crate::queue::Event;
use crate::world::{Checked, World};
use anabranch_causality::{Dot, Kind, OperationId, Tag, Transaction};
use anabranch_engine::PeerStatus;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Within so long after the last client fell silent, all replicas must be equal, where windows and buffers do not hold them up.
const CONVERGE_MS: u64 = 10_000;
/// A buffer that holds so much drops nothing here.
const AMPLE_BYTES: usize = 1 << 20;
/// With less, so many transactions at the least are taken in each time that what was dropped is asked for again.
const TAKEN_AT_ONCE: u64 = 4;
/// How often that is looked at.
const LOOK_MS: u64 = 250;
/// After so long in equality, nothing may be sent but signs of life.
const GRACE_MS: u64 = 3_000;
const SILENCE_MS: u64 = 2_000;
/// However often something is lost: more than so many times as much as needed is a storm.
const STORM: u64 = 50;

/// Says which checker it is that speaks.
fn as_rule(rule: &'static str) -> impl Fn(String) -> (&'static str, String) {
    move |what| (rule, what)
}

impl World {
    /// Everything happens.
    pub(crate) fn run(&mut self) -> Checked {
        self.begin()?;
        let relay = self.options.scenario == Scenario::Relay;
        if relay {
            self.separate();
        }
        self.run_until(self.plan.active_ms)?;
        if relay {
            // Before anything heals: the third node must have brought everything across.
            self.healing = true;
            self.converge("relaying")?;
        }
        self.heal();
        self.converge("healing")?;
        self.finish()
    }

    /// Two nodes cannot hear each other, or one cannot hear the other; with or without anyone noticing.
    fn separate(&mut self) {
        let (a, b) = self.faults.pick(&[(0, 1), (1, 2), (2, 0)]);
        let directions = if self.faults.chance(500) { vec![(a, b)] } else { vec![(a, b), (b, a)] };
        let noticed = self.faults.chance(500);
        let when = self.faults.pick(&[0, 1, 2_000]);
        if when > 0 && self.run_until(when).is_err() {
            return;
        }
        self.trace.line(self.now, || format!("for good: {directions:?}, noticed: {noticed}"));
        self.coverage.note(if noticed { "separations noticed" } else { "separations unnoticed" });
        self.network.cut(directions);
        if noticed {
            self.disconnect(a, b);
        }
    }

    fn heal(&mut self) {
        self.trace.line(self.now, || "everything heals".to_owned());
        self.healing = true;
        self.network.mend_all();
        self.settle_clones();
        for node in 0..self.nodes.len() {
            self.nodes[node].heal();
            self.upgrade(node);
            if !self.nodes[node].is_up() && !self.nodes[node].is_gone {
                self.queue.at(self.now, Event::Start { node });
            }
        }
    }

    fn converge(&mut self, what: &str) -> Checked {
        let mut silent_since = None;
        loop {
            self.run_until(self.now + LOOK_MS)?;
            if !self.is_quiet() {
                continue;
            }
            let since = *silent_since.get_or_insert(self.now);
            if self.is_converged() {
                self.converged_ms = self.converged_ms.max(self.now - since);
                return Ok(());
            }
            let within = CONVERGE_MS + self.held_up_ms();
            if self.now - since > within {
                let vectors: Vec<String> = self.nodes.iter().map(|node| node.durable_vector.to_string()).collect();
                let what = format!("no convergence {within} ms after {what}: {}", vectors.join(" / "));
                return Err(self.violation("convergence", what));
            }
        }
    }

    /// For how long windows and buffers may hold up somebody who lacks everything. Each window takes a round trip, and one of a
    /// byte takes one transaction. Where next to nothing can wait, most is dropped, and asked for again once per heartbeat.
    fn held_up_ms(&self) -> u64 {
        let windows = self.history.bytes().div_ceil(self.plan.window_bytes).min(self.history.len()) as u64;
        let (low, high) = self.plan.delay_ms;
        let by_windows = windows * (low + high + 2 * self.plan.turn_ms);
        let rounds = if self.plan.buffer_bytes < AMPLE_BYTES { self.history.len() as u64 / TAKEN_AT_ONCE } else { 0 };
        let held_up = by_windows + rounds * self.nodes[0].config.heartbeat_ms;
        // Two copies of one node take turns, and begin anew each time.
        if self.has_copies() { CONVERGE_MS + 3 * held_up } else { held_up }
    }

    /// Nobody asks, and nothing that was asked waits at a node: whoever gave up waiting for an answer may still be written for.
    fn is_quiet(&self) -> bool {
        let waits = self.nodes.iter().any(|node| !node.waiting.is_empty());
        self.clients.is_quiet() && self.travellers.is_quiet() && !waits
    }

    fn is_converged(&self) -> bool {
        let first = &self.nodes[0].durable_vector;
        self.nodes.iter().all(|node| node.is_gone || (node.is_up() && node.durable_vector == *first))
    }

    /// Waits for what is under way, and then for a while in which nothing should be; says when that began.
    fn fall_silent(&mut self) -> Result<u64, crate::Violation> {
        self.run_until(self.now + GRACE_MS)?;
        let before = self.now;
        self.run_until(self.now + SILENCE_MS)?;
        Ok(before)
    }

    /// All replicas are equal: so they must stay, in silence, and be what the specification says.
    fn finish(&mut self) -> Checked {
        let mut before = self.fall_silent()?;
        // A request of one who has given up may come late, however quiet all others are.
        while self.last_asked + GRACE_MS > before {
            before = self.fall_silent()?;
        }
        if self.last_transactions > before {
            return Err(self.violation("silence", "transactions are sent although all replicas are equal"));
        }
        if !self.is_converged() {
            return Err(self.violation("convergence", "the replicas were equal and are no more"));
        }
        let vector = self.nodes[0].durable_vector.clone();
        let acknowledged = self.clients.requests.iter().filter_map(|request| request.acknowledged);
        let checked = acknowledged::check(&self.history, &vector, acknowledged);
        checked.map_err(|what| self.violation("acknowledged", what))?;
        for node in (0..self.nodes.len()).filter(|node| !self.nodes[*node].is_gone).collect::<Vec<_>>() {
            let right = self.check_state(node)?;
            self.check_counters(node, &right)?;
            if node == 0 {
                self.look_back(&right)?;
            }
            self.count(node);
        }
        self.check_statistics()?;
        self.check_sessions()?;
        self.count_mutual();
        self.coverage.add("transactions", self.history.len() as u64);
        self.coverage.add("equal stamps of two origins", self.history.equal_stamps);
        self.coverage.add("transactions excused", self.history.dots().filter(|(_, excused)| *excused).count() as u64);
        Ok(())
    }

    /// What was done at the same time, and what became of it. All replicas are equal: one tells it all.
    fn look_back(&mut self, right: &spec::State) -> Checked {
        let log: Vec<Arc<Transaction>> =
            self.nodes[0].ledger.dots.iter().filter_map(|dot| self.history.get(*dot).cloned()).collect();
        let pasts = Pasts::of(log.iter().map(Arc::as_ref));
        self.check_decisions(right, &log, &pasts)?;
        let mut edits: BTreeMap<(&str, &str), Vec<Dot>> = BTreeMap::new();
        for transaction in &log {
            for effect in transaction.effects.iter().filter(|effect| effect.kind == Kind::TEXT) {
                edits.entry((&effect.collection, &effect.key)).or_default().push(transaction.dot);
            }
        }
        let unseen = |edits: &[Dot]| {
            let with_unseen = |(at, one): &(usize, &Dot)| edits[..*at].iter().any(|other| !pasts.saw(**one, *other));
            edits.iter().enumerate().filter(with_unseen).count() as u64
        };
        let concurrent = edits.values().map(|edits| unseen(edits)).sum();
        self.coverage.add("concurrent edits of texts", concurrent);
        Ok(())
    }

    /// A node's rows and values are what the set of its transactions comes to. Returns that.
    pub(crate) fn check_state(&mut self, node: usize) -> Result<spec::State, crate::Violation> {
        let mut dots = self.nodes[node].ledger.dots.clone();
        dots.sort_unstable();
        let set: Vec<Arc<Transaction>> = dots.iter().filter_map(|dot| self.history.get(*dot).cloned()).collect();
        let time = self.time(node);
        let mut texts = std::mem::take(&mut self.texts);
        let outcome = (|| {
            let right = spec::State::of(set.iter().map(Arc::as_ref)).map_err(as_rule("spec"))?;
            let found = &self.nodes[node];
            let engine = found.engine.as_ref().ok_or(("spec", "it is down".to_owned()))?;
            let catalog = engine.catalog();
            let stored = spec::State::stored(catalog, &found.store).map_err(as_rule("spec"))?;
            let shown = right.unparked(catalog);
            shown.compare(&stored.unparked(catalog)).map_err(as_rule("spec"))?;
            values::check(&shown, &self.registry, catalog, &found.store).map_err(as_rule("values"))?;
            let of_texts = texts.check(&shown, &self.registry, catalog, &found.store).map_err(as_rule("texts"))?;
            if !found.has_parked() {
                let (kept, computed) = (engine.status(time).digest, digest::of(&right));
                if kept != computed {
                    let what = format!("its digest is {kept:016x}, that of its rows is {computed:016x}");
                    return Err(("digest", what));
                }
            }
            let open = conflicts::check(&self.registry, catalog, &found.store).map_err(as_rule("conflicts"))?;
            Ok((right, open, of_texts))
        })();
        self.texts = texts;
        if let Ok((_, open, of_texts)) = &outcome {
            self.coverage.add("conflicts in the index", *open as u64);
            self.coverage.add("texts compared", of_texts.compared);
            self.coverage.add("texts that lack what is lost", of_texts.lacking);
        }
        let outcome = outcome.map(|(right, ..)| right);
        self.coverage.note("states compared with the specification");
        outcome.map_err(|(rule, what)| self.violation(rule, format!("node {node}: {what}")))
    }

    /// A node that was just opened is what its disk says.
    pub(crate) fn check_opened(&mut self, node: usize) -> Checked {
        let time = self.time(node);
        let found = &self.nodes[node];
        let Some(engine) = &found.engine else { return Ok(()) };
        if engine.durable_full() != &found.durable_vector {
            let (says, is) = (engine.durable_full(), &found.durable_vector);
            return Err(self.violation("opening", format!("node {node} opens with {says}; on disk is {is}")));
        }
        if !found.has_parked() {
            let digest = engine.status(time).digest;
            let who = format!("{}, opened at {} ms", found.name, self.now);
            let checked = self.digests.check(&who, &found.durable_vector, digest);
            checked.map_err(|what| self.violation("digest", what))?;
        }
        // What was parked and is caught up with comes to the disk with the first batch.
        let settled = self.nodes[node].engine.as_ref().is_some_and(|engine| engine.batch().is_empty());
        if settled && self.work.chance(200) { self.check_state(node).map(|_| ()) } else { Ok(()) }
    }

    fn check_counters(&mut self, node: usize, right: &spec::State) -> Checked {
        let asked = self.asked();
        let ledger = &self.nodes[node].ledger;
        let operations: BTreeSet<OperationId> =
            ledger.dots.iter().filter_map(|dot| self.history.get(*dot)).map(|found| found.operation).collect();
        let write = |request: &usize| &self.clients.requests[*request].write;
        let counted = operations.into_iter().map(|operation| (operation, asked.get(&operation).map(write)));
        let checked = counters::check(counted, &right.sums);
        checked.map_err(|what| self.violation("counters", format!("node {node}: {what}")))
    }

    fn count(&mut self, node: usize) {
        let time = self.time(node);
        let Some(engine) = &self.nodes[node].engine else { return };
        let counters = engine.status(time).counters;
        self.coverage.add("transactions that came again", counters.duplicates);
        self.coverage.add("copies applied", counters.copies);
        self.coverage.add("buffer overflows", counters.buffer_overflows);
    }

    /// Operations that supersede each other: each was sequenced twice, and at one leader one came first, at the other
    /// the other. Then neither stands. The specification says so, too; how often it happens is worth knowing.
    fn count_mutual(&mut self) {
        let dots = &self.nodes[0].ledger.dots;
        let set = dots.iter().filter_map(|dot| self.history.get(*dot));
        let mut superseded: BTreeMap<Tag, OperationId> = BTreeMap::new();
        let mut by_two = 0;
        let mut edges: BTreeSet<(OperationId, OperationId)> = BTreeSet::new();
        for transaction in set {
            let groups = transaction.effects.iter().flat_map(|effect| &effect.supersedes);
            for tag in groups.flat_map(|group| &group.tags) {
                edges.insert((transaction.operation, tag.operation));
                let first = *superseded.entry(*tag).or_insert(transaction.operation);
                by_two += u64::from(first != transaction.operation);
            }
        }
        self.coverage.add("rows superseded by two", by_two);
        let mutual = edges.iter().filter(|(by, of)| by < of && edges.contains(&(*of, *by))).count();
        self.coverage.add("pairs of operations that supersede each other", mutual as u64);
    }

    /// What the engine counts itself.
    fn check_statistics(&mut self) -> Checked {
        let mut sent = 0;
        for node in 0..self.nodes.len() {
            let time = self.time(node);
            let Some(engine) = &self.nodes[node].engine else { continue };
            let status = engine.status(time);
            sent += status.counters.sent;
            // What waits for something that no disk holds any more waits for ever: it is on no disk itself.
            let lost = self.history.dots().filter(|(_, excused)| *excused).count() as u64;
            // Of two copies, the one that has just come back has not said yet what it has.
            let unsaid = self.has_copies();
            let under_way = |peer: &PeerStatus| peer.in_flight_bytes > 0 || (peer.unacked_transactions > 0 && !unsaid);
            let waits = status.buffered > lost || status.peers.iter().any(under_way);
            let wrong = status.counters.digest_mismatches > 0 || waits;
            let parked = !(status.parked_origins.is_empty() && status.parked_collections.is_empty());
            if wrong || parked {
                return Err(self.violation("statistics", format!("node {node} ends as {status:?}")));
            }
            if self.options.scenario == Scenario::Healthy && status.counters.duplicates > 0 {
                return Err(self.violation("economy", format!("node {node}: sent twice in a healthy mesh: {status:?}")));
            }
        }
        let needed = (self.history.len() * (self.nodes.len() - 1)) as u64;
        let all_sent = self.coverage.get("transactions sent");
        if all_sent > STORM * (needed + 20) {
            return Err(
                self.violation("economy", format!("{all_sent} transactions were sent, needed are {needed}: a storm"))
            );
        }
        if self.options.scenario == Scenario::Healthy && sent != needed {
            return Err(self.violation(
                "economy",
                format!("{sent} transactions were sent in a healthy mesh, needed are {needed}"),
            ));
        }
        Ok(())
    }
}
