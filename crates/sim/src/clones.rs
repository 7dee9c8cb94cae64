//! A data directory is copied, and both copies run as the same node, each on a machine of its own. Each opened with an origin of
//! its own: so nothing that one writes can be taken for what the other wrote. Peers know a node by its name, and talk to
//! the copy that connected last; the other one is turned away, and comes back.

use crate::ledger::Ledger;
use crate::node::Node;
use crate::queue::Event;
use crate::world::{Checked, World};
use anabranch_causality::Dot;

/// A connection that was replaced is dialled again after about as long as nodes wait.
pub(crate) const AGAIN_MS: (u64, u64) = (500, 1_600);

impl World {
    /// A leader's directory is copied as it is on disk, and the copy starts.
    pub(crate) fn clone_node(&mut self) -> Checked {
        let node = self.faults.below(self.plan.leaders);
        if self.healing || self.nodes.len() > self.plan.leaders + self.plan.followers.len() {
            return Ok(());
        }
        let (image, copy) = (self.nodes[node].store.image(), self.nodes.len());
        let found = &self.nodes[node];
        let mut made = Node::new(node, found.post, self.plan.window_bytes, self.plan.buffer_bytes);
        made.build = found.build;
        made.copy_of = Some(node);
        // It is not what its peers take it for: how old what they show may be is told for one copy only.
        made.put_back = 1;
        made.images = vec![image.clone()];
        made.store.roll_back(image);
        made.ledger = Ledger::load(&made.store, &mut self.history).map_err(|what| self.violation("causality", what))?;
        made.durable = made.ledger.len();
        self.nodes.push(made);
        self.nodes[node].wrote = false;
        self.coverage.note("data directories cloned");
        self.trace.line(self.now, || format!("the directory of {node} is copied: {copy} starts as the same node"));
        self.start(copy)?;
        for peer in 0..copy {
            if self.are_peers(copy, peer) {
                self.queue.at(self.now, Event::Dial { a: peer, b: copy });
            }
        }
        self.clients.move_half(node, copy);
        Ok(())
    }

    /// Whether two nodes know each other. Copies of one node do not.
    pub(crate) fn are_peers(&self, a: usize, b: usize) -> bool {
        let planned = |node: usize| self.nodes[node].copy_of.unwrap_or(node);
        planned(a) != planned(b) && self.plan.are_peers(planned(a), planned(b))
    }

    /// Whether two copies of a node run.
    pub(crate) fn has_copies(&self) -> bool {
        self.nodes.iter().any(|node| node.copy_of.is_some() && !node.is_gone)
    }

    /// Everything heals: some copies go on beside their originals, others are thrown away, with what nobody else has.
    pub(crate) fn settle_clones(&mut self) {
        for copy in 0..self.nodes.len() {
            let Some(node) = self.nodes[copy].copy_of else { continue };
            if self.nodes[copy].wrote && self.nodes[node].wrote {
                self.coverage.note("clones of which both copies wrote");
            }
            if self.faults.chance(500) {
                self.coverage.note("clones that run to the end");
                continue;
            }
            self.coverage.note("clones thrown away");
            self.trace.line(self.now, || format!("{copy} is thrown away"));
            self.disconnect_all(copy);
            let found = &mut self.nodes[copy];
            found.stop();
            found.is_gone = true;
            found.durable_vector = Default::default();
            let held: Vec<Dot> = std::mem::take(&mut found.ledger).dots;
            self.excuse(&held);
        }
    }

    /// Whether these are two copies of one node.
    pub(crate) fn are_copies(&self, one: usize, other: usize) -> bool {
        one != other && self.nodes[one].name == self.nodes[other].name
    }
}
