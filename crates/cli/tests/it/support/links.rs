//! Simulated links between the nodes of a cluster: one for every ordered pair.

use anabranch_transport::{Direction, LinkProfile, WanLink};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

/// Who dials whom over which link.
pub(crate) struct Links {
    // Before the runtime: links end inside it.
    links: BTreeMap<(usize, usize), WanLink>,
    _runtime: tokio::runtime::Runtime,
}

impl Links {
    pub(crate) fn start(ports: &[u16], profile: LinkProfile, seed: u64) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let mut links = BTreeMap::new();
        for from in 0..ports.len() {
            for to in (0..ports.len()).filter(|to| *to != from) {
                let target = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[to]));
                let link = WanLink::start(target, profile, seed.wrapping_add((from * 10 + to) as u64));
                links.insert((from, to), link.expect("a link"));
            }
        }
        drop(_inside);
        Self { links, _runtime: runtime }
    }

    /// Where `from` dials in order to reach `to`.
    pub(crate) fn addr(&self, from: usize, to: usize) -> SocketAddr {
        self.links[&(from, to)].addr()
    }

    /// Nothing passes between the two, whoever dialled.
    pub(crate) fn cut(&self, one: usize, other: usize) {
        self.links[&(one, other)].cut();
        self.links[&(other, one)].cut();
    }

    pub(crate) fn heal(&self, one: usize, other: usize) {
        self.links[&(one, other)].heal();
        self.links[&(other, one)].heal();
    }

    /// What `from` sends does not reach `to`; the other way it does.
    pub(crate) fn cut_one_way(&self, from: usize, to: usize) {
        self.links[&(from, to)].cut_one_way(Direction::ToTarget);
        self.links[&(to, from)].cut_one_way(Direction::FromTarget);
    }

    /// Makes all links like this from now on.
    pub(crate) fn become_like(&self, profile: LinkProfile) {
        self.links.values().for_each(|link| link.set_profile(profile).expect("a profile that makes sense"));
    }
}
