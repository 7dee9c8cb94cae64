//! The engine: one replica as a state machine.

use crate::freshness::Seen;
use crate::incoming::{Incoming, Waiting};
use crate::memos::Memos;
use crate::mutant::{Mutant, Planted};
use crate::outgoing::Outgoing;
use crate::places::Places;
use crate::relay::Relays;
use crate::sessions::Sessions;
use crate::state::{CHECKPOINT_EVERY, State};
use crate::store::{Batch, Read, Space, StoreError};
use crate::tail::{Entry, Tail};
use crate::time::Time;
use crate::view::Layered;
use crate::write::{Refusal, Written};
use crate::{keys, status};
use anabranch_causality::{Dot, Effect, HlcClock, Origin, ShardId, VersionVector};
use anabranch_protocol::{Ack, Message, Role};
use anabranch_resolvers::Registry;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// A batch of so many bytes of transactions is worth a sync of its own. What is synced at once holds up whoever shares the disk,
/// and what a peer catches up with comes in batches as large as they may be.
const FULL_BATCH: usize = 1 << 20;

/// What an engine is told of itself, and its limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster's name.
    pub cluster: String,
    /// This node's region.
    pub region: String,
    /// This node's name.
    pub node: String,
    /// What it does in its region. A follower applies everything and writes nothing of its own.
    pub role: Role,
    /// The node to which a follower passes writes; empty for a leader.
    pub leader: String,
    /// The shard.
    pub shard: ShardId,
    /// How far a peer may push our clock, and how far ours may be ahead of the others', in milliseconds.
    pub max_clock_skew_ms: u64,
    /// The most bytes that one peer is sent ahead of its acknowledgement.
    pub window_bytes: usize,
    /// The most bytes of transactions that wait for what they depend on.
    pub buffer_bytes: usize,
    /// The time between heartbeats, in milliseconds.
    pub heartbeat_ms: u64,
    /// How long an origin may make no progress before another peer is asked for it, in milliseconds.
    pub relay_after_ms: u64,
}

impl Config {
    /// The defaults, for a node of that name.
    #[must_use]
    pub fn new(cluster: impl Into<String>, region: impl Into<String>, node: impl Into<String>) -> Self {
        Self {
            cluster: cluster.into(),
            region: region.into(),
            node: node.into(),
            role: Role::Leader,
            leader: String::new(),
            shard: ShardId(0),
            max_clock_skew_ms: 500,
            window_bytes: 4 << 20,
            buffer_bytes: 16 << 20,
            heartbeat_ms: 500,
            relay_after_ms: 2_000,
        }
    }
}

/// One replica as a state machine: no clock, no randomness, no threads, no input or output.
///
/// **The contract.** Call any number of `handle_*`; then, if [`Engine::batch`] is not empty, commit it to the store that
/// was passed in; then call [`Engine::committed`]; then take outputs from [`Engine::poll_output`] until there are none.
/// Nothing that the batch contains is in any output before `committed`: *durable before visible*. After an error, of the
/// store or from a method, drop the engine and open it again.
///
/// ```text
/// loop {
///     engine.handle_…(&store, time, …)?;            // as many as there are
///     engine.seal();
///     if !engine.batch().is_empty() { store.commit(engine.batch())?; }
///     engine.committed(&store, time)?;
///     while let Some(output) = engine.poll_output() { … }
/// }
/// ```
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) registry: Arc<Registry>,
    pub(crate) planted: Planted,
    pub(crate) state: State,
    pub(crate) origin: Origin,
    pub(crate) own_seq: u64,
    pub(crate) clock: HlcClock,
    /// What others' transactions were applied since our last one.
    pub(crate) changed: VersionVector,
    pub(crate) batch: Batch,
    pub(crate) sessions: Sessions,
    pub(crate) memos: Memos,
    pub(crate) checkpoint_due: bool,
    /// The row from which on the index of conflicts has yet to be made.
    pub(crate) indexing: Option<Vec<u8>>,
    pub(crate) fresh: Vec<(u64, Dot, Vec<u8>)>,
    pub(crate) fresh_bytes: usize,
    /// Of the last transaction that was applied: memory for the next.
    pub(crate) spare: Vec<Effect>,
    pub(crate) gated: Vec<Output>,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) durable: VersionVector,
    pub(crate) durable_index: u64,
    pub(crate) tail: Tail,
    pub(crate) places: Places,
    pub(crate) peers: BTreeMap<String, Peer>,
    pub(crate) seen: BTreeMap<String, Seen>,
    /// Grows whenever what peers acknowledged changes.
    pub(crate) acks_version: u64,
    pub(crate) waiting: Waiting,
    pub(crate) relays: Relays,
    pub(crate) parked_origins: BTreeMap<Origin, String>,
    pub(crate) alarmed: BTreeSet<(String, Option<u16>)>,
    pub(crate) skewed: BTreeSet<String>,
    pub(crate) stamped_ahead: BTreeSet<Origin>,
    pub(crate) heartbeat_at_ms: u64,
    pub(crate) heartbeat_due: bool,
    pub(crate) next_bucket: u16,
    pub(crate) counters: status::Counters,
}

/// A peer that is connected.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) region: String,
    pub(crate) role: Role,
    pub(crate) origin: Origin,
    pub(crate) incoming: Incoming,
    pub(crate) outgoing: Outgoing,
}

/// What the engine wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a message to a connected peer.
    Send {
        /// The peer's name.
        peer: String,
        /// The message.
        message: Message,
    },
    /// Answer a write.
    Reply {
        /// What [`Engine::handle_write`] was called with.
        ticket: u64,
        /// The answer.
        answer: Result<Written, Refusal>,
    },
    /// Close the connection to a peer that does not follow the protocol, and call [`Engine::handle_disconnected`].
    Disconnect {
        /// The peer's name.
        peer: String,
        /// Why.
        reason: String,
    },
    /// Something that a person should know, once per episode.
    Alarm(Alarm),
}

/// Something that a person should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    /// Two replicas that hold the same transactions hold different rows.
    #[error("digest mismatch with {peer}{}: equal transactions, different rows", bucket_text(*bucket))]
    DigestMismatch {
        /// The peer.
        peer: String,
        /// The bucket of keys in which they differ, when it is known.
        bucket: Option<u16>,
    },
    /// A transaction's stamp is beyond the limit for clocks. It was applied.
    #[error("a stamp of origin {origin} is {ahead_ms} ms beyond the limit for clock skew")]
    StampAhead {
        /// The origin.
        origin: Origin,
        /// By how much.
        ahead_ms: u64,
    },
    /// A peer's clock and ours differ by more than the limit.
    #[error("the clock of {peer} differs from ours by {ahead_ms} ms")]
    ClockSkew {
        /// The peer.
        peer: String,
        /// How far it is ahead of ours; negative when behind.
        ahead_ms: i64,
    },
    /// Transactions of an origin cannot be read: none of it is applied until this node is restarted.
    #[error("origin {origin} is parked: {reason}")]
    OriginParked {
        /// The origin.
        origin: Origin,
        /// Why.
        reason: String,
    },
    /// A peer knows more of our current origin than we wrote.
    #[error("{peer} has number {seq} of our origin, of which we wrote {own}")]
    OwnOriginAhead {
        /// The peer.
        peer: String,
        /// What it has.
        seq: u64,
        /// What we wrote.
        own: u64,
    },
}

fn bucket_text(bucket: Option<u16>) -> String {
    bucket.map_or_else(String::new, |bucket| format!(" in bucket {bucket}"))
}

/// A refusal of the client's request, or a failure of the store.
pub(crate) enum Failure {
    Refused(Refusal),
    Store(StoreError),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Engine {
    /// Opens the replica that `store` holds. `origin` must be 64 random bits, drawn anew for every opening: under it
    /// this opening writes, if it does.
    ///
    /// # Errors
    /// [`StoreError`] when the store fails, contradicts itself, or belongs to another cluster or node.
    pub fn open(
        config: Config,
        registry: Arc<Registry>,
        store: &dyn Read,
        origin: Origin,
        planted: Planted,
    ) -> Result<Self, StoreError> {
        let state = State::load(store)?;
        let clock = HlcClock::new(state.hlc, config.max_clock_skew_ms);
        let mut engine = Self {
            durable: state.vector.clone(),
            durable_index: state.next_index,
            config,
            registry,
            planted,
            state,
            origin,
            own_seq: 0,
            clock,
            changed: VersionVector::new(),
            batch: Batch::default(),
            sessions: Sessions::default(),
            memos: Memos::default(),
            checkpoint_due: false,
            indexing: None,
            fresh: Vec::new(),
            fresh_bytes: 0,
            spare: Vec::new(),
            gated: Vec::new(),
            outputs: VecDeque::new(),
            tail: Tail::default(),
            places: Places::default(),
            peers: BTreeMap::new(),
            seen: BTreeMap::new(),
            acks_version: 0,
            waiting: Waiting::default(),
            relays: Relays::default(),
            parked_origins: BTreeMap::new(),
            alarmed: BTreeSet::new(),
            skewed: BTreeSet::new(),
            stamped_ahead: BTreeSet::new(),
            heartbeat_at_ms: 0,
            heartbeat_due: false,
            next_bucket: 0,
            counters: status::Counters::default(),
        };
        engine.claim(store)?;
        engine.load_resolvers(store)?;
        engine.load_parked(store)?;
        engine.load_index(store)?;
        if planted.is(Mutant::ForgetActors) {
            store.scan(Space::Actors, &[], &[], &mut |key, _| {
                engine.batch.rows.insert((Space::Actors, key.to_vec()), None);
                std::ops::ControlFlow::Continue(())
            })?;
        }
        if planted.is(Mutant::ReuseSequence)
            && let Some(last) = engine.state.last_origin
        {
            engine.origin = last;
            engine.own_seq = engine.state.vector.get(last);
        }
        Ok(engine)
    }

    /// The data directory belongs to one node of one cluster, for ever. A node without a name claims nothing yet.
    fn claim(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        if self.config.cluster.is_empty() {
            return Ok(());
        }
        let identity = format!("{}\n{}\n{}", self.config.cluster, self.config.region, self.config.node);
        let claimed = Layered::new(store, &self.batch).get(Space::Meta, keys::meta::IDENTITY)?;
        match claimed {
            None => {
                let key = (Space::Meta, keys::meta::IDENTITY.to_vec());
                self.batch.rows.insert(key, Some(identity.into_bytes()));
                Ok(())
            }
            Some(found) if found == identity.as_bytes() => Ok(()),
            Some(found) => {
                let show = |text: &str| text.replace('\n', "/");
                let found = show(&String::from_utf8_lossy(&found));
                let what = format!("it belongs to {found} (cluster/region/node), not to {}", show(&identity));
                Err(StoreError::new(crate::store::StoreErrorKind::Foreign, what))
            }
        }
    }

    /// Gives a replica that was opened without a name its name: see [`Engine::open`].
    ///
    /// # Errors
    /// [`StoreError`] when the data directory belongs to another node.
    pub fn adopt(&mut self, store: &dyn Read, cluster: &str, region: &str, node: &str) -> Result<(), StoreError> {
        let before = self.config.clone();
        (self.config.cluster, self.config.region, self.config.node) = (cluster.into(), region.into(), node.into());
        self.claim(store).inspect_err(|_| self.config = before)
    }

    /// Whose data a store holds: cluster, region, node; `None` when nobody claimed it.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn owner(store: &dyn Read) -> Result<Option<(String, String, String)>, StoreError> {
        let Some(bytes) = store.get(Space::Meta, keys::meta::IDENTITY)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| StoreError::corrupt("the identity is not UTF-8"))?;
        match text.split('\n').collect::<Vec<_>>()[..] {
            [cluster, region, node] => Ok(Some((cluster.into(), region.into(), node.into()))),
            _ => Err(StoreError::corrupt("the identity is not three names")),
        }
    }

    /// Messages of a connected peer could not be taken: it is asked to send them again.
    pub fn handle_lost(&mut self, peer: &str) {
        if let Some(found) = self.peers.get_mut(peer) {
            found.incoming.rewind_due = true;
        }
    }

    /// The origin under which this opening writes.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether the batch has grown so large that it should be committed before more is handled.
    #[must_use]
    pub fn wants_commit(&self) -> bool {
        self.batch.rows.len() > 50_000 || self.fresh_bytes > FULL_BATCH
    }

    /// Whether there is more to send than one turn allowed: call [`Engine::committed`] again soon.
    #[must_use]
    pub fn wants_turn(&self) -> bool {
        !self.is_indexed() || self.peers.values().any(|peer| peer.outgoing.more)
    }

    /// Completes the batch with what is written once per batch. Call before taking [`Engine::batch`].
    pub fn seal(&mut self) {
        if self.batch.is_empty() && !self.checkpoint_due {
            return;
        }
        self.state.hlc = self.clock.last();
        let clocks = self.state.clocks();
        if !(self.planted.is(Mutant::ClocksApart) && self.batch.log.len() > 1) {
            self.batch.rows.insert((Space::Meta, keys::meta::CLOCKS.to_vec()), Some(clocks));
        }
        if self.checkpoint_due || self.state.next_index - self.state.checkpoint >= CHECKPOINT_EVERY {
            self.state.checkpoint = self.state.next_index;
            self.checkpoint_due = false;
            let digest = self.state.digest_row();
            self.batch.rows.insert((Space::Meta, keys::meta::DIGEST.to_vec()), Some(digest));
        }
    }

    /// What is to be committed, atomically, before [`Engine::committed`].
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Asks for the digest to be written whole with the next batch, so that the next opening replays nothing.
    pub fn request_checkpoint(&mut self) {
        self.checkpoint_due |= self.state.checkpoint != self.state.next_index;
    }

    /// The batch is on disk: releases what waited for it, acknowledges to peers, sends them what they lack.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub fn committed(&mut self, store: &dyn Read, time: Time) -> Result<(), StoreError> {
        self.batch.log.clear();
        self.batch.rows.clear();
        for (index, dot, bytes) in self.fresh.drain(..) {
            if dot.origin == self.origin {
                self.places.note(dot.seq, index);
            }
            self.tail.push(Entry { index, dot, bytes });
        }
        self.fresh_bytes = 0;
        self.outputs.extend(std::mem::take(&mut self.gated));
        self.index_more(store)?;
        if self.durable_index != self.state.next_index {
            self.durable.clone_from(&self.state.vector);
            self.durable_index = self.state.next_index;
            self.settle_claims();
        }
        self.choose_suppliers(time);
        if std::mem::take(&mut self.heartbeat_due) {
            self.send_heartbeats(time);
        }
        for peer in self.nearest_first() {
            self.acknowledge(&peer, time);
            self.pump(store, &peer)?;
        }
        Ok(())
    }

    /// The connected peers. Who has been sent the most comes first: reading the log for the others takes its time.
    fn nearest_first(&self) -> Vec<String> {
        let mut peers: Vec<_> = self.peers.iter().map(|(name, peer)| (Reverse(peer.outgoing.cursor()), name)).collect();
        peers.sort_unstable();
        peers.into_iter().map(|(_, name)| name.clone()).collect()
    }

    fn acknowledge(&mut self, name: &str, time: Time) {
        let drained = self.waiting.count == 0;
        let want = self.relays.wanted_of(name);
        let parked = self.parked_origins.keys().copied().collect();
        let Some(peer) = self.peers.get_mut(name) else { return };
        // What was dropped is asked for again when there is room: else it would only be dropped again.
        let may_rewind = time.mono_ms >= peer.incoming.rewind_at_ms;
        let rewind = peer.incoming.rewind_due && may_rewind && (drained || peer.incoming.ack_due);
        if !(std::mem::take(&mut peer.incoming.ack_due) || rewind) {
            return;
        }
        if rewind {
            peer.incoming.rewind_due = false;
            peer.incoming.rewind_at_ms = time.mono_ms + self.config.heartbeat_ms;
        }
        // A peer that never saw an origin does not know what that one implies, and could not ask for it.
        let vector = self.state.lineages.compact_for(&self.durable, &peer.outgoing.acked);
        let ack = Ack { shard: self.config.shard, vector, want, parked, rewind };
        self.outputs.push_back(Output::Send { peer: name.to_owned(), message: Message::Ack(ack) });
    }

    /// The next thing to do, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    pub(crate) fn alarm(&mut self, alarm: Alarm) {
        self.outputs.push_back(Output::Alarm(alarm));
    }
}
