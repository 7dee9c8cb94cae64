//! One node: the real engine over a disk that can forget, and what the simulator knows of both.

use crate::builds::Build;
use crate::ledger::Ledger;
use crate::travellers::Waiting;
use anabranch_causality::Origin;
use anabranch_engine::store::Read;
use anabranch_engine::{Config, Engine};
use anabranch_protocol::{Hello, Role};
use anabranch_store::{Image, MemoryStore};
use std::collections::{BTreeMap, VecDeque};

/// The cluster's name.
pub(crate) const CLUSTER: &str = "sim";

/// A point of a node's work at which it can stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Something was handled, nothing is sealed.
    Handled,
    /// The batch is sealed, nothing is written.
    Sealed,
    /// Written, not synced.
    Written,
    /// Synced; the engine does not know.
    Synced,
    /// The engine knows, and so many of its outputs were carried out.
    Outputs(usize),
}

/// What comes in to a node.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Tick,
    Connected { peer: usize, connection: u64, hello: Vec<u8> },
    Lost { peer: usize, connection: u64 },
    Frame { peer: usize, connection: u64, frame: Vec<u8> },
    Write { ticket: u64 },
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Post {
    Leader,
    /// Passes writes on to that node.
    Follower(usize),
}

/// A failure that was planted in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreFault {
    None,
    Armed,
}

/// A node and its disk.
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) post: Post,
    pub(crate) config: Config,
    pub(crate) store: MemoryStore,
    /// `None` while it is down.
    pub(crate) engine: Option<Engine>,
    /// How often it was started: what was decided about an earlier life does not concern this one.
    pub(crate) life: u64,
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) turn_due: bool,
    /// The connections that it knows of.
    pub(crate) peers: BTreeMap<usize, u64>,
    /// How far its wall clock is off, in milliseconds.
    pub(crate) skew_ms: i64,
    /// What was applied, on disk or not.
    pub(crate) ledger: Ledger,
    /// How much of the ledger is on disk.
    pub(crate) durable: usize,
    /// How much of it there was when the digest was last compared.
    pub(crate) compared: usize,
    pub(crate) durable_vector: anabranch_causality::VersionVector,
    /// How many records of the batch the simulator has looked at.
    pub(crate) watched: usize,
    pub(crate) stop_at: Option<Point>,
    pub(crate) store_fault: StoreFault,
    /// Earlier states of the disk.
    pub(crate) images: Vec<Image>,
    /// Put the disk back to this state before the next start.
    pub(crate) roll_back: Option<Image>,
    /// How often its disk was put back.
    pub(crate) put_back: u32,
    /// What waits until it has applied a token.
    pub(crate) waiting: Vec<Waiting>,
    /// After starting, be alone for so long.
    pub(crate) alone_ms: u64,
    /// Its wall clock stands still at this.
    pub(crate) frozen_ms: Option<u64>,
    /// Until then each turn takes up to so much longer.
    pub(crate) slow: (u64, u64),
    /// Until then its disk is full.
    pub(crate) full_until: u64,
    /// How often it crashes again while it recovers.
    pub(crate) crash_again: u32,
    /// When it started.
    pub(crate) started: u64,
    pub(crate) build: Build,
    /// Its data directory is a copy of that node's, as it was when it was copied.
    pub(crate) copy_of: Option<usize>,
    /// It has written something, since it was copied if it was.
    pub(crate) wrote: bool,
    /// It was thrown away.
    pub(crate) is_gone: bool,
}

fn node_name(index: usize) -> String {
    format!("node-{index}")
}

impl Node {
    pub(crate) fn new(index: usize, post: Post, window_bytes: usize, buffer_bytes: usize) -> Self {
        let name = node_name(index);
        // Every other follower is in a region of its own.
        let region = match post {
            Post::Follower(leader) if index.is_multiple_of(2) => leader,
            _ => index,
        };
        let mut config = Config::new(CLUSTER, format!("region-{region}"), name.clone());
        config.window_bytes = window_bytes;
        config.buffer_bytes = buffer_bytes;
        if let Post::Follower(leader) = post {
            (config.role, config.leader) = (Role::Follower, node_name(leader));
        }
        let store = MemoryStore::new();
        Self {
            name,
            post,
            config,
            images: vec![store.image()],
            store,
            engine: None,
            life: 0,
            inbox: VecDeque::new(),
            turn_due: false,
            peers: BTreeMap::new(),
            skew_ms: 0,
            ledger: Ledger::default(),
            durable: 0,
            compared: 0,
            durable_vector: Default::default(),
            watched: 0,
            stop_at: None,
            store_fault: StoreFault::None,
            roll_back: None,
            put_back: 0,
            waiting: Vec::new(),
            alone_ms: 0,
            frozen_ms: None,
            slow: (0, 0),
            full_until: 0,
            crash_again: 0,
            started: 0,
            build: Build::Newest,
            copy_of: None,
            wrote: false,
            is_gone: false,
        }
    }

    /// Nothing is wrong with it any more. That it is down is another matter.
    pub(crate) fn heal(&mut self) {
        self.skew_ms = 0;
        self.frozen_ms = None;
        self.slow = (0, 0);
        self.full_until = 0;
        self.crash_again = 0;
        self.stop_at = None;
        if self.store_fault == StoreFault::Armed {
            // Between turns all is synced: this forgets the fault and nothing else.
            self.store.crash();
            self.store_fault = StoreFault::None;
        }
    }

    /// Whether it runs.
    pub(crate) fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    /// The engine and the store to show it, while it runs.
    pub(crate) fn parts(&mut self) -> Option<(&mut Engine, &dyn Read)> {
        let Self { engine, store, .. } = self;
        engine.as_mut().map(|engine| (engine, store as &dyn Read))
    }

    /// Its first message on a connection.
    pub(crate) fn hello(&self) -> Vec<u8> {
        let origin = self.engine.as_ref().map_or(Origin(0), Engine::origin);
        let (cluster, region, node) =
            (self.config.cluster.clone(), self.config.region.clone(), self.config.node.clone());
        Hello { cluster, region, node, role: self.config.role, origin }.encode()
    }

    /// Whether a collection is parked here: then its digest is not that of what it has applied.
    pub(crate) fn has_parked(&self) -> bool {
        let mut parked = self.engine.iter().flat_map(|engine| engine.catalog().iter());
        parked.any(|found| found.parked.is_some())
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.post == Post::Leader
    }

    /// Its name in histories: another one each time its disk was put back, and for a copy.
    pub(crate) fn label(&self) -> String {
        let copy = if self.copy_of.is_some() { " (copy)" } else { "" };
        format!("{}{copy}+{}", self.name, self.put_back)
    }

    /// The process is gone, with all that was not synced.
    pub(crate) fn stop(&mut self) {
        self.engine = None;
        self.store.crash();
        self.inbox.clear();
        self.waiting.clear();
        self.peers.clear();
        self.turn_due = false;
        self.watched = 0;
        self.stop_at = None;
        self.store_fault = StoreFault::None;
    }
}
