//! What goes wrong while travellers are under way: a partition, and two SIGKILLs, one of them during it.

use crate::support::cluster::Cluster;
use crate::support::random::Random;
use std::time::{Duration, Instant};

pub(super) struct Faults<'a> {
    cluster: &'a mut Cluster,
    random: Random,
}

impl<'a> Faults<'a> {
    pub(super) fn new(cluster: &'a mut Cluster, random: Random) -> Self {
        Self { cluster, random }
    }

    /// Takes that long, or a little longer.
    pub(super) fn strike(mut self, lasts: Duration) {
        let began = Instant::now();
        let at = |percent: u32| std::thread::sleep((lasts * percent / 100).saturating_sub(began.elapsed()));
        let count = self.cluster.nodes.len() as u64;
        let alone = self.random.below(count) as usize;
        // The leader dies in any case.
        let other = 1 + self.random.below(count - 1) as usize;
        let (first, second) = if self.random.below(2) == 0 { (0, other) } else { (other, 0) };
        at(15);
        self.for_links_of(alone, false);
        at(35);
        self.kill(first);
        at(55);
        self.for_links_of(alone, true);
        at(70);
        self.kill(second);
        at(100);
    }

    /// A node loses all others, or gets them back.
    fn for_links_of(&self, alone: usize, heal: bool) {
        let links = self.cluster.links.as_ref().expect("links");
        for other in (0..self.cluster.nodes.len()).filter(|other| *other != alone) {
            if heal { links.heal(alone, other) } else { links.cut(alone, other) }
        }
    }

    fn kill(&mut self, victim: usize) {
        self.cluster.kill(victim);
        std::thread::sleep(Duration::from_millis(200 + self.random.below(600)));
        self.cluster.start_node(victim);
    }
}
