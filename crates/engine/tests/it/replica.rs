//! An engine on a store in memory, driven by hand.

use anabranch_causality::{Kind, Origin, SessionId};
use anabranch_engine::mutant::Planted;
use anabranch_engine::store::{Space, Store};
use anabranch_engine::{Alarm, Change, Config, Engine, Output, Refusal, Time, Write, Written, query};
use anabranch_protocol::{Ack, Message, Role};
use anabranch_resolvers::{Operation, Registry};
use anabranch_store::MemoryStore;
use std::sync::Arc;

pub(crate) struct Replica {
    pub(crate) engine: Engine,
    pub(crate) store: MemoryStore,
    pub(crate) time: Time,
    pub(crate) registry: Arc<Registry>,
}

impl Replica {
    pub(crate) fn new(name: &str, origin: u64) -> Self {
        Self::open(name, origin, MemoryStore::new(), Registry::builtin())
    }

    pub(crate) fn follower(name: &str, origin: u64, leader: &str) -> Self {
        let config = Config { role: Role::Follower, leader: leader.into(), ..Config::new("shop", name, name) };
        Self::with(config, origin, MemoryStore::new(), Registry::builtin())
    }

    pub(crate) fn open(name: &str, origin: u64, store: MemoryStore, registry: Registry) -> Self {
        let config = Config { buffer_bytes: 20_000, ..Config::new("shop", name, name) };
        Self::with(config, origin, store, registry)
    }

    fn with(config: Config, origin: u64, store: MemoryStore, registry: Registry) -> Self {
        let registry = Arc::new(registry);
        let engine = Engine::open(config, registry.clone(), &store, Origin(origin), Planted::none());
        let time = Time { wall_ms: 1_700_000_000_000, mono_ms: 1_000 };
        let mut replica = Self { engine: engine.expect("an engine"), store, time, registry };
        replica.settle();
        replica
    }

    /// Opens the same store again.
    pub(crate) fn reopen(self, name: &str, origin: u64, registry: Registry) -> Self {
        Self::open(name, origin, self.store, registry)
    }

    /// Commits what was handled and takes all outputs.
    pub(crate) fn settle(&mut self) -> Vec<Output> {
        self.engine.seal();
        if !self.engine.batch().is_empty() {
            self.store.commit(self.engine.batch()).expect("a commit");
        }
        self.engine.committed(&self.store, self.time).expect("committed");
        std::iter::from_fn(|| self.engine.poll_output()).collect()
    }

    pub(crate) fn connect(&mut self, peer: &str, origin: u64) -> Vec<Output> {
        self.connect_as(peer, origin, Role::Leader)
    }

    pub(crate) fn connect_as(&mut self, peer: &str, origin: u64, role: Role) -> Vec<Output> {
        self.engine.handle_connected(self.time, peer, peer, role, Origin(origin));
        self.settle();
        let ack = Ack {
            shard: anabranch_causality::ShardId(0),
            vector: Default::default(),
            want: vec![],
            parked: vec![],
            rewind: false,
        };
        self.message(peer, Message::Ack(ack))
    }

    pub(crate) fn message(&mut self, peer: &str, message: Message) -> Vec<Output> {
        self.engine.handle_message(&self.store, self.time, peer, message).expect("handled");
        self.settle()
    }

    pub(crate) fn write(&mut self, write: &Write) -> Result<Written, Refusal> {
        self.engine.handle_write(&self.store, self.time, 7, write).expect("handled");
        let outputs = self.settle();
        let answer = outputs.into_iter().find_map(|output| match output {
            Output::Reply { ticket: 7, answer } => Some(answer),
            _ => None,
        });
        answer.expect("an answer")
    }

    /// Advances the clocks and lets the engine notice.
    pub(crate) fn pass(&mut self, ms: u64) -> Vec<Output> {
        self.time.wall_ms += ms;
        self.time.mono_ms += ms;
        self.engine.handle_tick(self.time);
        self.settle()
    }

    pub(crate) fn value(&self, collection: &str, key: &str) -> Option<serde_json::Value> {
        let found = self.engine.catalog().find(collection)?;
        let outcome = query::value(&self.registry, &self.store, found, key, None, usize::MAX).expect("a value");
        outcome.map(|outcome| outcome.value)
    }

    pub(crate) fn digest(&self) -> u64 {
        self.engine.status(self.time).digest
    }

    pub(crate) fn rows(&self) -> usize {
        self.store.len(Space::Rows)
    }
}

pub(crate) fn add(key: &str, n: i64) -> Change {
    operate("likes", Kind::PN_COUNTER, key, Operation::Add(n))
}

pub(crate) fn put(key: &str, value: &str) -> Change {
    operate("names", Kind::REGISTER, key, Operation::Put(value.into()))
}

pub(crate) fn operate(collection: &str, kind: Kind, key: &str, operation: Operation) -> Change {
    Change::Operate { collection: collection.into(), kind, key: key.into(), operation, context: None }
}

pub(crate) fn one(change: Change) -> Write {
    Write { changes: vec![change], key: None }
}

pub(crate) fn keyed(change: Change, counter: u64) -> Write {
    let mut id = [7; 16];
    id[..6].copy_from_slice(&1_700_000_000_000u64.to_be_bytes()[2..]);
    id[6] = 0x70;
    id[8] = 0x80;
    Write { changes: vec![change], key: Some((SessionId(id), counter)) }
}

/// The transactions that outputs send to a peer.
pub(crate) fn sent(outputs: &[Output], to: &str) -> Vec<Vec<u8>> {
    let list = outputs.iter().filter_map(|output| match output {
        Output::Send { peer, message: Message::Transactions(list) } if peer == to => Some(list.clone()),
        _ => None,
    });
    list.flatten().collect()
}

/// The last acknowledgement that outputs send to a peer.
pub(crate) fn acked(outputs: &[Output], to: &str) -> Option<Ack> {
    outputs.iter().rev().find_map(|output| match output {
        Output::Send { peer, message: Message::Ack(ack) } if peer == to => Some(ack.clone()),
        _ => None,
    })
}

pub(crate) fn disconnected(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Disconnect { .. }))
}

pub(crate) fn alarms(outputs: &[Output]) -> Vec<Alarm> {
    let alarm = |output: &Output| match output {
        Output::Alarm(alarm) => Some(alarm.clone()),
        _ => None,
    };
    outputs.iter().filter_map(alarm).collect()
}
