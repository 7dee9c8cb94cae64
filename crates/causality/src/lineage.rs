//! Lineage: which origin continues which, and what that lets vectors leave out.

use crate::bytes::{DecodeError, Reader, Writer};
use crate::ids::Origin;
use crate::vector::VersionVector;
use std::collections::BTreeMap;

/// What an origin's first transaction says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lineage {
    /// The node that writes under the origin.
    pub node: String,
    /// The region of that node.
    pub region: String,
    /// The origin it continues and the last number that this one had then; `None` for a data directory's first.
    pub previous: Option<(Origin, u64)>,
}

impl Lineage {
    /// The longest name of a node or region, in bytes.
    pub const MAX_NAME: usize = 64;

    /// Appends node, region, and the previous origin with its last number, or a 0.
    pub fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.node.as_bytes()).bytes(self.region.as_bytes());
        match self.previous {
            None => writer.u8(0),
            Some((origin, last)) => writer.u8(1).u64(origin.0).varint(last),
        };
    }

    /// Reads what [`Lineage::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let node = reader.str(Self::MAX_NAME, "node name")?.to_owned();
        let region = reader.str(Self::MAX_NAME, "region name")?.to_owned();
        let previous = match reader.u8("previous origin")? {
            0 => None,
            1 => {
                let origin = Origin(reader.u64("previous origin")?);
                match reader.varint("previous sequence number")? {
                    0 => return Err(DecodeError::Invalid("previous sequence number")),
                    last => Some((origin, last)),
                }
            }
            _ => return Err(DecodeError::Invalid("previous origin")),
        };
        Ok(Self { node, region, previous })
    }
}

/// The lineage of every origin that was applied.
#[derive(Clone, Debug, Default)]
pub struct Lineages {
    entries: BTreeMap<Origin, Lineage>,
}

impl Lineages {
    /// Takes note of an origin's first transaction.
    pub fn insert(&mut self, origin: Origin, lineage: Lineage) {
        self.entries.insert(origin, lineage);
    }

    /// What is known of `origin`.
    #[must_use]
    pub fn get(&self, origin: Origin) -> Option<&Lineage> {
        self.entries.get(&origin)
    }

    /// All of them, in the order of the origins.
    pub fn iter(&self) -> impl Iterator<Item = (Origin, &Lineage)> {
        self.entries.iter().map(|(origin, lineage)| (*origin, lineage))
    }

    /// The vector without the entries that a newer origin implies. Under causal delivery nothing is lost: the first
    /// transaction of an origin depends on what it continues.
    #[must_use]
    pub fn compact(&self, vector: &VersionVector) -> VersionVector {
        self.compact_for(vector, vector)
    }

    /// As [`Lineages::compact`], for a reader that has applied `known`: leaves out only what origins imply whose lineage
    /// the reader has. To anybody else the rest would stay hidden.
    #[must_use]
    pub fn compact_for(&self, vector: &VersionVector, known: &VersionVector) -> VersionVector {
        let implied = |(origin, _)| {
            let (previous, last) = self.get(origin)?.previous?;
            (known.get(origin) > 0 && vector.get(previous) <= last).then_some(previous)
        };
        let mut implied: Vec<Origin> = vector.iter().filter_map(implied).collect();
        if implied.is_empty() {
            return vector.clone();
        }
        implied.sort_unstable();
        vector.iter().filter(|(origin, _)| implied.binary_search(origin).is_err()).collect()
    }

    /// The inverse of [`Lineages::compact`], as far as the lineages are known.
    #[must_use]
    pub fn expand(&self, vector: &VersionVector) -> VersionVector {
        let mut risen: BTreeMap<Origin, u64> = BTreeMap::new();
        let mut open: Vec<Origin> = vector.iter().map(|(origin, _)| origin).collect();
        while let Some(origin) = open.pop() {
            let Some((previous, last)) = self.get(origin).and_then(|lineage| lineage.previous) else { continue };
            // Only what rises is looked at again, so that a lineage that (wrongly) bites its tail ends.
            if vector.get(previous).max(risen.get(&previous).copied().unwrap_or(0)) < last {
                risen.insert(previous, last);
                open.push(previous);
            }
        }
        if risen.is_empty() { vector.clone() } else { vector.iter().chain(risen).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(previous: Option<(u64, u64)>) -> Lineage {
        let previous = previous.map(|(origin, last)| (Origin(origin), last));
        Lineage { node: "n".into(), region: "r".into(), previous }
    }

    fn vector(entries: &[(u64, u64)]) -> VersionVector {
        entries.iter().map(|(origin, seq)| (Origin(*origin), *seq)).collect()
    }

    #[test]
    fn what_a_newer_origin_implies_is_left_out_and_comes_back() {
        let mut lineages = Lineages::default();
        lineages.insert(Origin(1), lineage(None));
        lineages.insert(Origin(2), lineage(Some((1, 10))));
        lineages.insert(Origin(3), lineage(Some((2, 4))));
        let full = vector(&[(1, 10), (2, 4), (3, 1), (9, 2)]);
        let compact = lineages.compact(&full);
        assert_eq!(compact, vector(&[(3, 1), (9, 2)]));
        assert_eq!(lineages.expand(&compact), full);
    }

    #[test]
    fn a_reader_without_the_lineage_is_told_everything() {
        let mut lineages = Lineages::default();
        lineages.insert(Origin(1), lineage(None));
        lineages.insert(Origin(2), lineage(Some((1, 10))));
        let full = vector(&[(1, 10), (2, 4)]);
        assert_eq!(lineages.compact_for(&full, &vector(&[])), full);
        assert_eq!(lineages.compact_for(&full, &vector(&[(1, 10), (2, 1)])), vector(&[(2, 4)]));
    }

    #[test]
    fn what_a_rolled_back_disk_forgot_is_kept() {
        let mut lineages = Lineages::default();
        lineages.insert(Origin(2), lineage(Some((1, 7))));
        let full = vector(&[(1, 10), (2, 1)]);
        assert_eq!(lineages.compact(&full), full);
        assert_eq!(lineages.expand(&full), full);
    }
}
