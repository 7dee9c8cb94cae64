//! What breaks.

use crate::node::{Point, StoreFault};
use crate::plan::Fault;
use crate::queue::Event;
use crate::world::{Checked, World};
use anabranch_engine::store::StoreErrorKind;

/// After so long at the latest, a node that is to stop stops.
const STOP_WITHIN_MS: u64 = 300;
const DAY_MS: i64 = 24 * 3600 * 1000;

impl World {
    /// One fault of those that are on strikes; the next one is decided.
    pub(crate) fn fault(&mut self) -> Checked {
        if self.healing || self.plan.faults.is_empty() {
            return Ok(());
        }
        let kinds = self.plan.faults.clone();
        let next = self.now + self.faults.spread(self.plan.fault_ms);
        self.queue.at(next, Event::Fault);
        let node = self.faults.below(self.nodes.len());
        let other = (node + 1 + self.faults.below(self.nodes.len() - 1)) % self.nodes.len();
        match self.faults.pick(&kinds) {
            Fault::Drop => self.disconnect(node, other),
            Fault::CutPair => self.cut("cuts of a pair", vec![(node, other), (other, node)]),
            Fault::CutOneWay => self.cut("cuts of one direction", vec![(node, other)]),
            Fault::Isolate => self.isolate("cuts of one node", node),
            Fault::Crash => self.stop_soon(node),
            Fault::RollBack => {
                let image = self.faults.below(self.nodes[node].images.len());
                self.nodes[node].roll_back = Some(self.nodes[node].images[image].clone());
                self.nodes[node].alone_ms = self.faults.pick(&[0, 1_000, 4_000]);
                self.stop_soon(node);
            }
            Fault::Store => self.fail_store(node),
            Fault::Clock => self.jump(node),
        }
        Ok(())
    }

    fn cut(&mut self, what: &'static str, directions: Vec<(usize, usize)>) {
        self.coverage.note(what);
        self.trace.line(self.now, || format!("cut: {directions:?}"));
        if self.faults.chance(500) {
            for (a, b) in directions.clone() {
                self.disconnect(a, b);
            }
        } else {
            self.coverage.note("cuts that no connection noticed");
        }
        let cut = self.network.cut(directions);
        let lasts = self.faults.pick(&[200, 1_000, 3_000, 8_000]);
        self.queue.at(self.now + lasts, Event::Mend { cut });
    }

    pub(crate) fn isolate(&mut self, what: &'static str, node: usize) {
        let others = (0..self.nodes.len()).filter(|other| *other != node);
        let directions = others.flat_map(|other| [(node, other), (other, node)]).collect();
        self.cut(what, directions);
    }

    /// The node will stop at some point of its work, or else a little later between two turns.
    fn stop_soon(&mut self, node: usize) {
        if !self.nodes[node].is_up() {
            return;
        }
        let outputs = self.faults.below(4);
        let points =
            [Point::Handled, Point::Sealed, Point::Written, Point::Written, Point::Synced, Point::Outputs(outputs)];
        self.nodes[node].stop_at = Some(self.faults.pick(&points));
        let life = self.nodes[node].life;
        self.queue.at(self.now + STOP_WITHIN_MS, Event::CrashAnyway { node, life });
    }

    /// The node stops now, and starts again after a while.
    pub(crate) fn stop(&mut self, node: usize, where_it_was: &'static str) {
        self.coverage.note(where_it_was);
        self.trace.note(self.now, where_it_was, node, &[]);
        self.trace.line(self.now, || format!("{node} stops: {where_it_was}"));
        self.nodes[node].stop();
        self.disconnect_all(node);
        let down = self.faults.pick(&[1, 50, 800, 4_000]);
        self.queue.at(self.now + down, Event::Start { node });
    }

    fn fail_store(&mut self, node: usize) {
        if !self.nodes[node].is_up() || self.nodes[node].store_fault == StoreFault::Armed {
            return;
        }
        self.nodes[node].store_fault = StoreFault::Armed;
        let store = &mut self.nodes[node].store;
        match self.faults.below(3) {
            0 => store.fail_next_commit(StoreErrorKind::Full),
            1 => store.fail_next_commit(StoreErrorKind::Io),
            _ => store.fail_next_commit_on_disk(StoreErrorKind::Io),
        }
    }

    fn jump(&mut self, node: usize) {
        self.coverage.note("clock jumps");
        let far = match self.faults.below(8) {
            0..=2 => 0,
            3 | 4 => 400,
            5 | 6 => 5_000,
            _ => self.faults.pick(&[2 * DAY_MS, 8 * DAY_MS]),
        };
        let skew = self.faults.range(0, 2 * far as u64) as i64 - far;
        self.trace.line(self.now, || format!("the clock of {node} is off by {skew} ms"));
        self.nodes[node].skew_ms = skew;
    }
}
