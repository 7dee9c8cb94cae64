//! What strikes a cluster, one thing after another, while partitions and bad links last.

use super::LINK;
use crate::support::cluster::Cluster;
use crate::support::directories::copy;
use crate::support::eventually;
use crate::support::random::Random;
use anabranch_transport::LinkProfile;
use rustix::process::Signal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A link that nobody would pay for.
const BAD: LinkProfile = LinkProfile {
    delay: Duration::from_millis(60),
    jitter: Duration::from_millis(60),
    loss: 0.15,
    duplicate: 0.15,
    reorder: 0.2,
};

/// The longest that a node is stopped.
pub(super) const STOP: Duration = Duration::from_millis(1_300);

/// The longest that a partition lasts.
const PARTITION: Duration = Duration::from_secs(4);

pub(super) struct Strikes {
    random: Random,
    kills: usize,
    stops: usize,
    cut_off: usize,
    one_way: usize,
    bad_links: usize,
    /// When the partition began that lasts.
    parted: Option<Instant>,
    /// From a killed process's successor's start until it serves, and until it says that it is ready.
    up: Vec<Duration>,
    ready: Vec<Duration>,
    /// A copy of a killed node's directory.
    pub(super) aside: Option<(usize, PathBuf)>,
}

impl Strikes {
    pub(super) fn new(seed: u64) -> Self {
        let (kills, stops, cut_off, one_way, bad_links) = (0, 0, 0, 0, 0);
        let (up, ready) = (Vec::new(), Vec::new());
        Self {
            random: Random::new(seed),
            kills,
            stops,
            cut_off,
            one_way,
            bad_links,
            parted: None,
            up,
            ready,
            aside: None,
        }
    }

    /// Strikes for that long, then takes back what lasts.
    pub(super) fn rain(&mut self, cluster: &mut Cluster, lasts: Duration) {
        let began = Instant::now();
        while began.elapsed() < lasts {
            if self.parted.is_some_and(|since| since.elapsed() > PARTITION) {
                self.heal(cluster);
            }
            match self.random.below(12) {
                0..=5 => self.kill(cluster, lasts / 3 < began.elapsed()),
                6 | 7 if self.parted.is_some() => self.heal(cluster),
                6 => self.cut_off(cluster),
                7 => self.cut_one_way(cluster),
                8 | 9 => self.stop(cluster),
                10 => {
                    self.bad_links += 1;
                    cluster.links.as_ref().expect("links").become_like(BAD);
                }
                _ => cluster.links.as_ref().expect("links").become_like(LINK),
            }
            std::thread::sleep(Duration::from_millis(100 + self.random.below(400)));
        }
        cluster.links.as_ref().expect("links").become_like(LINK);
        self.heal(cluster);
    }

    fn some(&mut self, cluster: &Cluster) -> usize {
        self.random.below(cluster.nodes.len() as u64) as usize
    }

    /// SIGKILL, a moment without it, and another start.
    fn kill(&mut self, cluster: &mut Cluster, keep: bool) {
        let victim = self.some(cluster);
        cluster.kill(victim);
        self.kills += 1;
        if keep && self.aside.is_none() {
            let aside = cluster.dir().join("aside");
            copy(&cluster.nodes[victim].data, &aside);
            self.aside = Some((victim, aside));
        }
        std::thread::sleep(Duration::from_millis(self.random.below(400)));
        let began = Instant::now();
        cluster.start_node(victim);
        self.up.push(began.elapsed());
        let (api, port) = (&cluster.api, cluster.nodes[victim].http);
        eventually(
            "the node is ready",
            Duration::from_secs(10),
            || matches!(api.ask(port, "GET", "/ready", &[], None), Ok(answer) if answer.status == 200),
        );
        self.ready.push(began.elapsed());
    }

    /// SIGSTOP, a while of silence, and on.
    fn stop(&mut self, cluster: &mut Cluster) {
        let victim = self.some(cluster);
        self.stops += 1;
        cluster.process(victim).signal(Signal::STOP);
        let least = STOP / 13;
        std::thread::sleep(least + (STOP - least).mul_f64(self.random.below(100) as f64 / 100.0));
        cluster.process(victim).signal(Signal::CONT);
    }

    fn cut_off(&mut self, cluster: &Cluster) {
        let alone = self.some(cluster);
        let links = cluster.links.as_ref().expect("links");
        (0..cluster.nodes.len()).filter(|other| *other != alone).for_each(|other| links.cut(alone, other));
        self.cut_off += 1;
        self.parted = Some(Instant::now());
    }

    /// One hears the others, which do not hear it; or the other way round.
    fn cut_one_way(&mut self, cluster: &Cluster) {
        let alone = self.some(cluster);
        let deaf = self.random.below(2) == 0;
        let links = cluster.links.as_ref().expect("links");
        for other in (0..cluster.nodes.len()).filter(|other| *other != alone) {
            let (from, to) = if deaf { (other, alone) } else { (alone, other) };
            links.cut_one_way(from, to);
        }
        self.one_way += 1;
        self.parted = Some(Instant::now());
    }

    fn heal(&mut self, cluster: &Cluster) {
        let links = cluster.links.as_ref().expect("links");
        for one in 0..cluster.nodes.len() {
            (0..one).for_each(|other| links.heal(one, other));
        }
        self.parted = None;
    }

    pub(super) fn told(&self) -> String {
        let Self { kills, stops, cut_off, one_way, bad_links, .. } = self;
        format!(
            "{kills} kills, {stops} stops, {} partitions ({one_way} one way), {bad_links} times bad links; after a start {} until \
             it served, {} until ready",
            cut_off + one_way,
            spread(&self.up),
            spread(&self.ready)
        )
    }

    /// Of each kind, as many as a run of that length should bring.
    pub(super) fn must_have_struck(&self, lasts: Duration) {
        let expected = usize::try_from(lasts.as_secs() / 6).expect("a number");
        assert!(self.kills >= expected, "{} kills prove little", self.kills);
        let long = lasts >= Duration::from_secs(60);
        assert!(
            !long || self.cut_off > 0 && self.one_way > 0 && self.stops > 0 && self.bad_links > 0,
            "{}",
            self.told()
        );
    }

    pub(super) fn must_be_ready_within(&self, limit: Duration) {
        let worst = self.ready.iter().max().copied().unwrap_or_default();
        assert!(worst <= limit, "ready after {worst:?}, allowed are {limit:?}: {}", self.told());
    }
}

fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
    let [median, most, all] = [50, 95, 100].map(|percent| at(percent).copied().unwrap_or_default());
    format!("{median:.2?} (median), {most:.2?} (95 %), {all:.2?} (longest)")
}
