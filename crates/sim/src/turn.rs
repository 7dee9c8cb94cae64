//! A node's turn: the loop that the engine's contract asks for, with a way out at every point.

use crate::checkers::{bounds, created, rows, visible};
use crate::ledger::Ledger;
use crate::node::{Input, Point, StoreFault};
use crate::queue::Event;
use crate::world::{Checked, World};
use anabranch_engine::record::Record;
use anabranch_engine::store::StoreErrorKind;
use anabranch_engine::{Alarm, Engine, Output};
use anabranch_protocol::{Hello, Message};

impl World {
    /// Something comes in to a node that is up.
    pub(crate) fn bring(&mut self, node: usize, input: Input) {
        if self.nodes[node].is_up() {
            self.nodes[node].inbox.push_back(input);
            self.turn_soon(node);
        }
    }

    fn turn_soon(&mut self, node: usize) {
        if !self.nodes[node].turn_due {
            self.nodes[node].turn_due = true;
            let (until, slow_ms) = self.nodes[node].slow;
            let slow_ms = if self.now < until { slow_ms } else { 0 };
            let wait = self.work.range(0, self.plan.turn_ms + slow_ms);
            let life = self.nodes[node].life;
            self.queue.at(self.now + wait, Event::Turn { node, life });
        }
    }

    /// A node works off some of what came in, commits, and carries out what the engine wants.
    pub(crate) fn turn(&mut self, node: usize) -> Checked {
        self.nodes[node].turn_due = false;
        for _ in 0..self.work.range(1, self.plan.turn_inputs) {
            let Some(input) = self.nodes[node].inbox.pop_front() else { break };
            self.handle(node, input)?;
            // Outputs may be taken at any time: what waits for the disk must not be among them.
            if self.work.chance(self.plan.early_poll) {
                self.carry_out(node, usize::MAX)?;
            }
        }
        if self.stops_at(node, Point::Handled) {
            self.stop(node, "crashes before sealing");
            return Ok(());
        }
        if !self.commit(node)? {
            return Ok(());
        }
        let stop_after = match self.nodes[node].stop_at {
            Some(Point::Outputs(count)) => count,
            _ => usize::MAX,
        };
        if self.carry_out(node, stop_after)? {
            self.stop(node, "crashes between outputs");
            return Ok(());
        }
        let more = self.nodes[node].parts().is_some_and(|(engine, _)| engine.wants_turn());
        if more || !self.nodes[node].inbox.is_empty() {
            self.turn_soon(node);
        }
        Ok(())
    }

    fn stops_at(&self, node: usize, point: Point) -> bool {
        self.nodes[node].stop_at == Some(point)
    }

    /// Seals, writes, syncs, tells the engine. `false` when the node stopped on the way.
    fn commit(&mut self, node: usize) -> Result<bool, crate::Violation> {
        let time = self.time(node);
        let checkpoint = self.work.chance(self.plan.checkpoint);
        let found = &mut self.nodes[node];
        let Some(engine) = &mut found.engine else { return Ok(false) };
        if checkpoint {
            engine.request_checkpoint();
        }
        engine.seal();
        if !engine.batch().is_empty() {
            if found.stop_at == Some(Point::Sealed) {
                self.stop(node, "crashes before writing");
                return Ok(false);
            }
            let full = self.now < found.full_until;
            if full {
                found.store.fail_next_commit(StoreErrorKind::Full);
            }
            if let Err(error) = found.store.write(engine.batch()) {
                if found.store_fault == StoreFault::None && !full {
                    return Err(self.violation("store", format!("node {node} could not write: {error}")));
                }
                let full = error.kind == StoreErrorKind::Full;
                self.stop(
                    node,
                    if full { "opens anew because its disk is full" } else { "crashes because a sync failed" },
                );
                return Ok(false);
            }
            if found.stop_at == Some(Point::Written) {
                self.stop(node, "crashes between write and sync");
                return Ok(false);
            }
            if let Err(error) = found.store.sync() {
                return Err(self.violation("store", format!("node {node} could not sync: {error}")));
            }
            let checked = check_batch(engine, &found.ledger);
            if let Err(what) = checked {
                return Err(self.violation("rows", format!("node {node}: {what}")));
            }
            let synced: Vec<Vec<u8>> = engine.batch().log.iter().map(|(_, record)| record.clone()).collect();
            self.synced(node, &synced)?;
            if self.stops_at(node, Point::Synced) {
                self.stop(node, "crashes after sync");
                return Ok(false);
            }
        }
        let Some((engine, store)) = self.nodes[node].parts() else { return Ok(false) };
        if let Err(error) = engine.committed(store, time) {
            return Err(self.violation("engine", format!("node {node} failed after a commit: {error}")));
        }
        self.nodes[node].watched = 0;
        self.compare_digests(node)?;
        self.count_parked(node);
        self.look_again(node)?;
        Ok(true)
    }

    /// A batch is on disk.
    fn synced(&mut self, node: usize, records: &[Vec<u8>]) -> Checked {
        for bytes in records {
            let record = Record::decode(bytes).map_err(|error| self.violation("codec", error.to_string()))?;
            let noted = self.history.note(record.transaction);
            let transaction = noted.map_err(|what| self.violation("dots", what))?;
            let found = &mut self.nodes[node];
            if found.engine.as_ref().is_some_and(|engine| engine.origin() == transaction.dot.origin) {
                self.written.push((self.now, transaction.dot));
                found.wrote = true;
            }
            found.durable += 1;
            found.durable_vector.raise(transaction.dot.origin, transaction.dot.seq);
        }
        if self.work.chance(60) && self.nodes[node].images.len() < 12 {
            let image = self.nodes[node].store.image();
            self.nodes[node].images.push(image);
        }
        Ok(())
    }

    fn handle(&mut self, node: usize, input: Input) -> Checked {
        let time = self.time(node);
        let mut of_ticket = None;
        let is_stale =
            |world: &Self, peer: &usize, connection: &u64| world.nodes[node].peers.get(peer) != Some(connection);
        let outcome = match input {
            Input::Tick => {
                if let Some(engine) = &mut self.nodes[node].engine {
                    engine.handle_tick(time);
                }
                Ok(())
            }
            Input::Connected { peer, connection, hello } => {
                let hello =
                    Hello::decode(&hello).map_err(|error| self.violation("codec", format!("a hello: {error}")))?;
                let known: Vec<usize> = self.nodes[node].peers.keys().copied().collect();
                if let Some(replaced) = known.into_iter().find(|known| self.are_copies(*known, peer)) {
                    self.nodes[node].peers.remove(&replaced);
                }
                self.nodes[node].peers.insert(peer, connection);
                if let Some(engine) = &mut self.nodes[node].engine {
                    engine.handle_connected(time, &hello.node, &hello.region, hello.role, hello.origin);
                }
                Ok(())
            }
            Input::Lost { peer, connection } if !is_stale(self, &peer, &connection) => {
                self.nodes[node].peers.remove(&peer);
                let name = self.nodes[peer].name.clone();
                if let Some(engine) = &mut self.nodes[node].engine {
                    engine.handle_disconnected(&name);
                }
                Ok(())
            }
            Input::Frame { peer, connection, frame } if !is_stale(self, &peer, &connection) => {
                let message = self.decode(&frame)?;
                let name = self.nodes[peer].name.clone();
                match self.nodes[node].parts() {
                    Some((engine, store)) => engine.handle_message(store, time, &name, message),
                    None => Ok(()),
                }
            }
            Input::Lost { .. } | Input::Frame { .. } => Ok(()),
            Input::Write { ticket } => {
                of_ticket = Some(ticket);
                let request = self.clients.tickets[ticket as usize].request;
                let write = self.clients.requests[request].write.clone();
                self.last_asked = self.now;
                self.trace.line(self.now, || format!("{node} is asked {request}: {write:?}"));
                match self.nodes[node].parts() {
                    Some((engine, store)) => engine.handle_write(store, time, ticket, &write),
                    None => Ok(()),
                }
            }
        };
        outcome.map_err(|error| self.violation("engine", format!("node {node}: {error}")))?;
        self.watch(node, of_ticket)
    }

    fn decode(&mut self, frame: &[u8]) -> Result<Message, crate::Violation> {
        let message = Message::decode(frame).map_err(|error| self.violation("codec", format!("a frame: {error}")))?;
        if let Message::Transactions(list) = &message {
            for bytes in list {
                self.history.note(bytes).map_err(|what| self.violation("dots", what))?;
            }
        }
        Ok(message)
    }

    /// Looks at what was applied to the batch just now.
    fn watch(&mut self, node: usize, ticket: Option<u64>) -> Checked {
        let found = &mut self.nodes[node];
        let Some(engine) = &found.engine else { return Ok(()) };
        let fresh = &engine.batch().log[found.watched..];
        found.watched += fresh.len();
        let mut outcome = Ok(());
        for (_, bytes) in fresh {
            outcome = (|| {
                let record = Record::decode(bytes).map_err(|error| ("codec", error.to_string()))?;
                let transaction = record.decode_transaction().map_err(|error| ("codec", error.to_string()))?;
                if transaction.dot.origin == engine.origin()
                    && transaction.dot.seq > found.durable_vector.get(engine.origin())
                {
                    let unasked = || ("created", "a transaction that nobody asked for".to_owned());
                    let ticket = ticket.ok_or_else(unasked)?;
                    let ticket = &mut self.clients.tickets[ticket as usize];
                    ticket.created = Some(transaction.dot);
                    let write = &self.clients.requests[ticket.request].write;
                    created::check(write, &transaction, &found.ledger).map_err(|what| ("created", what))?;
                }
                self.trace.note(self.now, "apply", node, bytes);
                self.trace.line(self.now, || format!("{node} applies {} ({})", transaction.dot, transaction.operation));
                found.ledger.append(&transaction, record.copy).map_err(|what| ("causality", what))
            })();
            if outcome.is_err() {
                break;
            }
        }
        outcome.map_err(|(rule, what)| self.violation(rule, format!("node {node}: {what}")))
    }

    fn compare_digests(&mut self, node: usize) -> Checked {
        let time = self.time(node);
        let found = &self.nodes[node];
        let Some(engine) = &found.engine else { return Ok(()) };
        if engine.durable_full() != &found.durable_vector {
            let (says, is) = (engine.durable_full(), &found.durable_vector);
            return Err(self.violation("clocks", format!("node {node} says that {says} is on disk; it is {is}")));
        }
        if found.compared == found.durable {
            return Ok(());
        }
        let status = engine.status(time);
        if let Err(what) = bounds::check(&found.config, &status) {
            return Err(self.violation("bounds", format!("node {node}: {what}")));
        }
        if !found.has_parked() {
            let digest = status.digest;
            let who = format!("{} at {} ms", found.name, self.now);
            let checked = self.digests.check(&who, &found.durable_vector, digest);
            checked.map_err(|what| self.violation("digest", what))?;
        }
        self.nodes[node].compared = self.nodes[node].durable;
        Ok(())
    }

    /// Does what the engine wants. `true` when the node is to stop after so many outputs.
    fn carry_out(&mut self, node: usize, stop_after: usize) -> Result<bool, crate::Violation> {
        for count in 0.. {
            if count == stop_after {
                return Ok(true);
            }
            let output = self.nodes[node].engine.as_mut().and_then(anabranch_engine::Engine::poll_output);
            match output {
                None => return Ok(false),
                Some(Output::Send { peer, message }) => self.send_message(node, &peer, &message)?,
                Some(Output::Reply { ticket, answer }) => {
                    let created = self.clients.tickets[ticket as usize].created;
                    let durable = &self.nodes[node].durable_vector;
                    let checked = visible::check_reply(durable, &answer, created, &self.history);
                    checked.map_err(|what| self.violation("visible", format!("node {node}: {what}")))?;
                    self.reply(node, ticket, answer)?;
                }
                Some(Output::Disconnect { peer, reason }) => {
                    return Err(self.violation("protocol", format!("node {node} disconnects {peer}: {reason}")));
                }
                Some(Output::Alarm(alarm)) => self.hear_alarm(node, &alarm)?,
            }
        }
        Ok(false)
    }

    fn hear_alarm(&mut self, node: usize, alarm: &Alarm) -> Checked {
        match alarm {
            Alarm::StampAhead { .. } if self.plan.clocks => self.coverage.note("stamps ahead"),
            Alarm::ClockSkew { .. } if self.plan.clocks || self.plan.is_slow() => {
                self.coverage.note("clock skews heard")
            }
            other => return Err(self.violation("alarms", format!("node {node} raises an alarm: {other}"))),
        }
        Ok(())
    }

    fn send_message(&mut self, node: usize, peer: &str, message: &Message) -> Checked {
        let durable = &self.nodes[node].durable_vector;
        let checked = visible::check_message(durable, message, &mut self.history, &self.nodes[node].ledger);
        checked.map_err(|what| self.violation("visible", format!("node {node}: {what}")))?;
        if let Message::Transactions(list) = message {
            self.last_transactions = self.now;
            self.coverage.add("transactions sent", list.len() as u64);
        }
        let is_named = |other: usize| self.nodes[other].name == peer;
        let connected = self.nodes[node].peers.keys().copied().find(|other| is_named(*other));
        let Some(to) = connected.or_else(|| (0..self.nodes.len()).find(|other| is_named(*other))) else {
            return Err(self.violation("protocol", format!("node {node} sends to {peer}, who does not exist")));
        };
        self.trace.line(self.now, || format!("{node} sends to {to}: {}", describe(message)));
        let frame = message.encode();
        self.trace.note(self.now, "send", node, &frame);
        if let Some(connection) = self.nodes[node].peers.get(&to).copied() {
            self.send(node, to, connection, frame);
        }
        Ok(())
    }
}

/// What a batch does to rows.
fn check_batch(engine: &Engine, ledger: &Ledger) -> Result<(), String> {
    let mut fresh = Vec::with_capacity(engine.batch().log.len());
    for (_, bytes) in &engine.batch().log {
        let record = Record::decode(bytes).map_err(|error| error.to_string())?;
        fresh.push((record.copy, record.decode_transaction().map_err(|error| error.to_string())?));
    }
    rows::check(engine.batch(), &fresh, ledger, engine.catalog())
}

fn describe(message: &Message) -> String {
    match message {
        Message::Transactions(list) => {
            let dots = list.iter().map(|bytes| match anabranch_causality::Transaction::peek(bytes) {
                Ok(dot) => dot.to_string(),
                Err(error) => error.to_string(),
            });
            format!("transactions {}", dots.collect::<Vec<_>>().join(" "))
        }
        Message::Ack(ack) => {
            let want: Vec<String> = ack.want.iter().map(ToString::to_string).collect();
            format!("ack {} want [{}] rewind {}", ack.vector, want.join(" "), ack.rewind)
        }
        Message::Heartbeat(heartbeat) => format!("heartbeat {}", heartbeat.vector),
    }
}
