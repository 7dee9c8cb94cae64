//! Where in the log our own transactions lie, where many of others' are between them.
//!
//! Only every 64th transaction of an origin is indexed in the store. A leader that writes little among leaders that write much
//! would look through all that these wrote since, for each peer that connects again.

use std::collections::VecDeque;

/// How far places are apart at least, in log records.
const APART: u64 = 1_024;
/// The most that are kept: the latest.
const MOST: usize = 16_384;

/// Sequence numbers of our own origin and where they are in the log, both rising.
#[derive(Debug, Default)]
pub(crate) struct Places {
    places: VecDeque<(u64, u64)>,
}

impl Places {
    /// Our transaction with that number is in the log, at `index`.
    pub(crate) fn note(&mut self, seq: u64, index: u64) {
        if self.places.back().is_some_and(|(_, last)| index < last + APART) {
            return;
        }
        if self.places.len() == MOST {
            self.places.pop_front();
        }
        self.places.push_back((seq, index));
    }

    /// A log index at or before our transaction with that number; `None` when none is known.
    pub(crate) fn before(&self, seq: u64) -> Option<u64> {
        let later = self.places.partition_point(|(noted, _)| *noted <= seq);
        self.places.get(later.checked_sub(1)?).map(|(_, index)| *index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_at_or_before_what_is_looked_for_and_not_long_before() {
        let mut places = Places::default();
        let own = [(1, 7), (2, 8), (3, 5_000), (4, 6_023), (5, 6_024), (6, 6_025)];
        assert_eq!(places.before(1), None);
        own.iter().for_each(|(seq, index)| places.note(*seq, *index));
        for (seq, index) in own {
            let place = places.before(seq).expect("a place");
            assert!(place <= index && index - place < APART, "{seq} is at {index}, found {place}");
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut places = Places::default();
        (1..=MOST as u64 + 1).for_each(|seq| places.note(seq, seq * APART));
        assert_eq!((places.places.len(), places.before(1), places.before(2)), (MOST, None, Some(2 * APART)));
    }
}
