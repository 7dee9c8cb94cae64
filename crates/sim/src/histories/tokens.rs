//! Which writes a token covers, and what comes with them.

use super::flow::Pasts;
use super::history::History;
use super::sets::{Set, Sets};
use anabranch_causality::{Dot, Origin, ShardId, Token};
use std::collections::BTreeMap;

/// The writes whose place is known, by origin and number.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    origins: BTreeMap<(ShardId, Origin), Placed>,
}

/// The writes of one origin, and what each together with all before it comes to, as far as it was asked for.
#[derive(Debug, Default)]
struct Placed {
    writes: Vec<(u64, u32)>,
    sums: Vec<Set>,
}

impl Tokens {
    pub(crate) fn of(history: &History) -> Self {
        let mut tokens = Self::default();
        for (number, write) in history.writes.iter().enumerate() {
            if let Some(dot) = write.dot {
                let placed = tokens.origins.entry((dot.shard, dot.origin)).or_default();
                placed.writes.push((dot.seq, number as u32));
            }
        }
        tokens.origins.values_mut().for_each(|placed| placed.writes.sort_unstable());
        tokens
    }

    /// The writes that a token covers, with their pasts. Whoever carries a token began after all that it covers was
    /// written: what comes with those writes is known by then.
    pub(crate) fn covered(&mut self, token: &Token, sets: &mut Sets, pasts: &Pasts) -> Set {
        let mut covered = Set::EMPTY;
        let entries = token.iter().flat_map(|(shard, vector)| vector.iter().map(move |entry| (shard, entry)));
        for (shard, (origin, seq)) in entries {
            if let Some(placed) = self.origins.get_mut(&(shard, origin)) {
                let up_to = placed.up_to(seq, sets, pasts);
                covered = sets.union(covered, up_to);
            }
        }
        covered
    }

    /// The writes of that origin up to that number, with their pasts.
    pub(crate) fn up_to(&mut self, dot: Dot, sets: &mut Sets, pasts: &Pasts) -> Set {
        let placed = self.origins.get_mut(&(dot.shard, dot.origin));
        placed.map_or(Set::EMPTY, |placed| placed.up_to(dot.seq, sets, pasts))
    }
}

impl Placed {
    fn up_to(&mut self, seq: u64, sets: &mut Sets, pasts: &Pasts) -> Set {
        let count = self.writes.partition_point(|(placed, _)| *placed <= seq);
        while self.sums.len() < count {
            let (_, write) = self.writes[self.sums.len()];
            let with_past = pasts.with(write);
            let before = self.sums.last().copied().unwrap_or_default();
            self.sums.push(sets.union(before, with_past));
        }
        count.checked_sub(1).map_or(Set::EMPTY, |last| self.sums[last])
    }
}
