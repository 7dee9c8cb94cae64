//! A real engine on a store in memory, driven by hand: what the bodies that act are made of.

use anabranch_causality::{Kind, Origin, SessionId, Transaction};
use anabranch_engine::mutant::Planted;
use anabranch_engine::record::Record;
use anabranch_engine::store::{Read, StoreError};
use anabranch_engine::{Change, Config, Engine, Output, Refusal, Time, Write, Written};
use anabranch_protocol::{MAX_FRAME, Message, Role};
use anabranch_resolvers::{Operation, Registry};
use anabranch_store::MemoryStore;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

/// The wall clock when everything begins.
pub(crate) const START_MS: u64 = 1_700_000_000_000;
/// How much may wait for what it depends on.
pub(crate) const BUFFER: usize = 20_000;

/// What every node knows.
pub(crate) static REGISTRY: LazyLock<Arc<Registry>> = LazyLock::new(|| Arc::new(Registry::builtin()));

pub(crate) struct Replica {
    pub(crate) name: String,
    pub(crate) engine: Engine,
    pub(crate) store: MemoryStore,
    pub(crate) time: Time,
}

impl Replica {
    pub(crate) fn new(name: &str, origin: u64) -> Self {
        Self::try_open(name, origin, MemoryStore::new()).expect("an empty store opens")
    }

    pub(crate) fn try_open(name: &str, origin: u64, store: MemoryStore) -> Result<Self, StoreError> {
        let config = Config { buffer_bytes: BUFFER, window_bytes: 64 << 10, ..Config::new("shop", name, name) };
        let engine = Engine::open(config, REGISTRY.clone(), &store, Origin(origin), Planted::none())?;
        let time = Time { wall_ms: START_MS, mono_ms: 1_000 };
        Ok(Self { name: name.to_owned(), engine, store, time })
    }

    /// The process is gone, with what was not committed, and starts again under another origin.
    pub(crate) fn restart(self, origin: u64) -> Self {
        let Self { name, mut store, time, .. } = self;
        store.crash();
        let opened = Self::try_open(&name, origin, store).expect("what it wrote itself, it opens");
        Self { time, ..opened }
    }

    /// Commits what was handled, and takes all outputs.
    pub(crate) fn settle(&mut self) -> Vec<Output> {
        self.try_settle().expect("the store does not fail")
    }

    fn try_settle(&mut self) -> Result<Vec<Output>, StoreError> {
        self.engine.seal();
        if !self.engine.batch().is_empty() {
            self.store.write(self.engine.batch())?;
            self.store.sync()?;
        }
        self.engine.committed(&self.store, self.time)?;
        Ok(std::iter::from_fn(|| self.engine.poll_output()).collect())
    }

    pub(crate) fn connect(&mut self, peer: &str, origin: Origin) {
        self.engine.handle_connected(self.time, peer, peer, Role::Leader, origin);
    }

    /// A message, not committed yet.
    pub(crate) fn take(&mut self, peer: &str, message: Message) {
        self.engine.handle_message(&self.store, self.time, peer, message).expect("the store is sound");
    }

    /// A write, on disk.
    pub(crate) fn write(&mut self, write: &Write) -> (Result<Written, Refusal>, Vec<Output>) {
        self.engine.handle_write(&self.store, self.time, 1, write).expect("the store is sound");
        let mut answer = None;
        let mut rest = self.settle();
        rest.retain(|output| match output {
            Output::Reply { ticket: 1, answer: found } => {
                answer = Some(found.clone());
                false
            }
            _ => true,
        });
        (answer.expect("a write is answered"), rest)
    }

    /// A write on a store that may be damaged.
    pub(crate) fn try_write(&mut self, change: &Change) -> Result<Vec<Output>, StoreError> {
        let write = Write { changes: vec![change.clone()], key: None };
        self.engine.handle_write(&self.store, self.time, 1, &write)?;
        self.try_settle()
    }

    /// Time passes.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.time.wall_ms += ms;
        self.time.mono_ms += ms;
        self.engine.handle_tick(self.time);
    }

    pub(crate) fn digest(&self) -> u64 {
        self.engine.status(self.time).digest
    }

    /// The transactions in its log, in the order in which it applied them.
    pub(crate) fn log(&self) -> Vec<(Transaction, Vec<u8>)> {
        let mut all = Vec::new();
        let read = self.store.log(0, &mut |_, bytes| {
            let record = Record::decode(bytes).expect("what it wrote itself, it reads");
            let transaction = record.decode_transaction().expect("what it applied, it reads");
            all.push((transaction, record.transaction.to_vec()));
            ControlFlow::Continue(())
        });
        read.expect("the store does not fail");
        all
    }
}

/// The frame of a message, which must be one.
pub(crate) fn frame(message: &Message) -> Vec<u8> {
    let bytes = message.encode();
    assert!(bytes.len() <= MAX_FRAME, "a frame of {} bytes", bytes.len());
    assert_eq!(Message::decode(&bytes).as_ref(), Ok(message), "what it sends, others can read");
    bytes
}

/// A change of the sum of `key`.
pub(crate) fn add(key: &str, n: i64) -> Change {
    operate("likes", Kind::PN_COUNTER, key, Operation::Add(n))
}

pub(crate) fn operate(collection: &str, kind: Kind, key: &str, operation: Operation) -> Change {
    Change::Operate { collection: collection.into(), kind, key: key.into(), operation, context: None }
}

/// A session that began when everything did.
pub(crate) fn session(number: u8) -> SessionId {
    let mut id = [number; 16];
    id[..6].copy_from_slice(&START_MS.to_be_bytes()[2..]);
    id[6] = 0x70;
    id[8] = 0x80;
    SessionId(id)
}
