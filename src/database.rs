//! A database: opening, closing, writing, looking.

use crate::conflicts::{ConflictWatch, Held};
use crate::driver::{self, AckLevel, Command, Members, Metrics, Opened, Published, Queue};
use crate::error::{NotAcknowledged, OpenError, WaitError, WriteError};
use crate::session::Session;
use crate::transaction::Tx;
use crate::view::View;
use crate::watch::Watch;
use anabranch_causality::{Dot, Token};
use anabranch_engine::store::StoreError;
use anabranch_engine::{Change, Config, Engine, Role, Status, Write, Written};
use anabranch_resolvers::{NameTaken, Registry, Resolver};
use anabranch_store::{DiskStore, MemoryStore, Options};
use arc_swap::ArcSwap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

/// A replica of the data, open. Cloning gives another handle to the same one; when the last is dropped, it is closed.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    names: ArcSwap<Names>,
    leader: Option<String>,
    queue: Arc<Queue>,
    published: Arc<Published>,
    metrics: Arc<Metrics>,
    writer: ThreadId,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// Who a replica is. Empty names: nobody yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The cluster.
    pub cluster: String,
    /// The region.
    pub region: String,
    /// The node, unique in the cluster.
    pub node: String,
}

/// How a database is opened.
#[derive(Clone, Debug)]
pub struct Builder {
    names: Option<Names>,
    leader: Option<String>,
    max_clock_skew: Duration,
    window_bytes: usize,
    store: Options,
    registry: Registry,
}

impl Default for Builder {
    fn default() -> Self {
        let config = Config::new("", "", "");
        Self {
            names: None,
            leader: None,
            max_clock_skew: Duration::from_millis(config.max_clock_skew_ms),
            window_bytes: config.window_bytes,
            store: Options::default(),
            registry: Registry::builtin(),
        }
    }
}

impl Builder {
    /// Who this replica is. A data directory belongs to one node for ever; without this call, to the node that it
    /// already belongs to, or to nobody yet.
    #[must_use]
    pub fn names(mut self, cluster: &str, region: &str, node: &str) -> Self {
        self.names = Some(Names { cluster: cluster.into(), region: region.into(), node: node.into() });
        self
    }

    /// Makes it a follower of the node of that name: it applies everything and serves reads; writes are refused, for that
    /// node takes them.
    #[must_use]
    pub fn follower_of(mut self, leader: &str) -> Self {
        self.leader = Some(leader.to_owned());
        self
    }

    /// How far a peer may push our clock, and how far ours may be ahead of the others'. Default 500 ms.
    #[must_use]
    pub fn max_clock_skew(mut self, limit: Duration) -> Self {
        self.max_clock_skew = limit;
        self
    }

    /// The most bytes that one peer is sent ahead of its acknowledgement. Default 4 MiB.
    #[must_use]
    pub fn window_bytes(mut self, bytes: usize) -> Self {
        self.window_bytes = bytes;
        self
    }

    /// Adds a resolver of one's own to those that are built in: see [`crate::resolvers::Custom`] for a function over the
    /// versions of a register, and [`crate::resolvers::Resolver`] for more. All replicas should know the same; one that does
    /// not parks the collection, and catches up when it is opened with it.
    ///
    /// # Errors
    /// [`NameTaken`] when there is one of that name.
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Result<Self, NameTaken> {
        self.registry.register(resolver)?;
        Ok(self)
    }

    /// How the store works. See [`Options`].
    #[must_use]
    pub fn store(mut self, options: Options) -> Self {
        self.store = options;
        self
    }

    /// Opens the database in that directory, which is made if need be.
    ///
    /// # Errors
    /// [`OpenError`]: the directory is in use, holds something else, belongs to another node, or cannot be read.
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Database, OpenError> {
        let store = DiskStore::open_with(dir.as_ref(), self.store)?;
        self.start(store).map_err(|error| match error {
            // What is wrong with the content of a store says nothing of where that is.
            OpenError::Store(StoreError { kind, what }) => {
                StoreError::new(kind, format!("{}: {what}", dir.as_ref().display())).into()
            }
            other => other,
        })
    }

    /// Opens an empty database in memory: for tests and examples. It is gone when it is closed.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_in_memory(self) -> Result<Database, OpenError> {
        self.start(MemoryStore::new())
    }

    fn start<S: anabranch_engine::store::Store + 'static>(self, store: S) -> Result<Database, OpenError> {
        let owner = Engine::owner(&store)?;
        let owner = owner.map(|(cluster, region, node)| Names { cluster, region, node });
        let names = self.names.or(owner).unwrap_or_default();
        let config = Config {
            max_clock_skew_ms: self.max_clock_skew.as_millis() as u64,
            window_bytes: self.window_bytes,
            role: if self.leader.is_some() { Role::Follower } else { Role::Leader },
            leader: self.leader.clone().unwrap_or_default(),
            ..Config::new(&*names.cluster, &*names.region, &*names.node)
        };
        let Opened { queue, published, metrics, thread } = driver::open(store, config, Arc::new(self.registry))?;
        let (names, writer, thread) = (ArcSwap::from_pointee(names), thread.thread().id(), Mutex::new(Some(thread)));
        let leader = self.leader;
        Ok(Database { inner: Arc::new(Inner { names, leader, queue, published, metrics, writer, thread }) })
    }
}

impl Database {
    /// Opens the database in that directory, which is made if need be. Needs no network and no configuration.
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder().open(dir)
    }

    /// Opens with settings of one's own.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Who this replica is.
    #[must_use]
    pub fn names(&self) -> Arc<Names> {
        self.inner.names.load_full()
    }

    /// What it does in its region.
    #[must_use]
    pub fn role(&self) -> Role {
        if self.inner.leader.is_some() { Role::Follower } else { Role::Leader }
    }

    /// The node that takes this one's writes, when it is a follower.
    #[must_use]
    pub fn leader(&self) -> Option<&str> {
        self.inner.leader.as_deref()
    }

    /// The other members of the cluster, as far as this replica knows them, and what each has on disk.
    #[must_use]
    pub fn members(&self) -> Arc<Members> {
        self.inner.published.members().borrow().clone()
    }

    /// As [`Database::members`], and each change of it.
    #[must_use]
    pub fn subscribe_members(&self) -> tokio::sync::watch::Receiver<Arc<Members>> {
        self.inner.published.members()
    }

    /// Returns when a write that is on disk here is also where `level` says. Needs a tokio runtime for its timer.
    ///
    /// # Errors
    /// [`NotAcknowledged`] at the deadline, or when too many wait already: the write stays, and replicates.
    pub async fn acknowledged(&self, dot: Dot, level: AckLevel, deadline: Instant) -> Result<(), NotAcknowledged> {
        if level == AckLevel::Local {
            return Ok(());
        }
        // Rare and large: in a box of its own, it makes no write's task large.
        Box::pin(self.acknowledged_by_others(dot, level, deadline)).await
    }

    async fn acknowledged_by_others(
        &self,
        dot: Dot,
        level: AckLevel,
        deadline: Instant,
    ) -> Result<(), NotAcknowledged> {
        let region = self.names().region.clone();
        let mut members = self.inner.published.members();
        let refusal = |members: &Members| {
            let regions = driver::holding_regions(members, &region, dot);
            NotAcknowledged { regions: regions.into_iter().map(str::to_owned).collect() }
        };
        if driver::suffices(level, &members.borrow(), &region, dot) {
            return Ok(());
        }
        let Ok(_place) = self.inner.published.acknowledgements.try_acquire() else {
            return Err(refusal(&members.borrow()));
        };
        let reached = members.wait_for(|members| driver::suffices(level, members, &region, dot));
        let in_time = tokio::time::timeout_at(deadline.into(), reached).await.is_ok_and(|reached| reached.is_ok());
        if in_time { Ok(()) } else { Err(refusal(&members.borrow())) }
    }

    /// Whether the region has a follower, connected or not, as far as is known.
    #[must_use]
    pub fn has_follower(&self) -> bool {
        let region = &self.names().region;
        self.members().iter().any(|(_, member)| driver::is_follower(member, region))
    }

    /// The state after the last commit.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        self.inner.published.view()
    }

    /// The first state that has all that the token names, waiting at most `timeout` for it.
    ///
    /// # Errors
    /// [`WaitError`]: it did not come in time. Never a state that has less.
    pub fn view_at(&self, token: &Token, timeout: Duration) -> Result<Arc<View>, WaitError> {
        self.inner.published.reach(token, Instant::now() + timeout)
    }

    /// As [`Database::view_at`], costing no thread. Needs a tokio runtime for its timer.
    ///
    /// # Errors
    /// As [`Database::view_at`].
    pub async fn view_at_async(&self, token: &Token, deadline: Instant) -> Result<Arc<View>, WaitError> {
        self.inner.published.reach_async(token, deadline).await
    }

    /// Hears of every new state: the log index after its last transaction; `u64::MAX` once the database is closed.
    #[must_use]
    pub fn subscribe(&self) -> tokio::sync::watch::Receiver<u64> {
        self.inner.published.subscribe()
    }

    /// The token of the state after the last commit, as text for other replicas of the cluster.
    #[must_use]
    pub fn token(&self) -> String {
        self.view().token().encode(&self.names().cluster)
    }

    /// A session: reads and writes that never see time run backwards, here and, with its token, elsewhere.
    #[must_use]
    pub fn session(&self) -> Session {
        Session::new(self.clone())
    }

    /// Carries on a session that was saved, here or at another replica, with [`Session::save`].
    ///
    /// # Errors
    /// [`anabranch_session::SaveError`] for a text that is no session, or another cluster's.
    pub fn resume(&self, text: &str) -> Result<Session, anabranch_session::SaveError> {
        Session::resume(self.clone(), text)
    }

    /// Writes all that `build` does in one atomic transaction: all or nothing, in order.
    ///
    /// # Errors
    /// What `build` returns, or [`WriteError`].
    pub fn write<R>(&self, build: impl FnOnce(&Tx) -> Result<R, WriteError>) -> Result<R, WriteError> {
        let tx = Tx::new(self.clone());
        let result = build(&tx)?;
        let changes = tx.into_changes();
        if !changes.is_empty() {
            self.apply_whole(Write { changes, key: None })?;
        }
        Ok(result)
    }

    /// As [`Database::apply`]; an operation that takes away more rows than one transaction may name takes several. Returns
    /// the first, and the last one's dot.
    pub(crate) fn apply_whole(&self, write: Write) -> Result<(Written, Dot), WriteError> {
        let first = self.apply(write.clone())?;
        let removes = |change: &Change| matches!(change, Change::Operate { operation, .. } if operation.only_removes());
        let (mut last, mut more) = (first.dot, first.incomplete && write.changes.iter().all(removes));
        while more {
            let written = self.apply(Write { key: None, ..write.clone() })?;
            (last, more) = (written.dot, written.incomplete);
        }
        Ok((first, last))
    }

    /// Writes, and waits until it is on disk.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn apply(&self, write: Write) -> Result<Written, WriteError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.submit(write, move |answer| {
            // Nobody waits any more: the answer is lost, the write is not.
            let _ = sender.send(answer);
        });
        receiver.recv().unwrap_or(Err(WriteError::Closed))
    }

    /// As [`Database::apply`], without blocking a thread.
    ///
    /// # Errors
    /// [`WriteError`].
    pub async fn apply_async(&self, write: Write) -> Result<Written, WriteError> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        self.submit(write, move |answer| {
            // As above.
            let _ = sender.send(answer);
        });
        receiver.await.unwrap_or(Err(WriteError::Closed))
    }

    /// Writes; `done` is called with the answer once it is on disk, on the writer's thread: it must be quick. Writes of
    /// one caller take effect in the order in which they were submitted.
    pub fn submit(&self, write: Write, done: impl FnOnce(Result<Written, WriteError>) + Send + 'static) {
        self.inner.queue.push_write(write, Box::new(done));
    }

    /// What changed, from a token's state on (default: from now on), in groups that end in a causal cut.
    ///
    /// # Errors
    /// [`crate::ReadError`] when the log cannot be read.
    pub fn watch(&self, filter: crate::watch::Filter, since: Option<&Token>) -> Result<Watch, crate::ReadError> {
        Watch::new(self.clone(), filter, since)
    }

    /// Which conflicts are open, of a collection or of all, and from then on which appear and which end.
    ///
    /// # Errors
    /// [`crate::ReadError`] when there is no such collection.
    pub fn watch_conflicts(&self, collection: Option<&str>) -> Result<ConflictWatch, crate::ReadError> {
        ConflictWatch::new(self.clone(), collection)
    }

    /// A state to hold on to for long: it is let go when the database is closed.
    pub(crate) fn hold(&self, view: Arc<View>) -> Held {
        self.inner.published.hold(view)
    }

    /// What an operator sees of the engine; `None` when the database is closed or its store failed.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let done = Box::new(move |status| {
            let _ = sender.send(status);
        });
        self.inner.queue.push(Command::Status { done }).ok()?;
        receiver.recv().ok()
    }

    /// As [`Database::status`], without blocking a thread.
    pub async fn status_async(&self) -> Option<Status> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let done = Box::new(move |status| {
            let _ = sender.send(status);
        });
        self.inner.queue.push(Command::Status { done }).ok()?;
        receiver.await.ok()
    }

    /// Counts and times.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Writes what is under way, then closes: later calls on any handle answer that it is closed.
    pub fn close(&self) {
        self.stop(true);
    }

    /// Stops at once, as a crash would: what is not on disk is lost, whoever waits hears that it is closed. For tests
    /// and demonstrations.
    pub fn crash(&self) {
        self.stop(false);
    }

    /// Whether it is closed, or its store failed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        *self.subscribe().borrow() == u64::MAX
    }

    pub(crate) fn queue(&self) -> &Arc<Queue> {
        &self.inner.queue
    }

    pub(crate) fn adopt(&self, names: Names) -> Result<(), String> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let Names { cluster, region, node } = names.clone();
        let done = Box::new(move |adopted| {
            let _ = sender.send(adopted);
        });
        let pushed = self.inner.queue.push(Command::Adopt { cluster, region, node, done });
        pushed.map_err(|_| "the database is closed".to_owned())?;
        receiver.recv().unwrap_or_else(|_| Err("the database is closed".to_owned()))?;
        self.inner.names.store(Arc::new(names));
        Ok(())
    }

    fn stop(&self, clean: bool) {
        self.inner.stop(clean);
    }
}

impl Inner {
    fn stop(&self, clean: bool) {
        // Already stopping is as good.
        let _ = self.queue.push(Command::Stop { clean });
        if self.writer == std::thread::current().id() {
            return;
        }
        // Held while joining: whoever else closes waits as well.
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(thread) = thread.take() {
            // A writer that panicked is stopped too.
            let _ = thread.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop(true);
    }
}
