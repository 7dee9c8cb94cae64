//! I5: equal version vectors, equal digests, across all nodes and all times of a run.

use anabranch_causality::{VersionVector, Writer};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

/// All digests seen, by what had been applied.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    seen: BTreeMap<u128, (u64, String)>,
}

impl Digests {
    /// `who` holds exactly `vector`, and its digest is this.
    pub(crate) fn check(&mut self, who: &str, vector: &VersionVector, digest: u64) -> Result<(), String> {
        let mut writer = Writer::new();
        vector.encode(&mut writer);
        let (before, whose) = self.seen.entry(xxh3_128(writer.as_bytes())).or_insert_with(|| (digest, who.to_owned()));
        if *before == digest {
            return Ok(());
        }
        Err(format!("digest {digest:016x} of {who} and {before:016x} of {whose} at the same vector {vector}"))
    }
}
