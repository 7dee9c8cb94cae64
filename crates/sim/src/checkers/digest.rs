//! I5: equal version vectors, equal digests, across all nodes and all times of a run; and the digest that a replica keeps as
//! rows change is the digest of the rows.

use super::spec::State;
use anabranch_causality::{Dot, Kind, Origin, ShardId, Tag, VersionVector, Writer};
use anabranch_engine::digest::{self, Deltas, Digest, Place};
use anabranch_engine::keys::CollectionId;
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

/// The digest of a state, worked out from nothing.
pub(crate) fn of(state: &State) -> u64 {
    let mut deltas = Deltas::default();
    // Numbers of collections are a replica's own: no part of the hash.
    let id = CollectionId(0);
    for ((collection, kind), (stamp, operation)) in &state.collections {
        let place = Place { collection, kind: Kind(*kind), id, key: "" };
        let tag = Tag { operation: *operation, position: 0 };
        deltas.add(digest::CATALOG, place.hash(&[], Some((&tag, stamp.0)), &[]));
    }
    for (((collection, kind, key, subkey), tag), (stamp, payload)) in &state.rows {
        let place = Place { collection, kind: Kind(*kind), id, key };
        let bucket = digest::bucket_of(collection, Kind(*kind), key);
        deltas.add(bucket, place.hash(subkey, Some((tag, stamp.0)), payload));
    }
    for ((collection, kind, key, subkey), sum) in &state.sums {
        let place = Place { collection, kind: Kind(*kind), id, key };
        let bucket = digest::bucket_of(collection, Kind(*kind), key);
        deltas.add(bucket, place.hash(subkey, None, &sum.to_le_bytes()));
    }
    for ((collection, kind, key, subkey), updates) in &state.texts {
        let place = Place { collection, kind: Kind(*kind), id, key };
        let bucket = digest::bucket_of(collection, Kind(*kind), key);
        updates.iter().for_each(|(tag, update)| deltas.add(bucket, place.hash_change(subkey, tag, update)));
    }
    let mut digest = Digest::default();
    digest.apply(Dot { shard: ShardId(0), origin: Origin(0), seq: 0 }, &deltas);
    digest.total()
}
