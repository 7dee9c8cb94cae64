//! Version vectors: origin → highest sequence number applied, always a gap-free prefix.

use crate::bytes::{DecodeError, Reader, Writer};
use crate::ids::Origin;
use crate::sorted::Sorted;
use std::cmp::Reverse;
use std::fmt;

/// What a replica has applied of one shard. An origin that is absent stands for 0. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionVector {
    entries: Sorted<Origin, u64>,
}

impl VersionVector {
    /// The most origins that a decoded vector may name.
    pub const MAX_ORIGINS: usize = 65_536;

    /// Nothing applied.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The highest sequence number of `origin`, 0 when there is none.
    #[must_use]
    pub fn get(&self, origin: Origin) -> u64 {
        self.entries.get(origin).copied().unwrap_or(0)
    }

    /// Raises the entry of `origin` to at least `seq`. A `seq` of 0 changes nothing.
    pub fn raise(&mut self, origin: Origin, seq: u64) {
        if seq > self.get(origin) {
            self.entries.set(origin, seq);
        }
    }

    /// Sets the entry of `origin`, which may lower it; 0 removes it.
    pub fn set(&mut self, origin: Origin, seq: u64) {
        if seq == 0 {
            self.entries.remove(origin);
        } else {
            self.entries.set(origin, seq);
        }
    }

    /// Raises every entry to at least the other's: the least vector that covers both.
    pub fn join(&mut self, other: &Self) {
        if self.covers(other) {
            return;
        }
        if other.covers(self) {
            self.clone_from(other);
            return;
        }
        *self = self.iter().chain(other.iter()).collect();
    }

    /// Whether every entry is at least the other's.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other.iter().all(|(origin, seq)| self.get(origin) >= seq)
    }

    /// Entries in the order of their origins; never one with 0.
    pub fn iter(&self) -> impl Iterator<Item = (Origin, u64)> + '_ {
        self.entries.iter().map(|(origin, seq)| (origin, *seq))
    }

    /// How many origins it names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// Appends a count, then origin (8 bytes) and sequence number (varint) each, in ascending order.
    pub fn encode(&self, writer: &mut Writer) {
        writer.varint(self.entries.len() as u64);
        for (origin, seq) in self.iter() {
            writer.u64(origin.0).varint(seq);
        }
    }

    /// Reads what [`VersionVector::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`] also for more than [`VersionVector::MAX_ORIGINS`] entries, origins out of order or twice, and
    /// sequence numbers of 0 or `u64::MAX`.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(Self::MAX_ORIGINS, 9, "version vector")?;
        let mut entries = Vec::with_capacity(count);
        let mut last = None;
        for _ in 0..count {
            let origin = Origin(reader.u64("origin")?);
            let seq = reader.varint("sequence number")?;
            if last >= Some(origin) {
                return Err(DecodeError::Invalid("order of origins"));
            }
            if seq == 0 || seq == u64::MAX {
                return Err(DecodeError::Invalid("sequence number"));
            }
            entries.push((origin, seq));
            last = Some(origin);
        }
        Ok(Self { entries: Sorted::from_ascending(entries) })
    }
}

impl FromIterator<(Origin, u64)> for VersionVector {
    fn from_iter<I: IntoIterator<Item = (Origin, u64)>>(entries: I) -> Self {
        let mut entries: Vec<(Origin, u64)> = entries.into_iter().filter(|(_, seq)| *seq > 0).collect();
        // Of one origin the highest comes first, and stays.
        entries.sort_unstable_by_key(|(origin, seq)| (*origin, Reverse(*seq)));
        entries.dedup_by_key(|(origin, _)| *origin);
        Self { entries: Sorted::from_ascending(entries) }
    }
}

impl fmt::Display for VersionVector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (origin, seq)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{origin}:{seq}")?;
        }
        f.write_str("}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(entries: &[(u64, u64)]) -> VersionVector {
        entries.iter().map(|(origin, seq)| (Origin(*origin), *seq)).collect()
    }

    #[test]
    fn a_join_covers_both() {
        let (a, b) = (vector(&[(1, 5), (2, 3)]), vector(&[(2, 4), (3, 1)]));
        let mut joined = a.clone();
        joined.join(&b);
        assert_eq!(joined, vector(&[(1, 5), (2, 4), (3, 1)]));
        assert!(joined.covers(&a) && joined.covers(&b) && !a.covers(&b));
    }

    #[test]
    fn hostile_vectors_are_refused() {
        let encode = |entries: &[(u64, u64)]| {
            let mut writer = Writer::new();
            writer.varint(entries.len() as u64);
            for (origin, seq) in entries {
                writer.u64(*origin).varint(*seq);
            }
            writer.into_bytes()
        };
        for bad in [
            encode(&[(2, 1), (1, 1)]),
            encode(&[(1, 1), (1, 2)]),
            encode(&[(1, 0)]),
            encode(&[(1, u64::MAX)]),
            vec![0xff, 0xff, 0x7f],
        ] {
            assert!(VersionVector::decode(&mut Reader::new(&bad)).is_err());
        }
        let good = encode(&[(1, 1), (2, 7)]);
        assert_eq!(VersionVector::decode(&mut Reader::new(&good)), Ok(vector(&[(1, 1), (2, 7)])));
    }
}
