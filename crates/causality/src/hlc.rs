//! Hybrid logical clocks: physical milliseconds with a logical part, in 64 bits.
//!
//! Kulkarni, Demirbas, Madappa, Avva, Leone: *Logical Physical Clocks and Consistent Snapshots in Globally Distributed
//! Databases* (2014). Ours differs in one rule: a peer pushes the clock by no more than a limit.

use std::fmt;

/// A stamp: milliseconds since 1970 in the upper 48 bits, a logical count in the lower 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hlc(pub u64);

impl Hlc {
    /// The first stamp of that millisecond. Years past 10,000 are cut to the largest stamp.
    #[must_use]
    pub fn from_ms(ms: u64) -> Self {
        Self(ms.min((1 << 48) - 1) << 16)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn ms(self) -> u64 {
        self.0 >> 16
    }
}

impl fmt::Display for Hlc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.ms(), self.0 & 0xffff)
    }
}

/// The clock of one replica. Stamps it issues only grow.
#[derive(Clone, Copy, Debug)]
pub struct HlcClock {
    last: Hlc,
    limit_ms: u64,
}

impl HlcClock {
    /// A clock that never issues a stamp at or below `last`, and that peers push at most `limit_ms` past the wall clock.
    #[must_use]
    pub fn new(last: Hlc, limit_ms: u64) -> Self {
        Self { last, limit_ms }
    }

    /// The next stamp, given the wall clock (milliseconds since 1970). Larger than all before, whatever the wall clock does.
    pub fn issue(&mut self, wall_ms: u64) -> Hlc {
        self.last = Hlc(self.last.0.saturating_add(1)).max(Hlc::from_ms(wall_ms));
        self.last
    }

    /// Takes note of a peer's stamp. Moves the clock to it, but not further than the limit past the wall clock.
    /// Returns by how many milliseconds the stamp is ahead of the limit, when it is: to be reported.
    pub fn observe(&mut self, remote: Hlc, wall_ms: u64) -> Option<u64> {
        let most = Hlc::from_ms(wall_ms.saturating_add(self.limit_ms));
        self.last = self.last.max(remote.min(most));
        (remote.ms() > most.ms()).then(|| remote.ms() - most.ms())
    }

    /// The last stamp issued or observed.
    #[must_use]
    pub fn last(&self) -> Hlc {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_grow_when_the_wall_clock_stands_or_goes_back() {
        let mut clock = HlcClock::new(Hlc::default(), 500);
        let mut last = clock.issue(1_000);
        for wall in [1_000, 1_000, 900, 0, 1_001] {
            let next = clock.issue(wall);
            assert!(next > last);
            last = next;
        }
        assert_eq!(last.ms(), 1_001);
    }

    #[test]
    fn the_logical_part_overflows_into_the_next_millisecond() {
        let mut clock = HlcClock::new(Hlc::default(), 500);
        for _ in 0..70_000 {
            clock.issue(5);
        }
        assert_eq!(clock.last().ms(), 6);
    }

    #[test]
    fn a_peer_pushes_no_further_than_the_limit() {
        let mut clock = HlcClock::new(Hlc::default(), 500);
        assert_eq!(clock.observe(Hlc::from_ms(1_400), 1_000), None);
        assert_eq!(clock.last().ms(), 1_400);
        assert_eq!(clock.observe(Hlc(u64::MAX), 1_000), Some(Hlc(u64::MAX).ms() - 1_500));
        assert_eq!(clock.last().ms(), 1_500);
    }
}
