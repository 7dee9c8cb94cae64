//! An engine on a store, driven by hand: no queue, no threads but the store's own, no network.

use super::local;
use anabranch::resolvers::Registry;
use anabranch::{Origin, ShardId, Write};
use anabranch_engine::mutant::Planted;
use anabranch_engine::store::Store;
use anabranch_engine::{Config, Engine, Output, Role, Time};
use anabranch_protocol::{Ack, Message};
use anabranch_store::MemoryStore;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const WRITER: &str = "a";
const RECEIVER: &str = "b";

/// One replica.
pub struct Replica<S> {
    engine: Engine,
    store: S,
}

impl<S: Store> Replica<S> {
    fn open(name: &str, store: S) -> anyhow::Result<Self> {
        let config = Config { window_bytes: usize::MAX, ..Config::new("bench", name, name) };
        let origin = Origin(name.bytes().map(u64::from).sum());
        let engine = Engine::open(config, Arc::new(Registry::builtin()), &store, origin, Planted::none())?;
        let mut replica = Self { engine, store };
        replica.commit()?;
        Ok(replica)
    }

    /// One that takes local writes.
    pub fn writer(store: S) -> anyhow::Result<Self> {
        Self::open(WRITER, store)
    }

    /// One that a writer is connected to.
    pub fn receiver(store: S) -> anyhow::Result<Self> {
        let mut replica = Self::open(RECEIVER, store)?;
        replica.connect(WRITER);
        replica.commit()?;
        Ok(replica)
    }

    fn connect(&mut self, peer: &str) {
        let origin = Origin(peer.bytes().map(u64::from).sum());
        self.engine.handle_connected(now(), peer, peer, Role::Leader, origin);
    }

    /// Takes those writes as one batch, and makes it durable.
    pub fn write(&mut self, writes: &[Write]) -> anyhow::Result<Vec<Output>> {
        for (ticket, write) in writes.iter().enumerate() {
            self.engine.handle_write(&self.store, now(), ticket as u64, write)?;
        }
        self.commit()
    }

    /// Takes what the writer sent, as one batch, and makes it durable.
    pub fn receive(&mut self, frame: &[u8]) -> anyhow::Result<Vec<Output>> {
        self.engine.handle_message(&self.store, now(), WRITER, Message::decode(frame)?)?;
        self.commit()
    }

    fn commit(&mut self) -> anyhow::Result<Vec<Output>> {
        self.engine.seal();
        if !self.engine.batch().is_empty() {
            self.store.commit(self.engine.batch())?;
        }
        self.engine.committed(&self.store, now())?;
        Ok(std::iter::from_fn(|| self.engine.poll_output()).collect())
    }

    /// How many transactions it has, and the digest of their rows.
    pub fn state(&self) -> (u64, u64) {
        (self.engine.durable_index(), self.engine.status(now()).digest)
    }
}

/// What a peer sends.
pub struct Stream {
    /// Messages of transactions, as they are in a frame.
    pub frames: Vec<Vec<u8>>,
    /// What a replica has that received all of them: see [`Replica::state`].
    pub state: (u64, u64),
}

impl Stream {
    /// What an engine sends to a peer that had nothing: `count` writes, each time `together` of them in one commit.
    pub fn of(count: u64, together: usize) -> anyhow::Result<Self> {
        let mut writer = Replica::writer(MemoryStore::new())?;
        writer.connect(RECEIVER);
        let shard = ShardId(0);
        let ack = Ack { shard, vector: Default::default(), want: vec![], parked: vec![], rewind: false };
        writer.engine.handle_message(&writer.store, now(), RECEIVER, Message::Ack(ack))?;
        let mut frames: Vec<Vec<u8>> = sent(writer.commit()?).collect();
        for writes in writes(count).chunks(together) {
            frames.extend(sent(writer.write(writes)?));
            while writer.engine.wants_turn() {
                frames.extend(sent(writer.commit()?));
            }
        }
        Ok(Self { frames, state: writer.state() })
    }
}

fn sent(outputs: Vec<Output>) -> impl Iterator<Item = Vec<u8>> {
    outputs.into_iter().filter_map(|output| match output {
        Output::Send { message: message @ Message::Transactions(_), .. } => Some(message.encode()),
        _ => None,
    })
}

/// The first `count` writes.
pub fn writes(count: u64) -> Vec<Write> {
    (0..count).map(local::write).collect()
}

/// What an engine is told of the time. Nothing here waits for a time, so one clock is enough for both.
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Time { wall_ms: ms, mono_ms: ms }
}
