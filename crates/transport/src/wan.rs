//! A simulated wide-area link: a UDP relay which delays, loses, repeats and reorders datagrams.

mod lane;
mod profile;
mod random;
mod relay;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::JoinSet;

use lane::Lane;
pub use lane::LinkStats;
pub use profile::LinkProfile;

/// One direction of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the ones who dial the link to the target behind it.
    ToTarget,
    /// From the target back to those who dialed.
    FromTarget,
}

/// A link cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum WanError {
    /// A value in the profile makes no sense.
    #[error("the link profile is unusable: {0}")]
    Profile(String),
    /// No loopback port for the relay.
    #[error("cannot open a loopback port for the simulated link: {0}")]
    Socket(#[from] io::Error),
    /// Called outside a tokio runtime.
    #[error("a simulated link needs a tokio runtime (a fault of the calling code)")]
    NoRuntime,
}

/// A simulated link to one target: whoever sends datagrams to [`addr`](WanLink::addr) reaches the
/// target over it, and the answers come back over it. For tests and demonstrations.
///
/// Up to 64 clients use a link at a time, each seen by the target under a port of its own; one
/// which sends nothing for 30 s is forgotten. At most 32 MiB wait in each direction; what comes on
/// top is dropped and counted. All chance comes from the seed: the n-th datagram of a direction
/// meets the same fate in every run with that seed. Dropping the link stops it.
#[derive(Debug)]
pub struct WanLink {
    addr: SocketAddr,
    to_target: Arc<Lane>,
    from_target: Arc<Lane>,
    // Ends the tasks when dropped.
    _tasks: JoinSet<()>,
}

impl WanLink {
    /// Sets up a link to `target` on a loopback port chosen by the system. Must be called inside a
    /// tokio runtime.
    ///
    /// # Errors
    /// If the profile makes no sense or no port can be opened.
    pub fn start(target: SocketAddr, profile: LinkProfile, seed: u64) -> Result<Self, WanError> {
        tokio::runtime::Handle::try_current().map_err(|_| WanError::NoRuntime)?;
        profile.check()?;
        let listener = relay::listen(target)?;
        let addr = listener.local_addr()?;
        let to_target = Arc::new(Lane::new(profile, seed));
        // Any other seed will do; the two directions must not share their luck.
        let from_target = Arc::new(Lane::new(profile, !seed));

        let mut tasks = JoinSet::new();
        tasks.spawn(lane::deliver(to_target.clone()));
        tasks.spawn(lane::deliver(from_target.clone()));
        tasks.spawn(relay::run(listener, target, to_target.clone(), from_target.clone()));
        Ok(Self { addr, to_target, from_target, _tasks: tasks })
    }

    /// Where to send in order to reach the target over this link.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Cuts both directions: what is under way is lost, and so is all that follows.
    pub fn cut(&self) {
        self.to_target.set_cut(true);
        self.from_target.set_cut(true);
    }

    /// Cuts one direction and leaves the other as it is.
    pub fn cut_one_way(&self, direction: Direction) {
        self.lane(direction).set_cut(true);
    }

    /// Mends both directions.
    pub fn heal(&self) {
        self.to_target.set_cut(false);
        self.from_target.set_cut(false);
    }

    /// Gives both directions another profile. It holds for datagrams sent from now on, which still
    /// arrive after those under way.
    ///
    /// # Errors
    /// If the profile makes no sense; the old one stays.
    pub fn set_profile(&self, profile: LinkProfile) -> Result<(), WanError> {
        self.set_profile_one_way(Direction::ToTarget, profile)?;
        self.set_profile_one_way(Direction::FromTarget, profile)
    }

    /// Gives one direction another profile, as [`set_profile`](Self::set_profile) does for both.
    ///
    /// # Errors
    /// If the profile makes no sense; the old one stays.
    pub fn set_profile_one_way(&self, direction: Direction, profile: LinkProfile) -> Result<(), WanError> {
        profile.check()?;
        self.lane(direction).set_profile(profile);
        Ok(())
    }

    /// What has become of the datagrams of one direction so far.
    pub fn stats(&self, direction: Direction) -> LinkStats {
        self.lane(direction).stats()
    }

    fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::ToTarget => &self.to_target,
            Direction::FromTarget => &self.from_target,
        }
    }
}
