//! The simulated wide-area network between the regions.

use super::regions::COUNT;
use anabranch::transport::{LinkProfile, WanError, WanLink};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One way, in milliseconds, in the order of the regions' names.
const DELAY_MS: [[u64; COUNT]; COUNT] = [[0, 40, 110], [40, 0, 70], [110, 70, 0]];

/// A link for each direction in which regions dial each other: `(from, to)` leads to the port of `to`.
pub(super) struct WideArea {
    links: Mutex<BTreeMap<(usize, usize), WanLink>>,
    seed: u64,
}

impl WideArea {
    pub(super) fn new(seed: u64) -> Self {
        Self { links: Mutex::default(), seed }
    }

    fn links(&self) -> MutexGuard<'_, BTreeMap<(usize, usize), WanLink>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lays the link from one region to another, which listens there, instead of the one there was; says where to dial.
    /// Needs a tokio runtime.
    pub(super) fn lay(&self, from: usize, to: usize, target: SocketAddr) -> Result<SocketAddr, WanError> {
        let delay = Duration::from_millis(DELAY_MS[from][to]);
        let profile = LinkProfile { jitter: delay / 20, ..LinkProfile::with_delay(delay) };
        let link = WanLink::start(target, profile, self.seed ^ ((from * COUNT + to) as u64))?;
        let addr = link.addr();
        self.links().insert((from, to), link);
        Ok(addr)
    }

    /// Cuts a region off from all others. Of each pair both links are cut, for either may carry their connection.
    pub(super) fn cut(&self, region: usize) {
        self.each_of(region, WanLink::cut);
    }

    /// Lets it reach the others again.
    pub(super) fn heal(&self, region: usize) {
        self.each_of(region, WanLink::heal);
    }

    /// The links that begin at a region: to whom, and where to dial.
    pub(super) fn from(&self, region: usize) -> Vec<(usize, SocketAddr)> {
        let links = self.links();
        let own = links.iter().filter(|((from, _), _)| *from == region);
        own.map(|((_, to), link)| (*to, link.addr())).collect()
    }

    fn each_of(&self, region: usize, act: impl Fn(&WanLink)) {
        self.links().iter().filter(|((from, to), _)| *from == region || *to == region).for_each(|(_, link)| act(link));
    }
}
