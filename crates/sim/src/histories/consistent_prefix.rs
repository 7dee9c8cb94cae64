//! Consistent prefix: a read is of one causal cut, token or not.
//!
//! Judged is every answered read, the eventual ones included. If it shows a write, it must show all writes to the keys that it
//! covers which are certainly in the past of that one, whatever anybody asked for:
//!
//! * those with the same origin and a smaller number, where dots are known;
//! * those that were answered ok by the leader that sequenced them, before the shown one was sent to that leader, which
//!   sequenced it, too;
//! * those that this leader had shown to anybody before the shown one was sent to it;
//! * and what is in the past of these by the same rules.
//!
//! And if it shows a write under one key, it must show it under all its keys: a write is there as a whole or not at all.
//!
//! A write that was sent more than once may have been sequenced more than once, by leaders that had seen less: only itself is
//! certain when it is shown.

use super::event::Outcome;
use super::flow::{Pasts, missing};
use super::history::{History, What};
use super::scope::Scope;
use super::sets::{Set, Sets};
use super::story::{self, Cause};
use super::tokens::Tokens;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, _: &Scope) -> Vec<Violation> {
    let mut sets = Sets::new(history.writes.len());
    let mut sweep = Sweep {
        history,
        nodes: vec![Set::EMPTY; history.nodes.len()],
        pasts: Pasts::none(history, &mut sets),
        sets,
        placed: Tokens::of(history),
        found: Vec::new(),
    };
    for point in &history.points {
        if point.begins { sweep.begin(point.event) } else { sweep.end(point.event) }
    }
    sweep.found
}

struct Sweep<'a> {
    history: &'a History,
    sets: Sets,
    /// What each node had certainly applied.
    nodes: Vec<Set>,
    /// What the leader of each write had certainly applied when the write was sent to it.
    pasts: Pasts,
    placed: Tokens,
    found: Vec<Violation>,
}

impl Sweep<'_> {
    fn begin(&mut self, event: usize) {
        let What::Write(write) = self.history.facts[event].what else { return };
        if let Some(node) = self.history.writes[write as usize].sequenced_at {
            self.pasts.begin(write, self.nodes[node as usize], &mut self.sets);
        }
    }

    fn end(&mut self, event: usize) {
        let fact = &self.history.facts[event];
        if self.history.events()[event].result != Outcome::Ok {
            return;
        }
        match &fact.what {
            What::Write(write) => {
                if let Some(node) = self.history.writes[*write as usize].sequenced_at {
                    let past = self.transaction(*write);
                    self.apply(node, past);
                }
            }
            What::Read(covered) => {
                let needed = self.shown(covered);
                self.judge(event, needed, covered);
                if let Some(node) = fact.node {
                    self.apply(node, needed);
                }
            }
            What::Join(_) | What::Other => {}
        }
    }

    fn apply(&mut self, node: u32, more: Set) {
        let applied = &mut self.nodes[node as usize];
        *applied = self.sets.union(*applied, more);
    }

    /// A write and what its known transaction certainly has in its past.
    fn transaction(&mut self, write: u32) -> Set {
        match self.history.writes[write as usize].dot {
            Some(dot) => self.placed.up_to(dot, &mut self.sets, &self.pasts),
            None => self.pasts.with(write),
        }
    }

    /// What is shown, with what is certainly in its past.
    fn shown(&mut self, covered: &[(u32, Vec<u32>)]) -> Set {
        let mut needed = Set::EMPTY;
        let mut shown: Vec<u32> = covered.iter().flat_map(|(_, writes)| writes).copied().collect();
        shown.sort_unstable_by(|one, other| other.cmp(one));
        for write in shown {
            if !self.sets.contains(needed, write) {
                let past = self.certain(write);
                needed = self.sets.union(needed, past);
            }
        }
        needed
    }

    fn certain(&mut self, write: u32) -> Set {
        if self.history.writes[write as usize].single {
            return self.transaction(write);
        }
        self.sets.with(Set::EMPTY, write)
    }

    fn judge(&mut self, event: usize, needed: Set, covered: &[(u32, Vec<u32>)]) {
        let missing = missing(self.history, &self.sets, needed, covered);
        let Some(lacking) = missing.first() else { return };
        let shown = covered.iter().flat_map(|(_, writes)| writes).copied();
        let mut causes = shown.filter_map(|shown| match self.certain(shown) {
            _ if shown == lacking.1 => Some(Cause::OtherKey),
            past => self.sets.contains(past, lacking.1).then_some(Cause::Shown(shown)),
        });
        let cause = causes.next().unwrap_or(Cause::Carried);
        let story = story::missing(self.history, event, *lacking, cause, missing.len());
        self.found.push(Violation { rule: "consistent prefix", event: self.history.events()[event].id, story });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::Event;
    use crate::histories::example::{NONE, at, eventual, found, info, placed, read, sent, sequenced, write};

    fn one_cut(events: &[Event], seen: &[(&str, &[u64])]) -> Vec<u64> {
        found(check, &[events, &[eventual(read(9, "r", 90..99, seen))]].concat())
    }

    #[test]
    fn a_gap_in_an_origin_is_found() {
        let writes = [placed(write(1, "s", 10..20, 7, &["a"]), 5, 1), placed(write(2, "t", 10..20, 8, &["b"]), 5, 3)];
        assert_eq!(one_cut(&writes, &[("a", &[]), ("b", &[8])]), [9]);
        assert_eq!(one_cut(&writes, &[("a", &[7]), ("b", &[])]), NONE);
        let mut other = writes.clone();
        other[1] = placed(other[1].clone(), 6, 3);
        assert_eq!(one_cut(&other, &[("a", &[]), ("b", &[8])]), NONE, "another origin");
        let again = [writes[0].clone(), sent(2, writes[1].clone())];
        assert_eq!(one_cut(&again, &[("a", &[]), ("b", &[8])]), NONE, "it may be a copy that is shown");
        let two_reads = [eventual(read(3, "r", 30..40, &[("b", &[8])])), writes[0].clone(), writes[1].clone()];
        assert_eq!(one_cut(&two_reads, &[("a", &[])]), NONE, "two reads are two cuts");
    }

    #[test]
    fn what_a_leader_had_answered_comes_before_what_it_is_sent() {
        let writes =
            [sequenced(write(1, "s", 10..20, 7, &["a"]), "eu"), sequenced(write(2, "t", 20..30, 8, &["b"]), "eu")];
        let seen: [(&str, &[u64]); 2] = [("a", &[]), ("b", &[8])];
        assert_eq!(one_cut(&writes, &seen), [9]);
        let with = |first: Event| one_cut(&[first, writes[1].clone()], &seen);
        assert_eq!(with(sequenced(write(1, "s", 10..20, 7, &["a"]), "us")), NONE, "another leader");
        assert_eq!(with(sequenced(write(1, "s", 10..21, 7, &["a"]), "eu")), NONE, "at the same time");
        assert_eq!(with(info(writes[0].clone())), NONE, "nobody knows whether it was done");
    }

    #[test]
    fn what_a_leader_had_shown_comes_before_what_it_is_sent() {
        let first = write(1, "s", 10..20, 7, &["a"]);
        let shown = eventual(at("eu", read(2, "v", 30..40, &[("a", &[7])])));
        let second = sequenced(write(3, "t", 40..50, 8, &["b"]), "eu");
        let seen: [(&str, &[u64]); 2] = [("a", &[]), ("b", &[8])];
        assert_eq!(one_cut(&[first.clone(), shown.clone(), second.clone()], &seen), [9]);
        assert_eq!(one_cut(&[first, at("us", shown), second], &seen), NONE);
    }

    #[test]
    fn half_a_write_is_found() {
        let both = [sent(2, write(1, "s", 10..20, 7, &["a", "b"]))];
        assert_eq!(one_cut(&both, &[("a", &[7]), ("b", &[])]), [9]);
        for whole in [[("a", [7].as_slice()), ("b", &[7])], [("a", &[]), ("b", &[])], [("a", &[7]), ("c", &[])]] {
            assert_eq!(one_cut(&both, &whole), NONE);
        }
    }

    #[test]
    fn pasts_have_pasts() {
        let writes = [
            placed(write(1, "s", 10..20, 7, &["a"]), 5, 1),
            placed(write(2, "t", 10..20, 8, &["b"]), 5, 2),
            eventual(at("eu", read(3, "v", 30..40, &[("b", &[8])]))),
            sequenced(write(4, "w", 40..50, 9, &["c"]), "eu"),
        ];
        assert_eq!(one_cut(&writes, &[("a", &[]), ("c", &[9])]), [9]);
        assert_eq!(one_cut(&writes, &[("a", &[7]), ("c", &[9])]), NONE);
    }
}
