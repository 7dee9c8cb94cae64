//! The world: nodes, network, clients, and the loop through virtual time.

use crate::builds::Build;
use crate::checkers::digest::Digests;
use crate::checkers::texts::Texts;
use crate::clients::Clients;
use crate::coverage::Coverage;
use crate::flawed;
use crate::history::History;
use crate::ledger::Ledger;
use crate::merging;
use crate::network::Network;
use crate::node::{Input, Node};
use crate::plan::Plan;
use crate::queue::{Event, Queue};
use crate::random::Random;
use crate::trace::Trace;
use crate::travellers::Travellers;
use crate::{Options, Violation};
use anabranch_causality::{Dot, Origin};
use anabranch_engine::{Engine, Time};
use anabranch_resolvers::Registry;
use std::sync::Arc;

/// The wall clock when a run begins.
pub(crate) const START_MS: u64 = 1_750_000_000_000;

/// A day, in milliseconds.
pub(crate) const DAY_MS: u64 = 24 * 3600 * 1000;

/// What a step comes to, when nothing is wrong: nothing.
pub(crate) type Checked = Result<(), Violation>;

/// Everything there is in a run.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) options: Options,
    pub(crate) plan: Plan,
    pub(crate) now: u64,
    /// How many days passed in which nothing happened: clocks know of them, the queue of events does not.
    pub(crate) days: u64,
    pub(crate) queue: Queue,
    pub(crate) nodes: Vec<Node>,
    pub(crate) network: Network,
    pub(crate) clients: Clients,
    pub(crate) travellers: Travellers,
    pub(crate) history: History,
    pub(crate) digests: Digests,
    pub(crate) texts: Texts,
    /// When each transaction came to its leader's disk.
    pub(crate) written: Vec<(u64, Dot)>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) trace: Trace,
    pub(crate) coverage: Coverage,
    /// How nodes work: turns, checkpoints, origins.
    pub(crate) work: Random,
    /// What breaks.
    pub(crate) faults: Random,
    /// No more faults, no new requests.
    pub(crate) healing: bool,
    /// When transactions were last sent.
    pub(crate) last_transactions: u64,
    /// How long it took until all replicas were equal.
    pub(crate) converged_ms: u64,
    /// When a leader was last asked to write.
    pub(crate) last_asked: u64,
}

impl World {
    /// The world of a seed, before anything happens.
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let mut plan = Plan::draw(options.scenario, seed);
        options.less.apply(&mut plan);
        let node = |(index, post)| {
            let build = plan.builds.get(&index).copied().unwrap_or(Build::Newest);
            Node { build, ..Node::new(index, post, plan.window_bytes, plan.buffer_bytes) }
        };
        Self {
            seed,
            options,
            now: 0,
            queue: Queue::default(),
            days: 0,
            nodes: plan.posts().enumerate().map(node).collect(),
            network: Network::new(Random::stream(seed, "network")),
            clients: Clients::new(seed),
            travellers: Travellers::new(Random::stream(seed, "travellers")),
            history: History::default(),
            digests: Digests::default(),
            texts: Texts::default(),
            written: Vec::new(),
            registry: flawed::registry(Build::Newest.registry(), options.lapse),
            trace: Trace::new(options.keep_text),
            coverage: Coverage::default(),
            work: Random::stream(seed, "work"),
            faults: Random::stream(seed, "faults"),
            healing: false,
            last_transactions: 0,
            converged_ms: 0,
            last_asked: 0,
            plan,
        }
    }

    /// Something is wrong: which checker says so, and what.
    pub(crate) fn violation(&mut self, rule: &'static str, what: impl Into<String>) -> Violation {
        let (seed, scenario, at_ms) = (self.seed, self.options.scenario, self.now);
        let less = self.options.less;
        Violation {
            seed,
            scenario,
            less,
            at_ms,
            rule,
            what: what.into(),
            text: self.trace.text().map(String::into_boxed_str),
        }
    }

    /// What time it is at a node.
    pub(crate) fn time(&self, node: usize) -> Time {
        let found = &self.nodes[node];
        let wall_ms = found.frozen_ms.unwrap_or(self.wall_ms()).saturating_add_signed(found.skew_ms);
        Time { wall_ms, mono_ms: self.now + self.days * DAY_MS + 1_000 * node as u64 }
    }

    /// What time it is.
    pub(crate) fn wall_ms(&self) -> u64 {
        START_MS + self.now + self.days * DAY_MS
    }

    /// Lets everything begin.
    pub(crate) fn begin(&mut self) -> Checked {
        self.trace.line(0, || format!("{:?}", self.plan));
        for node in 0..self.nodes.len() {
            match self.plan.joins.get(&node) {
                Some(when) => self.queue.at(*when, Event::Start { node }),
                None => self.start(node)?,
            }
        }
        for a in 0..self.nodes.len() {
            for b in a + 1..self.nodes.len() {
                if !self.are_peers(a, b) {
                    continue;
                }
                let late = self.network.random.chance(self.plan.late_dial);
                let when = if late { self.network.random.range(500, 6_000) } else { 0 };
                self.queue.at(when, Event::Dial { a, b });
                for (from, to) in [(a, b), (b, a)] {
                    if self.network.random.chance(self.plan.slow_link) {
                        let ms = self.network.random.pick(&[50, 400, 2_500]);
                        self.network.slow(from, to, ms);
                    }
                }
            }
        }
        self.start_clients();
        self.start_travellers();
        self.plan_upgrades();
        self.plan_days();
        if let Some(when) = self.plan.clone_ms {
            self.queue.at(when, Event::Clone);
        }
        if !self.plan.faults.is_empty() {
            let first = self.faults.spread(self.plan.fault_ms);
            self.queue.at(first, Event::Fault);
        }
        Ok(())
    }

    /// Runs until `until`, or until `done` says so.
    pub(crate) fn run_until(&mut self, until: u64) -> Checked {
        while self.queue.next_time().is_some_and(|when| when <= until) {
            self.now = self.queue.next_time().unwrap_or(until);
            let Some(event) = self.queue.pop() else { break };
            self.happen(event)?;
        }
        self.now = until;
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Checked {
        match event {
            Event::Turn { node, life } if life == self.nodes[node].life && self.nodes[node].is_up() => {
                self.turn(node)?
            }
            Event::Tick { node, life } if life == self.nodes[node].life => {
                self.queue.at(self.now + self.plan.tick_ms, Event::Tick { node, life });
                self.bring(node, Input::Tick);
            }
            Event::CrashAnyway { node, life } if life == self.nodes[node].life && self.nodes[node].is_up() => {
                if !self.healing {
                    self.stop(node, "crashes between turns");
                }
            }
            Event::Turn { .. } | Event::Tick { .. } | Event::CrashAnyway { .. } => {}
            Event::Deliver { from, to, connection, frame } => {
                if self.network.connection(from, to) == Some(connection) {
                    self.bring(to, Input::Frame { peer: from, connection, frame });
                }
            }
            Event::Lost { node, peer, connection } => self.bring(node, Input::Lost { peer, connection }),
            Event::Dial { a, b } => self.dial(a, b),
            Event::Fault => self.fault()?,
            Event::Flap { a, b, period, left, cut } => self.flap((a, b), period, left, cut),
            Event::Clone => self.clone_node()?,
            Event::Leap { days } => self.leap(days),
            Event::Upgrade { node } => self.upgrade(node),
            Event::Start { node } => self.start(node)?,
            Event::Mend { cut } => self.network.mend(cut),
            Event::Step { session } => self.step(session),
            Event::Attempt { request } => self.attempt(request),
            Event::Arrive { node, ticket } => self.arrive(node, ticket),
            Event::Answer { ticket, answer } => self.answer(ticket, &answer),
            Event::Timeout { request, attempt } => self.timeout(request, attempt),
            Event::Travel(travel) => self.travel(travel)?,
        }
        Ok(())
    }

    /// A node starts: on the disk as it is, or put back to what it was.
    pub(crate) fn start(&mut self, node: usize) -> Checked {
        if self.nodes[node].is_up() || self.nodes[node].is_gone {
            return Ok(());
        }
        let before: Vec<Dot> = self.nodes[node].ledger.dots.clone();
        let durable = self.nodes[node].durable;
        let image = self.nodes[node].roll_back.take();
        let rolled_back = image.is_some();
        if let Some(image) = image {
            self.nodes[node].put_back += 1;
            self.nodes[node].store.roll_back(image);
        }
        let loaded = Ledger::load(&self.nodes[node].store, &mut self.history);
        let ledger = loaded.map_err(|what| self.violation("causality", format!("node {node} at its start: {what}")))?;
        if rolled_back {
            self.coverage.note(match ledger.len() {
                0 if durable > 0 => "disks wiped",
                now if now < durable => "disks rolled back",
                _ => "disks rolled back to now",
            });
        } else if ledger.len() < durable || !before.starts_with(&ledger.dots) {
            let what = format!("node {node} had {durable} transactions on disk, and starts with {}", ledger.len());
            return Err(self.violation("durable", what));
        }
        self.nodes[node].durable = ledger.len();
        self.nodes[node].compared = ledger.len();
        self.nodes[node].durable_vector = ledger.vector.clone();
        self.nodes[node].ledger = ledger;
        self.excuse(&before[..durable]);
        self.open(node)?;
        if rolled_back {
            let alone = std::mem::take(&mut self.nodes[node].alone_ms);
            if alone > 0 && !self.healing {
                self.isolate("writes alone after a rollback", node);
            }
        }
        Ok(())
    }

    fn open(&mut self, node: usize) -> Checked {
        let origin = Origin(self.work.bits());
        let found = &mut self.nodes[node];
        let registry = match found.build {
            Build::Newest => Arc::clone(&self.registry),
            older => flawed::registry(older.registry(), self.options.lapse),
        };
        let registry = merging::registry(&registry, self.seed, node, self.options.lapse);
        let opened = Engine::open(found.config.clone(), registry, &found.store, origin, self.options.planted);
        match opened {
            Ok(engine) => found.engine = Some(engine),
            Err(error) => return Err(self.violation("opening", format!("node {node} does not open: {error}"))),
        }
        self.expect_peers(node);
        let found = &mut self.nodes[node];
        if found.life == 0 && self.now > 0 && found.copy_of.is_none() {
            self.coverage.note("members that join late");
        }
        found.life += 1;
        found.started = self.now;
        found.watched = 0;
        let life = found.life;
        let label = found.label();
        self.travellers.record.origins.insert(origin, label);
        self.coverage.note("starts");
        self.trace.line(self.now, || format!("{node} starts as {origin}"));
        self.queue.at(self.now, Event::Tick { node, life });
        self.crash_again(node);
        self.check_opened(node)
    }

    /// A node is told who else belongs to the cluster.
    fn expect_peers(&mut self, node: usize) {
        let time = self.time(node);
        let peers = (0..self.nodes.len()).filter(|peer| self.nodes[*peer].copy_of.is_none());
        let peers = peers.filter(|peer| self.are_peers(node, *peer));
        let named = |peer: usize| (self.nodes[peer].name.clone(), self.nodes[peer].config.region.clone());
        let peers: Vec<(String, String)> = peers.map(named).collect();
        let Some(engine) = &mut self.nodes[node].engine else { return };
        peers.iter().for_each(|(name, region)| engine.expect(time, name, Some(region)));
    }

    /// What no disk holds any more after disks were put back cannot be asked of anyone.
    pub(crate) fn excuse(&mut self, held_before: &[Dot]) {
        for dot in held_before {
            let held = self.nodes.iter().any(|node| node.durable_vector.get(dot.origin) >= dot.seq);
            if !held {
                self.history.excuse(*dot);
            }
        }
    }
}
