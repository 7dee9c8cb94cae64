//! The regions together: who reaches whom, and how far each is.

use super::regions::{COUNT, NAMES, Region};
use super::wide_area::WideArea;
use anabranch::Status;
use anabranch::transport::CertificateAuthority;
use anyhow::{Context, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// What the regions' certificates call the cluster.
const CLUSTER: &str = "demo";

/// Three regions and what lies between them. Dropping it closes them.
pub(super) struct World {
    /// In the order of [`NAMES`].
    pub(super) regions: [Region; COUNT],
    wide_area: WideArea,
}

impl World {
    /// Starts three new regions under a directory; they begin to dial each other. Needs a tokio runtime.
    ///
    /// # Errors
    /// What could not be made or opened; a directory that holds an earlier demo's regions.
    pub(super) fn start(dir: &Path, seed: u64) -> anyhow::Result<Arc<Self>> {
        let authority = CertificateAuthority::create(CLUSTER).context("cannot make certificates")?;
        let region = |name| -> anyhow::Result<Region> {
            let dir = dir.join(name);
            if dir.exists() {
                bail!("{} exists already: the demo starts from nothing, give it another --data-dir", dir.display());
            }
            Region::new(name, dir, &authority)
        };
        let [first, second, third] = NAMES;
        let regions = [region(first)?, region(second)?, region(third)?];
        let world = Arc::new(Self { regions, wide_area: WideArea::new(seed) });
        let started = world.regions.iter().map(Region::start);
        let addrs = started.collect::<anyhow::Result<Vec<SocketAddr>>>()?;
        for (to, addr) in addrs.iter().enumerate() {
            world.introduce(to, *addr)?;
        }
        Ok(world)
    }

    /// Tells all others where a region listens.
    fn introduce(&self, to: usize, addr: SocketAddr) -> anyhow::Result<()> {
        for from in (0..COUNT).filter(|from| *from != to) {
            let over = self.wide_area.lay(from, to, addr)?;
            self.regions[from].add_peer(NAMES[to], over);
        }
        Ok(())
    }

    /// Cuts a region off from all others.
    pub(super) fn cut(&self, region: usize) {
        self.wide_area.cut(region);
    }

    /// Lets it reach the others again.
    pub(super) fn heal(&self, region: usize) {
        self.wide_area.heal(region);
    }

    /// Drops a leader without warning: its links first, so that nobody is told.
    pub(super) fn crash(&self, region: usize) {
        self.wide_area.cut(region);
        self.regions[region].crash();
    }

    /// Opens a dropped leader again from its store; it listens at another port.
    pub(super) fn reopen(&self, region: usize) -> anyhow::Result<()> {
        self.wide_area.heal(region);
        let addr = self.regions[region].start()?;
        self.introduce(region, addr)?;
        for (to, over) in self.wide_area.from(region) {
            self.regions[region].add_peer(NAMES[to], over);
        }
        Ok(())
    }

    /// Whether a region is connected to all others that run.
    pub(super) fn is_connected(&self, region: usize) -> bool {
        let others = self.regions.iter().filter(|other| other.name != NAMES[region] && other.is_up());
        self.regions[region].connected_to().len() >= others.count()
    }

    /// Transactions that exist somewhere and that a region has not applied; `None` while it does not run.
    pub(super) fn lag(&self, region: usize) -> Option<u64> {
        let applied = self.regions[region].applied()?;
        let all: u64 = self.regions.iter().map(Region::sequenced).sum();
        Some(all.saturating_sub(applied))
    }

    /// Closes all databases.
    pub(super) fn close(&self) {
        self.regions.iter().for_each(Region::close);
    }

    /// The status of each region.
    pub(super) async fn statuses(&self) -> anyhow::Result<Vec<Status>> {
        let mut statuses = Vec::with_capacity(COUNT);
        for region in &self.regions {
            let status = region.open_database()?.status_async().await;
            statuses.push(status.with_context(|| format!("the database of {} closed", region.name))?);
        }
        Ok(statuses)
    }
}

/// Whether all hold the same transactions.
pub(super) fn at_one(statuses: &[Status]) -> bool {
    statuses.windows(2).all(|pair| pair[0].vector == pair[1].vector)
}
