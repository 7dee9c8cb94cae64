//! The digest: a hash of the logical state, kept incrementally, in buckets of keys.
//!
//! A bucket's digest is the sum of the hashes of its rows, so that it does not depend on the order in which they came and
//! a row's coming and going costs one addition each. Beside it stands a hash of the *set of transactions* that touched
//! the bucket: two replicas whose buckets were touched by the same set must agree on the rows, also while the rest of
//! the state differs, so that busy replicas can be compared.

use crate::keys::CollectionId;
use crate::store::StoreError;
use anabranch_causality::{DecodeError, Dot, Kind, Reader, Tag, Writer};
use std::collections::VecDeque;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128};

/// How many buckets there are: 256 of keys, one of the collections.
pub const BUCKETS: usize = 257;
/// The bucket of the collections.
pub const CATALOG: u16 = 256;
/// How many former states of a bucket are remembered for comparing.
const HISTORY: usize = 8;

/// One bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Sum of the hashes of the rows.
    pub digest: u128,
    /// Sum of the hashes of the dots of the transactions that touched it.
    pub touched: u64,
}

/// All buckets, with some of their past.
#[derive(Clone, Debug)]
pub struct Digest {
    buckets: Vec<Bucket>,
    history: Vec<VecDeque<Bucket>>,
}

/// What one transaction did to the buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deltas {
    /// In the order of the buckets: nearly always two.
    sums: Vec<(u16, u128)>,
}

impl Deltas {
    /// A row with that hash came.
    pub fn add(&mut self, bucket: u16, hash: u128) {
        match self.sums.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(at) => self.sums[at].1 = self.sums[at].1.wrapping_add(hash),
            Err(at) => self.sums.insert(at, (bucket, hash)),
        }
    }

    /// A row with that hash went.
    pub fn remove(&mut self, bucket: u16, hash: u128) {
        self.add(bucket, hash.wrapping_neg());
    }

    /// Takes note that a bucket was touched, even when nothing in it changed.
    pub fn touch(&mut self, bucket: u16) {
        self.add(bucket, 0);
    }

    /// The buckets and what was added to each.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u128)> + '_ {
        self.sums.iter().copied()
    }

    /// Appends a count, then bucket and sum each.
    pub fn encode(&self, writer: &mut Writer) {
        writer.varint(self.sums.len() as u64);
        for (bucket, sum) in self.iter() {
            writer.varint(u64::from(bucket)).raw(&sum.to_le_bytes());
        }
    }

    /// Reads what [`Deltas::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut deltas = Self::default();
        let mut next = 0;
        for _ in 0..reader.count(BUCKETS, 17, "buckets")? {
            let bucket = read_bucket(reader, &mut next)?;
            deltas.sums.push((bucket, u128::from_le_bytes(reader.array("bucket")?)));
        }
        Ok(deltas)
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self { buckets: vec![Bucket::default(); BUCKETS], history: vec![VecDeque::new(); BUCKETS] }
    }
}

impl Digest {
    /// Takes in what the transaction with that dot did.
    pub fn apply(&mut self, dot: Dot, deltas: &Deltas) {
        for (index, sum) in deltas.iter() {
            let bucket = &mut self.buckets[usize::from(index)];
            let history = &mut self.history[usize::from(index)];
            if history.len() == HISTORY {
                history.pop_front();
            }
            history.push_back(*bucket);
            bucket.digest = bucket.digest.wrapping_add(sum);
            bucket.touched = bucket.touched.wrapping_add(hash_dot(dot));
        }
    }

    /// Takes in rows that changed without a transaction: a collection that was parked and is no more. The past of the
    /// buckets is forgotten, for it lacked these rows.
    pub fn catch_up(&mut self, deltas: &Deltas) {
        for (index, sum) in deltas.iter() {
            let bucket = &mut self.buckets[usize::from(index)];
            bucket.digest = bucket.digest.wrapping_add(sum);
            self.history[usize::from(index)].clear();
        }
    }

    /// One bucket as it is now.
    #[must_use]
    pub fn bucket(&self, index: u16) -> Bucket {
        self.buckets[usize::from(index)]
    }

    /// The bucket's digest when exactly the transactions with that hash had touched it, if that is now or not long ago.
    #[must_use]
    pub fn at(&self, index: u16, touched: u64) -> Option<u128> {
        let now = self.buckets.get(usize::from(index))?;
        let past = self.history.get(usize::from(index))?;
        past.iter().chain([now]).rev().find(|bucket| bucket.touched == touched).map(|bucket| bucket.digest)
    }

    /// The digest of everything.
    #[must_use]
    pub fn total(&self) -> u64 {
        let mut hasher = Xxh3::new();
        for bucket in &self.buckets {
            hasher.update(&bucket.digest.to_le_bytes());
        }
        hasher.digest()
    }

    /// Appends digest and touched of every bucket that was ever touched.
    pub fn encode(&self, writer: &mut Writer) {
        let used = || self.buckets.iter().enumerate().filter(|(_, bucket)| **bucket != Bucket::default());
        writer.varint(used().count() as u64);
        for (index, bucket) in used() {
            writer.varint(index as u64).raw(&bucket.digest.to_le_bytes()).u64(bucket.touched);
        }
    }

    /// Reads what [`Digest::encode`] wrote.
    ///
    /// # Errors
    /// [`StoreError`] when the bytes cannot be that.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut digest = Self::default();
        let mut next = 0;
        for _ in 0..reader.count(BUCKETS, 25, "buckets")? {
            let index = read_bucket(reader, &mut next)?;
            let sum = u128::from_le_bytes(reader.array("bucket")?);
            let bucket = Bucket { digest: sum, touched: reader.u64("bucket")? };
            if bucket == Bucket::default() {
                return Err(DecodeError::Invalid("bucket"));
            }
            digest.buckets[usize::from(index)] = bucket;
        }
        Ok(digest)
    }
}

/// A bucket's number: `next` or above, for they come in ascending order.
fn read_bucket(reader: &mut Reader<'_>, next: &mut u16) -> Result<u16, DecodeError> {
    match reader.varint("bucket")? {
        bucket if bucket < BUCKETS as u64 && bucket >= u64::from(*next) => {
            *next = bucket as u16 + 1;
            Ok(bucket as u16)
        }
        _ => Err(DecodeError::Invalid("bucket")),
    }
}

/// What a bucket's digest is shortened to in messages.
#[must_use]
pub fn fold(digest: u128) -> u64 {
    (digest as u64) ^ ((digest >> 64) as u64)
}

/// The bucket of a key.
#[must_use]
pub fn bucket_of(collection: &str, kind: Kind, key: &str) -> u16 {
    bucket_in(&mut Vec::new(), collection, kind, key)
}

/// As [`bucket_of`], with a buffer for what is hashed.
pub(crate) fn bucket_in(buffer: &mut Vec<u8>, collection: &str, kind: Kind, key: &str) -> u16 {
    buffer.clear();
    for part in [collection.as_bytes(), &[0, kind.0], key.as_bytes()] {
        buffer.extend_from_slice(part);
    }
    (xxh3_64(buffer) & 0xff) as u16
}

/// Where a row stands, for its hash: names, not this replica's numbers.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The collection's name.
    pub collection: &'a str,
    /// Its kind.
    pub kind: Kind,
    /// Its number in this store; not part of the hash.
    pub id: CollectionId,
    /// The key.
    pub key: &'a str,
}

impl Place<'_> {
    /// The hash of a row, or of a sum (no tag).
    #[must_use]
    pub fn hash(&self, subkey: &[u8], row: Option<(&Tag, u64)>, payload: &[u8]) -> u128 {
        self.hash_in(&mut Vec::new(), subkey, row, payload)
    }

    /// As [`Place::hash`], with a buffer for what is hashed.
    pub(crate) fn hash_in(
        &self,
        buffer: &mut Vec<u8>,
        subkey: &[u8],
        row: Option<(&Tag, u64)>,
        payload: &[u8],
    ) -> u128 {
        self.hash_after(buffer, subkey, payload, |writer| match row {
            None => drop(writer.u8(0)),
            Some((tag, stamp)) => {
                writer.u8(1).u64(stamp);
                tag.encode(writer);
            }
        })
    }

    /// The hash of a change that was piled up: `tag` names the operation and the change's place among those that it makes
    /// in this key. A pile's part in the digest is the sum over its changes, whether they were merged or not.
    #[must_use]
    pub fn hash_change(&self, subkey: &[u8], tag: &Tag, payload: &[u8]) -> u128 {
        self.hash_after(&mut Vec::new(), subkey, payload, |writer| {
            writer.u8(2);
            tag.encode(writer);
        })
    }

    /// The hash of the place, what `more` writes, and a payload.
    fn hash_after(&self, buffer: &mut Vec<u8>, subkey: &[u8], payload: &[u8], more: impl FnOnce(&mut Writer)) -> u128 {
        buffer.clear();
        buffer.reserve(160 + payload.len());
        let mut writer = Writer::append_to(std::mem::take(buffer));
        writer.bytes(self.collection.as_bytes()).u8(self.kind.0).bytes(self.key.as_bytes()).bytes(subkey);
        more(&mut writer);
        writer.raw(payload);
        *buffer = writer.into_bytes();
        xxh3_128(buffer)
    }
}

fn hash_dot(dot: Dot) -> u64 {
    let mut bytes = [0; 18];
    bytes[..2].copy_from_slice(&dot.shard.0.to_le_bytes());
    bytes[2..10].copy_from_slice(&dot.origin.0.to_le_bytes());
    bytes[10..].copy_from_slice(&dot.seq.to_le_bytes());
    xxh3_64(&bytes)
}

/// A corrupt digest row.
pub(crate) fn corrupt(error: DecodeError) -> StoreError {
    StoreError::corrupt(format!("digest: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Origin, ShardId};

    fn dot(seq: u64) -> Dot {
        Dot { shard: ShardId(0), origin: Origin(1), seq }
    }

    #[test]
    fn the_order_of_transactions_does_not_matter_and_the_past_is_found() {
        let (mut one, mut two) = (Deltas::default(), Deltas::default());
        one.add(3, 7);
        two.remove(3, 7);
        two.add(4, 9);
        let (mut a, mut b) = (Digest::default(), Digest::default());
        a.apply(dot(1), &one);
        let middle = a.bucket(3);
        a.apply(dot(2), &two);
        b.apply(dot(2), &two);
        b.apply(dot(1), &one);
        assert_eq!(a.buckets, b.buckets);
        assert_eq!(a.total(), b.total());
        assert_eq!(a.at(3, middle.touched), Some(7));
        assert_eq!(a.at(3, 12345), None);
    }

    #[test]
    fn digests_and_deltas_come_back() {
        let mut deltas = Deltas::default();
        deltas.add(200, u128::MAX);
        deltas.touch(256);
        let mut writer = Writer::new();
        deltas.encode(&mut writer);
        assert_eq!(Deltas::decode(&mut Reader::new(writer.as_bytes())), Ok(deltas.clone()));
        let mut digest = Digest::default();
        digest.apply(dot(1), &deltas);
        let mut writer = Writer::new();
        digest.encode(&mut writer);
        let back = Digest::decode(&mut Reader::new(writer.as_bytes())).expect("a digest");
        assert_eq!(back.buckets, digest.buckets);
    }
}
