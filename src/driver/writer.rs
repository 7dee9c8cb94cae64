//! The writer thread: takes commands, commits, publishes, answers.

use super::clock::{now, random_origin};
use super::gathering::Gathering;
use super::members::Members;
use super::metrics::Metrics;
use super::published::Published;
use super::queue::{Command, ConnectionId, Done, Outbox, Queue, StatusDone};
use crate::error::{OpenError, WriteError};
use crate::view::View;
use anabranch_engine::mutant::Planted;
use anabranch_engine::store::{Store, StoreError, StoreErrorKind};
use anabranch_engine::{Alarm, Config, Counters, Engine, Output, Refusal, Write, Written};
use anabranch_protocol::Message;
use anabranch_resolvers::Registry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
/// How long writes are refused after the disk was found full, before it is tried again.
const FULL_PAUSE_MS: u64 = 1_000;
/// How long commands are gathered for one batch at most, however slow the disk is.
const LONGEST_GATHERING: Duration = Duration::from_millis(5);
/// How often a clean stop may find the batch not empty before it gives up.
const STOP_ROUNDS: usize = 2;

/// An opened database: its writer runs.
pub(crate) struct Opened {
    pub(crate) queue: Arc<Queue>,
    pub(crate) published: Arc<Published>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) thread: std::thread::JoinHandle<()>,
}

/// The writer thread's own things.
pub(crate) struct Writer<S: Store> {
    store: S,
    engine: Engine,
    config: Config,
    registry: Arc<Registry>,
    queue: Arc<Queue>,
    published: Arc<Published>,
    metrics: Arc<Metrics>,
    tickets: BTreeMap<u64, Done>,
    next_ticket: u64,
    /// Who waits for the status at the end of this turn.
    asked: Vec<StatusDone>,
    connections: BTreeMap<String, (ConnectionId, Outbox)>,
    members: Members,
    /// Of what the engine says of members, what was published last; `None` when something else has changed.
    acks_version: Option<u64>,
    /// The peers whose silence makes what this replica shows old, with their regions.
    expected: BTreeMap<String, Option<String>>,
    catalog_version: u64,
    full_until_ms: u64,
    past: Counters,
    /// How many writes came together of late.
    expected_writes: usize,
    last_sync: Duration,
    gathering: Gathering,
}

/// Opens the engine on a store and starts the writer thread.
pub(crate) fn open<S: Store + 'static>(
    mut store: S,
    config: Config,
    registry: Arc<Registry>,
) -> Result<Opened, OpenError> {
    let engine = open_engine(&mut store, &config, &registry)?;
    let queue = Arc::new(Queue::new());
    let published = Arc::new(Published::new(first_view(&store, &engine, &registry)));
    let metrics = Arc::new(Metrics::default());
    let mut writer = Writer {
        catalog_version: engine.catalog().version(),
        store,
        engine,
        config,
        registry,
        queue: queue.clone(),
        published: published.clone(),
        metrics: metrics.clone(),
        tickets: BTreeMap::new(),
        next_ticket: 0,
        asked: Vec::new(),
        connections: BTreeMap::new(),
        members: Members::default(),
        acks_version: None,
        expected: BTreeMap::new(),
        full_until_ms: 0,
        past: Counters::default(),
        expected_writes: 0,
        last_sync: Duration::ZERO,
        gathering: Gathering::default(),
    };
    let named = std::thread::Builder::new().name("anabranch-writer".to_owned());
    let thread = named.spawn(move || {
        let _closing = Closing { queue: writer.queue.clone(), published: writer.published.clone() };
        writer.run();
    });
    let thread = thread.map_err(|error| OpenError::System(format!("a thread: {error}")))?;
    Ok(Opened { queue, published, metrics, thread })
}

/// However the writer ends, nobody waits for it any more.
struct Closing {
    queue: Arc<Queue>,
    published: Arc<Published>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.queue.close();
        self.published.close();
    }
}

fn open_engine<S: Store>(store: &mut S, config: &Config, registry: &Arc<Registry>) -> Result<Engine, OpenError> {
    let origin = random_origin().map_err(|error| OpenError::System(format!("random numbers: {error}")))?;
    let mut engine = Engine::open(config.clone(), registry.clone(), &*store, origin, Planted::none())?;
    loop {
        engine.seal();
        if !engine.batch().is_empty() {
            store.commit(engine.batch())?;
        }
        let was_indexed = engine.is_indexed();
        engine.committed(&*store, now())?;
        // Nobody looks before all conflicts can be found.
        if was_indexed {
            return Ok(engine);
        }
    }
}

fn first_view<S: Store>(store: &S, engine: &Engine, registry: &Arc<Registry>) -> View {
    View {
        read: Arc::new(store.snapshot()),
        catalog: Arc::new(engine.catalog().clone()),
        lineages: Arc::new(engine.lineages().clone()),
        vector: Arc::new(engine.durable_vector()),
        full: Arc::new(engine.durable_full().clone()),
        index: engine.durable_index(),
        registry: registry.clone(),
    }
}

/// Why the loop ends.
enum End {
    Stopped,
    Failed(StoreError),
}

impl<S: Store> Writer<S> {
    fn run(&mut self) {
        let mut tick_at = Instant::now();
        let (end, unanswered) = loop {
            let has_work = self.engine.wants_turn();
            let deadline = if has_work { Instant::now() } else { tick_at };
            let mut commands = self.queue.take(deadline, self.expected_writes > 0 && !has_work);
            let ticking = Instant::now() >= tick_at;
            if ticking {
                tick_at = Instant::now() + TICK;
                self.engine.handle_tick(now());
            }
            if let Err(end) = self.turn(&mut commands) {
                break (end, commands);
            }
        };
        for command in unanswered {
            if let Command::Write { done, .. } = command {
                done(Err(WriteError::Closed));
            }
        }
        if let End::Failed(error) = end {
            tracing::error!(%error, "the store failed: nothing is written any more until the database is opened again");
            for (_, done) in std::mem::take(&mut self.tickets) {
                done(Err(WriteError::Unknown(error.to_string())));
            }
        }
    }

    /// Handles commands, those that come meanwhile too, and commits once. While as many came as of late, or preparing them took
    /// no longer than the last sync, whoever is early gains more from a shared sync than from an early one.
    fn turn(&mut self, commands: &mut VecDeque<Command>) -> Result<(), End> {
        let (begun, mut writes) = (Instant::now(), 0);
        while !commands.is_empty() {
            writes += self.handle_all(commands)?;
            let expected = writes < self.expected_writes;
            if expected || begun.elapsed() < self.last_sync {
                *commands = self.queue.take_more(expected);
            }
            if commands.is_empty()
                && writes == 0
                && let Some(deadline) = self.more_expected_until(begun)
            {
                *commands = self.queue.take(deadline, false);
            }
        }
        self.gathering.ended(Instant::now(), if writes == 0 { self.engine.batch().log.len() } else { 0 });
        // The most of late, forgotten by and by: one small batch must not make all that follow small.
        self.expected_writes = writes.max(self.expected_writes - self.expected_writes.div_ceil(8));
        self.cycle()?;
        self.tell_status();
        Ok(())
    }

    /// Until when to wait for more of what peers send, where the batch has nothing else, nobody waits for it and there is nothing else to do.
    fn more_expected_until(&mut self, begun: Instant) -> Option<Instant> {
        let transactions = self.engine.batch().log.len();
        // Who comes to wait once it has begun waits with it, for the rest of it.
        if !self.asked.is_empty() || self.published.is_awaited() || self.engine.wants_turn() {
            return None;
        }
        self.gathering.until(begun, Instant::now(), transactions, self.last_sync)
    }

    /// Handles commands until none is left; says how many were writes.
    fn handle_all(&mut self, commands: &mut VecDeque<Command>) -> Result<usize, End> {
        let mut writes = 0;
        while let Some(command) = commands.pop_front() {
            match command {
                Command::Stop { clean } => return Err(self.stop(clean)),
                // It speaks of what is on disk, but is no reason to go there: else whoever asks often makes small batches.
                Command::Status { done } => {
                    self.asked.push(done);
                    continue;
                }
                Command::Write { .. } => writes += 1,
                _ => {}
            }
            if let Err(error) = self.handle(command) {
                return Err(End::Failed(error));
            }
            if self.engine.wants_commit() {
                self.cycle()?;
            }
        }
        Ok(writes)
    }

    fn tell_status(&mut self) {
        if self.asked.is_empty() {
            return;
        }
        let status = self.status();
        for done in std::mem::take(&mut self.asked) {
            done(status.clone());
        }
    }

    fn stop(&mut self, clean: bool) -> End {
        if clean {
            self.engine.request_checkpoint();
            for _ in 0..STOP_ROUNDS {
                if let Err(end) = self.cycle() {
                    return end;
                }
            }
            self.tell_status();
        }
        for (_, done) in std::mem::take(&mut self.tickets) {
            done(Err(WriteError::Closed));
        }
        End::Stopped
    }

    fn handle(&mut self, command: Command) -> Result<(), StoreError> {
        let time = now();
        match command {
            Command::Write { write, done } => return self.write(time, &write, done),
            Command::Connected { peer, region, role, origin, id, outbox } => {
                // Of two that were made at the same moment the later stays, in whichever order they get here.
                if self.connections.get(&peer).is_none_or(|(current, _)| *current < id) {
                    self.engine.handle_connected(time, &peer, &region, role, origin);
                    self.connections.insert(peer, (id, outbox));
                }
            }
            Command::Member { peer, region, expected } => {
                self.members.expect(&peer, region.as_deref());
                self.acks_version = None;
                if expected {
                    self.engine.expect(time, &peer, region.as_deref());
                    self.expected.insert(peer, region);
                }
            }
            Command::Disconnected { peer, id } => self.disconnected(&peer, id),
            Command::Message { peer, id, message, permit } => {
                if self.connections.get(&peer).is_some_and(|(current, _)| *current == id) {
                    if time.mono_ms < self.full_until_ms && matches!(message, Message::Transactions(_)) {
                        self.engine.handle_lost(&peer);
                    } else {
                        self.engine.handle_message(&self.store, time, &peer, message)?;
                    }
                }
                drop(permit);
            }
            Command::Adopt { cluster, region, node, done } => {
                let adopted = self.engine.adopt(&self.store, &cluster, &region, &node);
                if adopted.is_ok() {
                    (self.config.cluster, self.config.region, self.config.node) = (cluster, region, node);
                }
                done(adopted.map_err(|error| error.to_string()));
            }
            Command::Status { .. } | Command::Stop { .. } => {}
        }
        Ok(())
    }

    fn write(&mut self, time: anabranch_engine::Time, write: &Write, done: Done) -> Result<(), StoreError> {
        if time.mono_ms < self.full_until_ms {
            done(Err(WriteError::DiskFull));
            return Ok(());
        }
        self.next_ticket += 1;
        self.tickets.insert(self.next_ticket, done);
        self.engine.handle_write(&self.store, time, self.next_ticket, write)
    }

    fn disconnected(&mut self, peer: &str, id: ConnectionId) {
        if self.connections.get(peer).is_some_and(|(current, _)| *current == id) {
            self.connections.remove(peer);
            self.engine.handle_disconnected(peer);
        }
    }

    /// Commits what was handled, publishes it, carries out what follows.
    fn cycle(&mut self) -> Result<(), End> {
        self.engine.seal();
        let changed = !self.engine.batch().is_empty();
        if changed {
            let started = Instant::now();
            match self.store.commit(self.engine.batch()) {
                Ok(()) => {
                    self.last_sync = started.elapsed().min(LONGEST_GATHERING);
                    self.metrics.committed(started.elapsed());
                }
                Err(error) if error.kind == StoreErrorKind::Full => return self.disk_full(&error),
                Err(error) => return Err(End::Failed(error)),
            }
        }
        self.engine.committed(&self.store, now()).map_err(End::Failed)?;
        if changed {
            self.publish();
        }
        self.publish_members();
        self.carry_out();
        Ok(())
    }

    fn publish_members(&mut self) {
        let version = Some(self.engine.acks_version());
        if self.acks_version != version {
            self.acks_version = version;
            self.members.update(self.engine.acknowledged());
            self.published.publish_members(self.members.clone());
        }
    }

    fn publish(&mut self) {
        let last = self.published.view();
        let version = self.engine.catalog().version();
        let catalog = if version == self.catalog_version {
            last.catalog.clone()
        } else {
            Arc::new(self.engine.catalog().clone())
        };
        self.catalog_version = version;
        let lineages = self.engine.lineages();
        let known = lineages.iter().count() == last.lineages.iter().count();
        self.published.publish(View {
            read: Arc::new(self.store.snapshot()),
            catalog,
            lineages: if known { last.lineages.clone() } else { Arc::new(lineages.clone()) },
            vector: Arc::new(self.engine.durable_vector()),
            full: Arc::new(self.engine.durable_full().clone()),
            index: self.engine.durable_index(),
            registry: self.registry.clone(),
        });
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Reply { ticket, answer } => self.answer(ticket, answer),
                Output::Send { peer, message } => self.send(&peer, message),
                Output::Disconnect { peer, reason } => {
                    tracing::warn!(peer, reason, "peer does not follow the protocol: connection closed");
                    if let Some(outbox) = self.drop_connection(&peer) {
                        // Should the connection be gone already, it needs no reason any more.
                        let _ = outbox.misconduct.send(reason);
                    }
                }
                Output::Alarm(alarm) => report(&alarm),
            }
        }
    }

    fn answer(&mut self, ticket: u64, answer: Result<Written, Refusal>) {
        self.metrics.writes.fetch_add(1, Ordering::Relaxed);
        if let Some(done) = self.tickets.remove(&ticket) {
            done(answer.map_err(WriteError::Refused));
        }
    }

    fn send(&mut self, peer: &str, message: Message) {
        let Some((_, outbox)) = self.connections.get(peer) else { return };
        if outbox.messages.try_send(message).is_err() {
            tracing::info!(peer, "peer takes nothing more: connection closed, it will be sent what it lacks later");
            drop(self.drop_connection(peer));
        }
    }

    /// Dropping the outbox ends the connection.
    fn drop_connection(&mut self, peer: &str) -> Option<Outbox> {
        self.engine.handle_disconnected(peer);
        self.connections.remove(peer).map(|(_, outbox)| outbox)
    }

    /// Nothing of the batch is on disk: what was handled is forgotten, what waited is refused, and the engine starts
    /// again from the store. Reads go on; writes are tried again in a while.
    fn disk_full(&mut self, error: &StoreError) -> Result<(), End> {
        tracing::warn!(%error, "no space left: writes are refused until there is");
        for (_, done) in std::mem::take(&mut self.tickets) {
            done(Err(WriteError::DiskFull));
        }
        self.metrics.disk_full();
        self.connections.clear();
        self.full_until_ms = now().mono_ms + FULL_PAUSE_MS;
        let origin = random_origin().map_err(|error| End::Failed(StoreError::corrupt(error.to_string())))?;
        let (config, registry) = (self.config.clone(), self.registry.clone());
        self.past = self.in_all(self.engine.status(now()).counters);
        // The new engine counts its catalog's versions anew.
        self.catalog_version = u64::MAX;
        self.engine = Engine::open(config, registry, &self.store, origin, Planted::none()).map_err(End::Failed)?;
        for (peer, region) in &self.expected {
            self.engine.expect(now(), peer, region.as_deref());
        }
        self.acks_version = None;
        Ok(())
    }

    /// With those of the engines before this one.
    fn in_all(&self, now: Counters) -> Counters {
        let past = self.past;
        Counters {
            applied: past.applied + now.applied,
            sent: past.sent + now.sent,
            duplicates: past.duplicates + now.duplicates,
            copies: past.copies + now.copies,
            counters_reused: past.counters_reused + now.counters_reused,
            buffer_overflows: past.buffer_overflows + now.buffer_overflows,
            stamps_ahead: past.stamps_ahead + now.stamps_ahead,
            digest_mismatches: past.digest_mismatches + now.digest_mismatches,
        }
    }

    fn status(&self) -> anabranch_engine::Status {
        let status = self.engine.status(now());
        anabranch_engine::Status { counters: self.in_all(status.counters), ..status }
    }
}

fn report(alarm: &Alarm) {
    match alarm {
        Alarm::DigestMismatch { .. } | Alarm::OriginParked { .. } | Alarm::OwnOriginAhead { .. } => {
            tracing::error!("{alarm}");
        }
        Alarm::StampAhead { .. } | Alarm::ClockSkew { .. } => tracing::warn!("{alarm}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::Origin;
    use anabranch_engine::Role;
    use anabranch_store::MemoryStore;
    use tokio::sync::{mpsc, oneshot};

    #[test]
    fn of_two_connections_the_later_stays_in_whichever_order_they_get_here() {
        let config = Config::new("shop", "eu", "eu");
        let opened = open(MemoryStore::new(), config, Arc::new(Registry::builtin())).expect("a database");
        let push = |command| opened.queue.push(command).expect("open");
        let connect = |id| {
            let ((outgoing, messages), (misconduct, _)) = (mpsc::channel(16), oneshot::channel());
            let outbox = Outbox { messages: outgoing, misconduct };
            let (peer, region, id) = ("us".to_owned(), "us".to_owned(), ConnectionId(id));
            push(Command::Connected { peer, region, role: Role::Leader, origin: Origin(7), id, outbox });
            messages
        };
        let (mut later, mut earlier) = (connect(2), connect(1));
        push(Command::Disconnected { peer: "us".to_owned(), id: ConnectionId(1) });
        let (sender, told) = std::sync::mpsc::sync_channel(1);
        push(Command::Status { done: Box::new(move |status| sender.send(status).expect("somebody waits")) });
        assert!(told.recv().expect("a status").peers[0].connected);
        assert!(later.try_recv().is_ok() && earlier.blocking_recv().is_none());
        push(Command::Stop { clean: true });
        opened.thread.join().expect("it ends");
    }
}
