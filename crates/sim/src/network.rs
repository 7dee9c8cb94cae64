//! Links between nodes: connections that come and go, frames that are late, lost, doubled or overtaken.

use crate::clones::AGAIN_MS;
use crate::node::Input;
use crate::queue::Event;
use crate::random::Random;
use crate::world::World;
use std::collections::BTreeMap;

/// What is between the nodes.
pub(crate) struct Network {
    pub(crate) random: Random,
    /// The connection of each pair, if there is one.
    connections: BTreeMap<(usize, usize), u64>,
    next_connection: u64,
    /// Who cannot hear whom, (from, to), by cut.
    cuts: BTreeMap<u64, Vec<(usize, usize)>>,
    next_cut: u64,
    /// When the last frame in a direction arrives: what is not reordered comes after it.
    arrivals: BTreeMap<(usize, usize), u64>,
    /// How much longer a direction takes.
    slow_ms: BTreeMap<(usize, usize), u64>,
    /// Until when a direction holds everything back.
    clogs: BTreeMap<(usize, usize), u64>,
}

fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

impl Network {
    pub(crate) fn new(random: Random) -> Self {
        Self {
            random,
            connections: BTreeMap::new(),
            next_connection: 1,
            cuts: BTreeMap::new(),
            next_cut: 1,
            arrivals: BTreeMap::new(),
            slow_ms: BTreeMap::new(),
            clogs: BTreeMap::new(),
        }
    }

    /// From now on these directions are silent. Returns the number of the cut.
    pub(crate) fn cut(&mut self, directions: Vec<(usize, usize)>) -> u64 {
        self.next_cut += 1;
        self.cuts.insert(self.next_cut, directions);
        self.next_cut
    }

    /// A cut heals.
    pub(crate) fn mend(&mut self, cut: u64) {
        self.cuts.remove(&cut);
    }

    /// Everything heals.
    pub(crate) fn mend_all(&mut self) {
        self.cuts.clear();
        self.slow_ms.clear();
        self.clogs.clear();
    }

    /// A direction holds everything back until then.
    pub(crate) fn clog(&mut self, from: usize, to: usize, until: u64) {
        self.clogs.insert((from, to), until);
    }

    /// A direction becomes slow.
    pub(crate) fn slow(&mut self, from: usize, to: usize, ms: u64) {
        self.slow_ms.insert((from, to), ms);
    }

    pub(crate) fn hears(&self, from: usize, to: usize) -> bool {
        !self.cuts.values().flatten().any(|direction| *direction == (from, to))
    }

    /// The connection of a pair.
    pub(crate) fn connection(&self, a: usize, b: usize) -> Option<u64> {
        self.connections.get(&pair(a, b)).copied()
    }
}

impl World {
    /// Two nodes try to connect; when they cannot, they try again.
    pub(crate) fn dial(&mut self, a: usize, b: usize) {
        if self.network.connection(a, b).is_some() || self.nodes[a].is_gone || self.nodes[b].is_gone {
            return;
        }
        let both_up = self.nodes[a].is_up() && self.nodes[b].is_up();
        let heard = self.network.hears(a, b) && self.network.hears(b, a);
        if !(both_up && heard) {
            let wait = self.network.random.range(100, 600);
            self.queue.at(self.now + wait, Event::Dial { a, b });
            return;
        }
        for (node, peer) in [(a, b), (b, a)] {
            // As nodes do: who comes anew under a name replaces whoever was there under it.
            let is_replaced =
                |other: &usize| self.are_copies(*other, peer) && self.network.connection(node, *other).is_some();
            if let Some(replaced) = (0..self.nodes.len()).find(is_replaced) {
                let again = self.network.random.range(AGAIN_MS.0, AGAIN_MS.1);
                self.coverage.note("copies that replace each other");
                self.disconnect_for(node, replaced, Some(again));
            }
        }
        let connection = self.network.next_connection;
        self.network.next_connection += 1;
        self.network.connections.insert(pair(a, b), connection);
        self.coverage.note("connections");
        self.trace.line(self.now, || format!("{a} and {b} connect: {connection}"));
        for (node, peer) in [(a, b), (b, a)] {
            self.network.arrivals.remove(&(peer, node));
            let hello = self.nodes[peer].hello();
            self.bring(node, Input::Connected { peer, connection, hello });
        }
    }

    /// The connection of two nodes breaks, with all that is on the way. Each notices in its own time, perhaps only after
    /// the next connection.
    pub(crate) fn disconnect(&mut self, a: usize, b: usize) {
        self.disconnect_for(a, b, None);
    }

    /// It breaks, and is dialled again after so long, if that is said.
    fn disconnect_for(&mut self, a: usize, b: usize, again: Option<u64>) {
        let Some(connection) = self.network.connections.remove(&pair(a, b)) else { return };
        self.coverage.note("connections broken");
        self.trace.line(self.now, || format!("connection {connection} of {a} and {b} breaks"));
        for (node, peer) in [(a, b), (b, a)] {
            let notices = self.now + self.network.random.pick(&[0, 5, 300, 1_500]);
            self.queue.at(notices, Event::Lost { node, peer, connection });
        }
        let again = again.unwrap_or_else(|| self.network.random.spread(300));
        self.queue.at(self.now + again, Event::Dial { a, b });
    }

    /// All connections of a node break.
    pub(crate) fn disconnect_all(&mut self, node: usize) {
        for peer in (0..self.nodes.len()).filter(|peer| *peer != node) {
            self.disconnect(node, peer);
        }
    }

    /// A node sends a frame on a connection that it believes to be there.
    pub(crate) fn send(&mut self, from: usize, to: usize, connection: u64, frame: Vec<u8>) {
        self.coverage.note("frames sent");
        if self.network.connection(from, to) != Some(connection) {
            return;
        }
        if !self.network.hears(from, to) || (!self.healing && self.network.random.chance(self.plan.loss)) {
            self.coverage.note("frames lost");
            return;
        }
        let copies = 1 + u64::from(!self.healing && self.network.random.chance(self.plan.duplication));
        self.coverage.add("frames doubled", copies - 1);
        for _ in 0..copies {
            let arrives = self.arrival(from, to);
            self.queue.at(arrives, Event::Deliver { from, to, connection, frame: frame.clone() });
        }
    }

    fn arrival(&mut self, from: usize, to: usize) -> u64 {
        let (low, high) = self.plan.delay_ms;
        let slow = self.network.slow_ms.get(&(from, to)).copied().unwrap_or(0);
        let overtakes = !self.healing && self.network.random.chance(self.plan.reordering);
        let clogged = self.network.clogs.get(&(from, to)).copied().unwrap_or(0);
        let free = (self.now + self.network.random.range(low, high) + slow).max(clogged);
        let last = self.network.arrivals.entry((from, to)).or_default();
        if overtakes {
            self.coverage.note("frames reordered");
            return free + self.network.random.range(0, 300);
        }
        *last = free.max(*last);
        *last
    }
}
