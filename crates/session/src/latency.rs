//! What latencies say: which replica is near, and when an answer is late.

use std::collections::VecDeque;

/// How many recent latencies are kept.
const KEPT: usize = 64;
/// With fewer, nothing is known of what is usual.
const ENOUGH: usize = 16;
/// An answer that is later than these many percent of the recent ones is late.
const LATE_PERCENT: usize = 95;
const MIN_HEDGE_MICROS: u64 = 1_000;
const MAX_HEDGE_MICROS: u64 = 1_000_000;

/// The most recent latencies, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    recent: VecDeque<u64>,
}

impl Latencies {
    /// Takes note of one; the oldest of more than 64 is forgotten.
    pub fn note(&mut self, micros: u64) {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(micros);
    }

    /// After how many microseconds without an answer to ask another replica as well: about the 95th percentile of the
    /// recent ones, at least a millisecond and at most a second. `None` with fewer than 16.
    #[must_use]
    pub fn hedge_after_micros(&self) -> Option<u64> {
        if self.recent.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<u64> = self.recent.iter().copied().collect();
        sorted.sort_unstable();
        let late = sorted[(sorted.len() - 1) * LATE_PERCENT / 100];
        Some(late.clamp(MIN_HEDGE_MICROS, MAX_HEDGE_MICROS))
    }
}

/// A smoothed round trip: each new one counts an eighth.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Smoothed(Option<u64>);

impl Smoothed {
    pub(crate) fn note(&mut self, micros: u64) {
        self.0 = Some(match self.0 {
            None => micros,
            Some(old) => (old.saturating_mul(7).saturating_add(micros)) / 8,
        });
    }

    pub(crate) fn micros(self) -> Option<u64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(values: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        values.into_iter().for_each(|value| latencies.note(value));
        latencies
    }

    #[test]
    fn nothing_is_late_before_it_is_known_what_is_usual() {
        assert_eq!(latencies([5_000; 15]).hedge_after_micros(), None);
        assert_eq!(latencies([5_000; 16]).hedge_after_micros(), Some(5_000));
    }

    #[test]
    fn late_is_what_few_recent_answers_were() {
        let after = latencies((1..=60).map(|n| n * 1_000)).hedge_after_micros();
        assert_eq!(after, Some(57_000));
    }

    #[test]
    fn the_delay_stays_within_bounds() {
        assert_eq!(latencies([10; 64]).hedge_after_micros(), Some(1_000));
        assert_eq!(latencies([u64::MAX; 64]).hedge_after_micros(), Some(1_000_000));
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let latencies = latencies(std::iter::repeat_n(900_000, 200).chain(std::iter::repeat_n(2_000, 64)));
        assert_eq!(latencies.hedge_after_micros(), Some(2_000));
        assert_eq!(latencies.recent.len(), KEPT);
    }

    #[test]
    fn one_slow_round_trip_moves_the_smoothed_one_a_little() {
        let mut smoothed = Smoothed::default();
        smoothed.note(8_000);
        smoothed.note(16_000);
        assert_eq!(smoothed.micros(), Some(9_000));
    }
}
