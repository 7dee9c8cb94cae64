//! What breaks.

use crate::node::{Point, StoreFault};
use crate::plan::Fault;
use crate::queue::Event;
use crate::world::{Checked, DAY_MS, World};
use anabranch_engine::store::StoreErrorKind;

/// After so long at the latest, a node that is to stop stops.
const STOP_WITHIN_MS: u64 = 300;
/// So soon after its start a node still recovers.
const RECOVERY_MS: u64 = 20;
const HOUR_MS: i64 = 3600 * 1000;

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
            Fault::Crash => {
                if self.faults.chance(self.plan.crash_again) {
                    self.nodes[node].crash_again = self.faults.range(1, 5) as u32;
                }
                self.stop_soon(node);
            }
            Fault::RollBack => {
                let image = self.faults.below(self.nodes[node].images.len());
                self.nodes[node].roll_back = Some(self.nodes[node].images[image].clone());
                self.nodes[node].alone_ms = self.faults.pick(&[0, 1_000, 4_000]);
                self.stop_soon(node);
            }
            Fault::Store => self.fail_store(node),
            Fault::Clock => self.jump(node),
            Fault::Halves => self.halve(),
            Fault::Ring => self.ring(),
            Fault::Flap => {
                let (period, left) = (self.faults.pick(&[1, 20, 300, 3_000, 10_000]), self.faults.range(4, 20) as u32);
                self.coverage.note("links that flap");
                self.flap((node, other), period, left, None);
            }
            Fault::Clog => {
                let until = self.now + self.faults.range(0, 5_000);
                self.coverage.note("clogs");
                self.trace.line(self.now, || format!("what {node} sends to {other} is held back until {until} ms"));
                self.network.clog(node, other, until);
            }
            Fault::Away => self.leave(node),
            Fault::Slow => {
                self.coverage.note("nodes that are slow");
                let until = self.now + self.faults.range(500, 6_000);
                self.nodes[node].slow = (until, self.faults.pick(&[50, 500, 2_000]));
                self.trace.line(self.now, || format!("{node} is slow until {until} ms"));
            }
            Fault::Full => {
                let until = self.now + self.faults.range(100, 4_000);
                self.nodes[node].full_until = until;
                self.trace.line(self.now, || format!("the disk of {node} is full until {until} ms"));
            }
        }
        Ok(())
    }

    /// Two groups that do not hear each other.
    fn halve(&mut self) {
        let nodes = self.nodes.len();
        let mask = self.faults.range(1, (1 << nodes) - 2);
        let apart = |a: &usize, b: &usize| (mask >> a ^ mask >> b) & 1 == 1;
        self.cut("cuts in two groups", pairs(nodes).filter(|(a, b)| apart(a, b)).collect());
    }

    /// Everybody hears two neighbours only.
    fn ring(&mut self) {
        let nodes = self.nodes.len();
        if nodes < 4 {
            return self.halve();
        }
        let next = |a: usize, b: usize| (a + 1) % nodes == b;
        self.cut("cuts to a ring", pairs(nodes).filter(|(a, b)| !next(*a, *b) && !next(*b, *a)).collect());
    }

    /// A link comes or goes once more.
    pub(crate) fn flap(&mut self, (a, b): (usize, usize), period: u64, left: u32, cut: Option<u64>) {
        let heals = cut.is_some();
        cut.into_iter().for_each(|cut| self.network.mend(cut));
        if self.healing || left == 0 {
            return;
        }
        let mut next = None;
        if !heals {
            if self.faults.chance(300) {
                self.disconnect(a, b);
            }
            next = Some(self.network.cut(vec![(a, b), (b, a)]));
        }
        let again = self.now + self.faults.range(1, period);
        self.queue.at(again, Event::Flap { a, b, period, left: left - 1, cut: next });
    }

    /// A replica is gone for long: a follower, if there is one.
    fn leave(&mut self, node: usize) {
        let followers = self.plan.followers.len();
        let node = if followers == 0 { node } else { self.plan.leaders + self.faults.below(followers) };
        if self.nodes[node].is_up() {
            let down = self.faults.pick(&[5_000, 10_000, 20_000]);
            self.stop_for(node, if followers == 0 { "leaders that leave" } else { "followers that leave" }, down);
        }
    }

    /// A node that was just opened goes on crashing, at any point of its first turns.
    pub(crate) fn crash_again(&mut self, node: usize) {
        if self.nodes[node].crash_again == 0 {
            return;
        }
        self.nodes[node].crash_again -= 1;
        if let Some(engine) = &mut self.nodes[node].engine {
            engine.request_checkpoint();
        }
        let points = [Point::Handled, Point::Sealed, Point::Written, Point::Synced, Point::Outputs(0)];
        self.nodes[node].stop_at = Some(self.faults.pick(&points));
        let (life, within) = (self.nodes[node].life, self.faults.range(0, RECOVERY_MS));
        self.queue.at(self.now + within, Event::CrashAnyway { node, life });
    }

    /// Days pass while one node hears nobody: three times a third of them.
    pub(crate) fn plan_days(&mut self) {
        if self.plan.days == 0 {
            return;
        }
        let part = self.plan.active_ms / 6;
        for step in [2, 3, 4] {
            self.queue.at(step * part, Event::Leap { days: self.plan.days / 3 });
        }
        let node = self.faults.below(self.nodes.len());
        let others = (0..self.nodes.len()).filter(|other| *other != node);
        let directions: Vec<_> = others.flat_map(|other| [(node, other), (other, node)]).collect();
        let cut = self.network.cut(directions);
        self.queue.at(5 * part, Event::Mend { cut });
        self.trace.line(self.now, || format!("{node} hears nobody for {} days", self.plan.days));
    }

    /// So many days pass at once. No connection outlives them.
    pub(crate) fn leap(&mut self, days: u64) {
        self.coverage.add("days away", days);
        self.trace.line(self.now, || format!("{days} days pass"));
        self.trace.note(self.now, "days", days as usize, &[]);
        self.days += days;
        for node in 0..self.nodes.len() {
            self.disconnect_all(node);
        }
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
        let down = self.faults.pick(&[1, 50, 800, 4_000]);
        self.stop_for(node, where_it_was, down);
    }

    fn stop_for(&mut self, node: usize, where_it_was: &'static str, down: u64) {
        if self.nodes[node].life > 1 && self.now - self.nodes[node].started <= RECOVERY_MS {
            self.coverage.note("crashes during recovery");
        }
        self.coverage.note(where_it_was);
        self.trace.note(self.now, where_it_was, node, &[]);
        self.trace.line(self.now, || format!("{node} stops: {where_it_was}"));
        self.nodes[node].stop();
        self.disconnect_all(node);
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
        let found = self.faults.below(12);
        let wall_ms = self.wall_ms() as i64;
        self.nodes[node].frozen_ms = None;
        let (what, skew) = match found {
            0..=2 => ("clocks set right", 0),
            3 | 4 => ("clocks a little off", self.faults.range(0, 800) as i64 - 400),
            5 | 6 => ("clocks seconds off", self.faults.range(0, 10_000) as i64 - 5_000),
            7 => ("clocks an hour off", self.faults.pick(&[-HOUR_MS, HOUR_MS])),
            8 => ("clocks days off", self.faults.pick(&[-8, -2, 2, 8]) * DAY_MS as i64),
            9 => ("clocks in 1970", -wall_ms),
            10 => ("clocks ten years ahead", 3_652 * DAY_MS as i64),
            _ => ("clocks that stand still", self.nodes[node].skew_ms),
        };
        self.coverage.note(what);
        self.trace.line(self.now, || format!("the clock of {node} is off by {skew} ms: {what}"));
        self.nodes[node].skew_ms = skew;
        if found == 11 {
            self.nodes[node].frozen_ms = Some(wall_ms as u64);
        }
    }
}

/// All ordered pairs of so many nodes.
fn pairs(nodes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..nodes).flat_map(move |a| (0..nodes).filter(move |b| *b != a).map(move |b| (a, b)))
}
