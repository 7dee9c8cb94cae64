//! A region: a store on disk, and a leader that has it open and takes part in the cluster.

use anabranch::transport::{CertificateAuthority, Identity, Limits};
use anabranch::{Database, Network, NetworkConfig, OpenError, Origin, PeerConfig, StoreErrorKind};
use anyhow::Context;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many regions there are.
pub(super) const COUNT: usize = 3;
/// Their names, which are also the names of their nodes.
pub(super) const NAMES: [&str; COUNT] = ["us-east", "eu-west", "ap-south"];

/// A short one, so that a region soon notices that it is cut off; still many round trips of the longest link.
const IDLE_TIMEOUT: Duration = Duration::from_secs(2);
const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// How long a store may stay in use after its leader was dropped: somebody may still look at one of its states.
const REOPENING: Duration = Duration::from_secs(5);

/// How long a leader that is to be dropped may take for one more commit.
const LAST_COMMIT: Duration = Duration::from_millis(5);

/// A region: its place on disk, and what runs there, if it does.
pub(super) struct Region {
    /// Its name.
    pub(super) name: &'static str,
    /// Writes that its leader has acknowledged to clients.
    pub(super) acknowledged: AtomicU64,
    /// Writes that wait for its leader's answer.
    pub(super) waiting: AtomicU64,
    dir: PathBuf,
    identity: Arc<Identity>,
    state: Mutex<State>,
    /// Whether clients reach it.
    up: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    running: Option<Running>,
    /// The origin of the latest opening.
    origin: Option<Origin>,
    /// How many transactions earlier openings sequenced.
    earlier: u64,
    /// How many the latest opening had sequenced when it was dropped; 0 while it runs.
    lost_sight: u64,
}

struct Running {
    database: Database,
    network: Arc<Network>,
}

impl Region {
    /// A region that does not run yet.
    ///
    /// # Errors
    /// When no certificate can be made.
    pub(super) fn new(name: &'static str, dir: PathBuf, authority: &CertificateAuthority) -> anyhow::Result<Self> {
        let issued = authority.issue(name, name)?;
        let ca = authority.cert_pem().as_bytes();
        let identity = Identity::from_pem(ca, issued.cert_pem.as_bytes(), issued.key_pem.as_bytes())?;
        Ok(Self {
            name,
            acknowledged: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            dir,
            identity: Arc::new(identity),
            state: Mutex::default(),
            up: watch::Sender::new(false),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the store and takes part in the cluster, at a free port.
    ///
    /// # Errors
    /// What could not be opened.
    pub(super) fn start(&self) -> anyhow::Result<SocketAddr> {
        let database = self.open()?;
        let status = database.status().with_context(|| format!("the database of {} closed", self.name))?;
        let config = NetworkConfig {
            identity: self.identity.clone(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            limits: Limits { idle_timeout: IDLE_TIMEOUT, keep_alive: KEEP_ALIVE, ..Limits::default() },
        };
        let network = Network::start(&database, config).with_context(|| format!("the network of {}", self.name))?;
        let addr = network.local_addr();
        let mut state = self.state();
        let before = state.origin.replace(status.origin);
        state.earlier += before.map_or(0, |origin| status.vector.get(origin));
        state.lost_sight = 0;
        state.running = Some(Running { database, network: Arc::new(network) });
        drop(state);
        self.up.send_replace(true);
        Ok(addr)
    }

    fn open(&self) -> anyhow::Result<Database> {
        let (name, dir) = (self.name, &self.dir);
        let cluster = &self.identity.name().cluster;
        let deadline = Instant::now() + REOPENING;
        loop {
            match Database::builder().names(cluster, name, name).open(dir) {
                Err(OpenError::Store(error)) if error.kind == StoreErrorKind::InUse && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                opened => return opened.with_context(|| format!("cannot open the store of {name}")),
            }
        }
    }

    /// Ends the leader as a crash would. What it still answers, clients do not hear.
    pub(super) fn crash(&self) {
        let last = self.applied();
        self.up.send_replace(false);
        // The worst moment of all: some writes are on disk, and their clients do not know.
        let deadline = Instant::now() + LAST_COMMIT;
        while self.applied() == last && Instant::now() < deadline {
            std::thread::sleep(Duration::from_micros(20));
        }
        let mut state = self.state();
        let Some(Running { database, network }) = state.running.take() else { return };
        // What it sequenced since this moment is known when it is opened again.
        state.lost_sight = state.origin.map_or(0, |origin| database.view().vector().get(origin));
        drop(state);
        database.crash();
        drop(network);
    }

    /// Makes another region a peer, dialled over a link.
    pub(super) fn add_peer(&self, name: &str, over: SocketAddr) {
        if let Some(Running { network, .. }) = &self.state().running {
            let (node, region) = (Some(name.to_owned()), Some(name.to_owned()));
            network.add_peer(PeerConfig { node, region, addr: Some(over.to_string()) });
        }
    }

    /// The database; `None` while no leader runs.
    pub(super) fn database(&self) -> Option<Database> {
        self.state().running.as_ref().map(|running| running.database.clone())
    }

    /// The database, where a leader must run.
    ///
    /// # Errors
    /// When none does.
    pub(super) fn open_database(&self) -> anyhow::Result<Database> {
        self.database().with_context(|| format!("{} is not running", self.name))
    }

    /// Its place in the cluster; `None` while no leader runs.
    pub(super) fn network(&self) -> Option<Arc<Network>> {
        self.state().running.as_ref().map(|running| running.network.clone())
    }

    /// Whether clients reach it.
    pub(super) fn is_up(&self) -> bool {
        *self.up.borrow()
    }

    /// Returns when clients no longer reach it.
    pub(super) async fn down(&self) {
        // Cannot fail: the sender lives as long as this region.
        let _ = self.up.subscribe().wait_for(|up| !up).await;
    }

    /// To whom it is connected.
    pub(super) fn connected_to(&self) -> Vec<String> {
        let state = self.state();
        let peers = state.running.as_ref().map(|running| running.network.peers()).unwrap_or_default();
        peers.into_iter().filter(|peer| peer.connected).map(|peer| peer.node).collect()
    }

    /// How many transactions were sequenced here, as far as is known.
    pub(super) fn sequenced(&self) -> u64 {
        let state = self.state();
        let origin = state.origin.zip(state.running.as_ref());
        state.earlier
            + state.lost_sight
            + origin.map_or(0, |(origin, running)| running.database.view().vector().get(origin))
    }

    /// How many transactions its leader has applied; `None` while none runs.
    pub(super) fn applied(&self) -> Option<u64> {
        let index = *self.database()?.subscribe().borrow();
        (index != u64::MAX).then_some(index)
    }

    /// Closes its database, politely.
    pub(super) fn close(&self) {
        let running = self.state().running.take();
        if let Some(Running { database, network }) = running {
            drop(network);
            database.close();
        }
    }
}

impl Drop for Region {
    /// What still holds the database, such as a task of the network, must not keep the directory in use.
    fn drop(&mut self) {
        self.close();
    }
}
