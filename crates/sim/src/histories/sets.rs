//! Sets of numbers that share what they have in common. Causal pasts are nearly the same from one operation to the next:
//! kept like this, 200,000 of them cost about as much as their differences.

use super::parts::{Memo, Parts};

const LEAF: usize = 64;
const FAN: usize = 16;

/// A set of numbers, of those that one [`Sets`] keeps. Equal sets are equal handles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Set(u32);

impl Set {
    /// The set of nothing.
    pub(crate) const EMPTY: Self = Self(0);
}

/// All sets: trees of a fixed height whose parts are kept once each, under a number; 0 is the part that holds nothing.
#[derive(Debug)]
pub(crate) struct Sets {
    height: u32,
    leaves: Parts<1>,
    nodes: Parts<{ FAN / 2 }>,
    joined: Memo,
}

impl Sets {
    /// For numbers below `count`.
    pub(crate) fn new(count: usize) -> Self {
        let mut height = 0;
        while LEAF * FAN.pow(height) < count {
            height += 1;
        }
        Self { height, leaves: Parts::new(), nodes: Parts::new(), joined: Memo::new(count) }
    }

    /// The set and `number`.
    pub(crate) fn with(&mut self, set: Set, number: u32) -> Set {
        Set(self.insert(set.0, self.height, number as usize))
    }

    /// What is in either.
    pub(crate) fn union(&mut self, one: Set, other: Set) -> Set {
        Set(self.join(one.0, other.0, self.height))
    }

    /// Whether it is in the set.
    pub(crate) fn contains(&self, set: Set, number: u32) -> bool {
        let mut part = set.0;
        for level in (1..=self.height).rev() {
            part = get(self.nodes.get(part), child(number as usize, level));
        }
        self.leaves.get(part)[0] & bit(number as usize) != 0
    }

    fn insert(&mut self, part: u32, level: u32, number: usize) -> u32 {
        if level == 0 {
            let [bits] = *self.leaves.get(part);
            return self.leaves.number([bits | bit(number)]);
        }
        let mut node = *self.nodes.get(part);
        let place = child(number, level);
        let before = get(&node, place);
        let after = self.insert(before, level - 1, number);
        if after == before {
            return part;
        }
        put(&mut node, place, after);
        self.nodes.number(node)
    }

    fn join(&mut self, one: u32, other: u32, level: u32) -> u32 {
        if one == other || other == 0 {
            return one;
        }
        if one == 0 {
            return other;
        }
        if level == 0 {
            let bits = self.leaves.get(one)[0] | self.leaves.get(other)[0];
            return self.leaves.number([bits]);
        }
        // What is long past is joined again and again.
        if let Some(known) = self.joined.get(level, one, other) {
            return known;
        }
        let (mut node, more) = (*self.nodes.get(one), *self.nodes.get(other));
        for place in 0..FAN {
            let joined = self.join(get(&node, place), get(&more, place), level - 1);
            put(&mut node, place, joined);
        }
        let joined = self.nodes.number(node);
        self.joined.put(level, one, other, joined);
        joined
    }
}

/// The child at that place: two lie in each word.
fn get(node: &[u64; FAN / 2], place: usize) -> u32 {
    (node[place / 2] >> (32 * (place % 2))) as u32
}

fn put(node: &mut [u64; FAN / 2], place: usize, child: u32) {
    let shift = 32 * (place % 2);
    let word = &mut node[place / 2];
    *word = *word & !(u64::from(u32::MAX) << shift) | u64::from(child) << shift;
}

fn bit(number: usize) -> u64 {
    1 << (number % LEAF)
}

fn child(number: usize, level: u32) -> usize {
    number / (LEAF * FAN.pow(level - 1)) % FAN
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn of(sets: &mut Sets, numbers: &[u32]) -> Set {
        numbers.iter().fold(Set::EMPTY, |set, number| sets.with(set, *number))
    }

    #[test]
    fn equal_sets_are_equal_however_they_came_about() {
        for count in [1, 64, 65, 5_000, 200_000] {
            let mut sets = Sets::new(count);
            let last = count as u32 - 1;
            let (one, other) = (of(&mut sets, &[0, last, last / 2]), of(&mut sets, &[last / 2, last]));
            let first = of(&mut sets, &[0]);
            assert_eq!(sets.union(other, first), one);
            assert_eq!(sets.union(one, other), one);
            assert_eq!(of(&mut sets, &[]), Set::EMPTY);
        }
    }

    #[test]
    fn they_hold_what_was_put_in() {
        let mut sets = Sets::new(3_000);
        let (mut plain, mut set) = (BTreeSet::new(), Set::EMPTY);
        let mut state = 1u32;
        for round in 0..500 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let numbers: Vec<u32> = (0..round % 5).map(|n| (state >> n) % 3_000).collect();
            let more = of(&mut sets, &numbers);
            set = sets.union(set, more);
            plain.extend(numbers);
        }
        for number in 0..3_000 {
            assert_eq!(sets.contains(set, number), plain.contains(&number), "{number}");
        }
    }
}
