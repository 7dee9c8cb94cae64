//! Clients: sessions that ask, wait, ask again elsewhere, and sometimes ask again although they were answered.

mod deciders;
mod replies;
mod writers;

use crate::builds;
use crate::checkers::decided::Decision;
use crate::node::{Input, Post};
use crate::queue::Event;
use crate::random::Random;
use crate::workload;
use crate::world::{Checked, World};
use anabranch_causality::{Actor, Dot, OperationId, SessionId};
use anabranch_engine::{Refusal, Write, Written};
use std::collections::BTreeMap;

/// A follower is asked to write itself, in so many of a thousand cases, to see it refuse.
const ASKS_ENGINE: u64 = 50;

/// All clients and what they asked for.
pub(crate) struct Clients {
    pub(crate) random: Random,
    /// Who decides at the same time as another.
    pub(crate) deciders: Random,
    /// Who writes texts, and what.
    pub(crate) writers: Random,
    pub(crate) sessions: Vec<Session>,
    pub(crate) requests: Vec<Request>,
    pub(crate) tickets: Vec<Ticket>,
}

/// One client. Its session is replaced by a new one now and then.
pub(crate) struct Session {
    id: SessionId,
    home: usize,
    counter: u64,
    last: Option<usize>,
}

/// A request, with all its attempts.
pub(crate) struct Request {
    pub(crate) write: Write,
    home: usize,
    attempts: u32,
    /// Nothing more will come of it.
    pub(crate) done: bool,
    /// What a node said took effect.
    pub(crate) acknowledged: Option<OperationId>,
    reused: bool,
    /// How many days had passed when it was made.
    days: u64,
    /// What was chosen, when it decides about a register.
    decision: Option<Decision>,
}

impl Request {
    /// What a client with a session asks: it sees itself to what comes of it.
    pub(crate) fn of_traveller(write: Write) -> Self {
        Self { write, home: 0, attempts: 0, done: true, acknowledged: None, reused: false, days: 0, decision: None }
    }
}

/// One attempt, at one node.
pub(crate) struct Ticket {
    pub(crate) request: usize,
    /// Which client with a session asked, if it was one.
    pub(crate) ask: Option<u64>,
    /// What the node made of it.
    pub(crate) created: Option<Dot>,
}

impl Clients {
    pub(crate) fn new(seed: u64) -> Self {
        let stream = |name| Random::stream(seed, name);
        let (random, deciders, writers) = (stream("clients"), stream("deciders"), stream("writers"));
        Self { random, deciders, writers, sessions: Vec::new(), requests: Vec::new(), tickets: Vec::new() }
    }

    /// Every other client of a node goes to its copy.
    pub(crate) fn move_half(&mut self, node: usize, copy: usize) {
        let of_node = self.sessions.iter_mut().filter(|session| session.home == node);
        of_node.step_by(2).for_each(|session| session.home = copy);
    }

    /// Whether nothing more is asked or waited for.
    pub(crate) fn is_quiet(&self) -> bool {
        self.requests.iter().all(|request| request.done)
    }
}

/// A UUIDv7 of that time.
pub(crate) fn session_id(wall_ms: u64, random: &mut Random) -> SessionId {
    let mut id = [0; 16];
    id[..6].copy_from_slice(&wall_ms.to_be_bytes()[2..]);
    id[6..14].copy_from_slice(&random.bits().to_be_bytes());
    id[14..].copy_from_slice(&random.bits().to_be_bytes()[..2]);
    id[6] = (id[6] & 0x0f) | 0x70;
    id[8] = (id[8] & 0x3f) | 0x80;
    SessionId(id)
}

impl World {
    pub(crate) fn start_clients(&mut self) {
        for session in 0..self.plan.sessions {
            let wall_ms = self.wall_ms();
            let random = &mut self.clients.random;
            let id = session_id(wall_ms, random);
            let home = random.below(self.nodes.len());
            self.clients.sessions.push(Session { id, home, counter: 0, last: None });
            let think = self.clients.random.spread(self.plan.think_ms);
            self.queue.at(self.now + think, Event::Step { session });
        }
    }

    /// A session thinks of something to do.
    pub(crate) fn step(&mut self, session: usize) {
        if self.healing || self.clients.requests.len() >= self.plan.operations {
            return;
        }
        let think = self.clients.random.spread(self.plan.think_ms);
        self.queue.at(self.now + think, Event::Step { session });
        let waits = self.clients.sessions[session].last.is_some_and(|last| !self.clients.requests[last].done);
        if waits && !self.clients.random.chance(self.plan.pipelined) {
            return;
        }
        if self.clients.random.chance(20) {
            self.clients.sessions[session].id = session_id(self.wall_ms(), &mut self.clients.random);
            self.clients.sessions[session].counter = 0;
        }
        let request = self.clients.requests.len();
        let mut changes = workload::changes(&mut self.clients.random, &self.plan, request);
        if self.clients.random.chance(self.plan.novel) {
            changes.push(builds::change(&mut self.clients.random, request));
        }
        let decided = self.decide(&mut changes);
        if self.clients.random.chance(self.plan.contexts) {
            let node = self.clients.random.below(self.nodes.len());
            if let Some(engine) = &self.nodes[node].engine {
                workload::add_contexts(&mut changes, &self.registry, engine.catalog(), &self.nodes[node].store);
            }
        }
        let (key, reused) = self.next_key(session);
        if decided.is_none() {
            self.write_text(&mut changes, request, key.is_some());
        }
        let home = self.clients.sessions[session].home;
        self.clients.sessions[session].last = Some(request);
        let (seen, decision) = decided.unzip();
        self.request(Write { changes, key }, home, reused, decision.flatten());
        if let Some(seen) = seen {
            self.oppose(session, &seen);
        }
    }

    /// A request is made, and sent for the first time.
    fn request(&mut self, write: Write, home: usize, reused: bool, decision: Option<Decision>) {
        let (number, days) = (self.clients.requests.len(), self.days);
        let made = Request { write, home, attempts: 0, done: false, acknowledged: None, reused, days, decision };
        self.clients.requests.push(made);
        self.attempt(number);
    }

    /// The requests by what they are known as, where they were sequenced.
    pub(crate) fn asked(&self) -> BTreeMap<OperationId, usize> {
        let mut asked = BTreeMap::new();
        for ticket in &self.clients.tickets {
            let write = &self.clients.requests[ticket.request].write;
            if let Some((session, counter)) = write.key {
                let operation = OperationId { actor: Actor::Session(session), counter, hash: write.hash() };
                asked.insert(operation, ticket.request);
            }
            if let Some(dot) = ticket.created.filter(|_| write.key.is_none()) {
                let actor = Actor::Leader(dot.origin);
                asked.insert(OperationId { actor, counter: dot.seq, hash: 0 }, ticket.request);
            }
        }
        asked
    }

    fn next_key(&mut self, session: usize) -> (Option<(SessionId, u64)>, bool) {
        let Clients { random, sessions, .. } = &mut self.clients;
        let session = &mut sessions[session];
        if random.chance(self.plan.keyless) {
            return (None, false);
        }
        if session.counter > 0 && random.chance(self.plan.reuse_counters) {
            // A client that lost its memory: the same counter, another request.
            self.coverage.note("counters used for two requests");
            return (Some((session.id, session.counter)), true);
        }
        let skips = if random.chance(self.plan.skip_counters) { random.range(1, 1_500) } else { 0 };
        session.counter += 1 + skips;
        (Some((session.id, session.counter)), false)
    }

    /// A request is sent: first to the session's own node, again perhaps to another.
    pub(crate) fn attempt(&mut self, number: usize) {
        if self.healing && self.clients.requests[number].done {
            return;
        }
        let nodes = self.nodes.len();
        let (random, request) = (&mut self.clients.random, &mut self.clients.requests[number]);
        let mut node = request.home;
        if request.attempts > 0 {
            self.coverage.note("attempts again");
            if request.days < self.days {
                self.coverage.note("attempts again after days");
            }
            if random.chance(self.plan.elsewhere) {
                self.coverage.note("attempts at another leader");
                node = (node + 1 + random.below(nodes - 1)) % nodes;
            }
        }
        request.attempts += 1;
        let attempt = request.attempts;
        let ticket = self.clients.tickets.len() as u64;
        self.clients.tickets.push(Ticket { request: number, created: None, ask: None });
        let random = &mut self.clients.random;
        let (travel, patience) = (random.range(0, 5), random.range(300, 1_500));
        if self.healing || !random.chance(self.plan.lose_requests) {
            self.queue.at(self.now + travel, Event::Arrive { node, ticket });
        }
        self.queue.at(self.now + patience, Event::Timeout { request: number, attempt });
    }

    /// A request comes to a node. One that is down does not answer; a follower passes it on.
    pub(crate) fn arrive(&mut self, node: usize, ticket: u64) {
        if !self.nodes[node].is_up() {
            return;
        }
        if let Post::Follower(leader) = self.nodes[node].post
            && !self.clients.random.chance(ASKS_ENGINE)
        {
            if let Some(arrives) = self.pass_on(node, leader) {
                self.queue.at(arrives, Event::Arrive { node: leader, ticket });
            }
            return;
        }
        self.coverage.note("requests");
        self.bring(node, Input::Write { ticket });
    }

    /// When what a follower passes on comes to its leader, if it does.
    pub(crate) fn pass_on(&mut self, follower: usize, leader: usize) -> Option<u64> {
        self.coverage.note("writes passed on");
        let (low, high) = self.plan.delay_ms;
        let takes = self.clients.random.range(low, high);
        self.network.hears(follower, leader).then_some(self.now + takes)
    }

    /// A node answers: what it says counts from here on, whether the client hears it or not.
    pub(crate) fn reply(&mut self, node: usize, ticket: u64, answer: Result<Written, Refusal>) -> Checked {
        let number = self.clients.tickets[ticket as usize].request;
        self.trace.line(self.now, || format!("{node} answers request {number}: {answer:?}"));
        match &answer {
            Ok(written) => {
                self.coverage.note(if written.repeated { "acknowledged again" } else { "acknowledged" });
                self.check_operation(node, number, written)?;
                self.clients.requests[number].acknowledged = Some(written.operation);
            }
            Err(refusal) => self.check_refusal(node, number, refusal)?,
        }
        if let Some(ask) = self.clients.tickets[ticket as usize].ask {
            self.tell_written(node, ask, &answer);
            return Ok(());
        }
        let random = &mut self.clients.random;
        let travel = random.range(0, 5);
        if self.healing || !random.chance(self.plan.lose_replies) {
            self.queue.at(self.now + travel, Event::Answer { ticket, answer: Box::new(answer) });
        }
        Ok(())
    }

    /// A client hears an answer.
    pub(crate) fn answer(&mut self, ticket: u64, answer: &Result<Written, Refusal>) {
        let number = self.clients.tickets[ticket as usize].request;
        let retry = matches!(answer, Err(Refusal::NotWritable { .. }));
        let may_again = self.may_try_again(number);
        let (random, request) = (&mut self.clients.random, &mut self.clients.requests[number]);
        if may_again && (retry || (!request.done && random.chance(self.plan.echo))) {
            // Refused for now; or a client that asks again although it was answered.
            let wait = if self.healing { random.range(10, 500) } else { random.spread(1_000) };
            self.queue.at(self.now + wait, Event::Attempt { request: number });
        } else if !retry || !may_again {
            request.done = true;
        }
    }

    /// A client has waited long enough.
    pub(crate) fn timeout(&mut self, number: usize, attempt: u32) {
        let may_again = self.may_try_again(number);
        let (random, request) = (&mut self.clients.random, &mut self.clients.requests[number]);
        if request.done || request.attempts != attempt {
            return;
        }
        if !may_again {
            request.done = true;
            return;
        }
        let late = !self.healing && random.chance(self.plan.late);
        let wait = if late { random.range(2_000, 9_000) } else { random.range(1, 200) };
        self.queue.at(self.now + wait, Event::Attempt { request: number });
    }

    /// Only what has a key can be asked again; what has none would be another operation.
    fn may_try_again(&self, number: usize) -> bool {
        let request = &self.clients.requests[number];
        request.write.key.is_some() && request.attempts < self.plan.attempts && !request.reused
    }
}
