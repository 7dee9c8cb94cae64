//! The four guarantees of a session.

/// Which of the session's two vectors a call waits for. All four together are causal consistency, the default.
///
/// Dropping one changes what is waited for, never what a write saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// Reads wait for what the session wrote.
    pub read_your_writes: bool,
    /// Reads wait for what the session read.
    pub monotonic_reads: bool,
    /// Writes wait for what the session wrote.
    pub monotonic_writes: bool,
    /// Writes wait for what the session read.
    pub writes_follow_reads: bool,
}

impl Guarantees {
    /// Causal consistency.
    pub const ALL: Self =
        Self { read_your_writes: true, monotonic_reads: true, monotonic_writes: true, writes_follow_reads: true };
    /// Eventual: nothing is waited for. A read is still one causal cut.
    pub const NONE: Self =
        Self { read_your_writes: false, monotonic_reads: false, monotonic_writes: false, writes_follow_reads: false };

    /// With or without [`Guarantees::read_your_writes`].
    #[must_use]
    pub fn read_your_writes(mut self, on: bool) -> Self {
        self.read_your_writes = on;
        self
    }

    /// With or without [`Guarantees::monotonic_reads`].
    #[must_use]
    pub fn monotonic_reads(mut self, on: bool) -> Self {
        self.monotonic_reads = on;
        self
    }

    /// With or without [`Guarantees::monotonic_writes`].
    #[must_use]
    pub fn monotonic_writes(mut self, on: bool) -> Self {
        self.monotonic_writes = on;
        self
    }

    /// With or without [`Guarantees::writes_follow_reads`].
    #[must_use]
    pub fn writes_follow_reads(mut self, on: bool) -> Self {
        self.writes_follow_reads = on;
        self
    }

    /// As four bits, in the order of the fields, the first lowest.
    pub(crate) fn bits(self) -> u8 {
        let flags = [self.read_your_writes, self.monotonic_reads, self.monotonic_writes, self.writes_follow_reads];
        flags.iter().rev().fold(0, |bits, on| bits << 1 | u8::from(*on))
    }

    /// What [`Guarantees::bits`] gave; higher bits are not looked at.
    pub(crate) fn from_bits(bits: u8) -> Self {
        Self {
            read_your_writes: bits & 1 != 0,
            monotonic_reads: bits & 2 != 0,
            monotonic_writes: bits & 4 != 0,
            writes_follow_reads: bits & 8 != 0,
        }
    }
}

impl Default for Guarantees {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_chosen_by_itself() {
        let without = Guarantees::ALL.monotonic_reads(false);
        assert!(!without.monotonic_reads && without.read_your_writes);
        assert_eq!(without.monotonic_reads(true), Guarantees::default());
        let only = Guarantees::NONE.read_your_writes(true).writes_follow_reads(true).monotonic_writes(false);
        assert_eq!(only.bits(), 0b1001);
    }

    #[test]
    fn bits_come_back() {
        for bits in 0..16 {
            assert_eq!(Guarantees::from_bits(bits).bits(), bits);
        }
        assert_eq!((Guarantees::NONE.bits(), Guarantees::ALL.bits()), (0, 15));
    }
}
