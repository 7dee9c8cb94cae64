//! Rows that were read or written not long ago, for the writer and for all readers.
//!
//! A row may lie in few slots only, found by a hash of its key, and the newest come first: finding costs one or two
//! comparisons however many rows there are. Both the slots and the bytes in them are bounded.
//!
//! Readers see different states, so each bucket of keys has the number of the batch that last changed one of them. What
//! is kept of its keys is what every state shows that has that batch; older states look into the tree.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anabranch_engine::store::Space;
use lsm_tree::SeqNo;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How many parts there are, each with its lock.
const SHARDS: usize = 64;
/// How many buckets a shard has.
const BUCKETS: usize = 1 << 10;
/// How many slots a row may lie in.
const WAYS: usize = 2;
/// How many slots a shard has at first, and at the most: they double while a quarter of them is in use.
const FEWEST: usize = 1 << 4;
const MOST: usize = 1 << 12;
/// The most bytes of a key and a value that are kept.
const MAX_BYTES: usize = 384;
/// The most bytes of a shard's rows; with the slots and what an allocation costs, the cache stays below 32 MiB.
const SHARD_BYTES: usize = (22 << 20) / SHARDS;
/// What a row costs beside its bytes, roughly.
const BESIDE: usize = 16;

/// A bounded cache of rows and of their absence.
pub(crate) struct RowCache {
    shards: Vec<Mutex<Shard>>,
}

/// Room for a copy of any value that is kept.
pub(crate) struct Copied([u8; MAX_BYTES]);

struct Shard {
    /// The batch that last changed a key of each bucket.
    changed: Vec<SeqNo>,
    slots: Vec<Option<Entry>>,
    used: usize,
    bytes: usize,
    /// The slot that is emptied next when there are too many bytes.
    hand: usize,
}

/// A key, and its row if there is one.
#[derive(Clone)]
struct Entry {
    /// The key, and after it the value.
    bytes: Box<[u8]>,
    hash: u32,
    key: u16,
    space: u8,
    exists: bool,
}

/// A key, and where it belongs.
#[derive(Clone, Copy)]
struct Place<'a> {
    space: Space,
    key: &'a [u8],
    shard: usize,
    bucket: usize,
    hash: u32,
}

impl Default for Copied {
    fn default() -> Self {
        Self([0; MAX_BYTES])
    }
}

impl RowCache {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect() }
    }

    /// What is known of a key in the state before batch `seqno`: `None` when nothing is, `Some(None)` when there is no such row.
    pub(crate) fn get<'a>(
        &self,
        seqno: SeqNo,
        space: Space,
        key: &[u8],
        copied: &'a mut Copied,
    ) -> Option<Option<&'a [u8]>> {
        let place = Place::of(space, key)?;
        let shard = self.lock(place);
        if shard.changed[place.bucket] >= seqno {
            return None;
        }
        let Some(value) = shard.get(place)?.value() else { return Some(None) };
        let copied = copied.0.get_mut(..value.len())?;
        copied.copy_from_slice(value);
        Some(Some(copied))
    }

    /// Takes note of what a row is in the state before batch `seqno`, unless it, or one of its bucket, has changed since.
    pub(crate) fn found(&self, seqno: SeqNo, space: Space, key: &[u8], value: Option<&[u8]>) {
        let Some(place) = Place::of(space, key) else { return };
        let mut shard = self.lock(place);
        if shard.changed[place.bucket] < seqno {
            shard.put(place, value);
        }
    }

    /// Takes note of what batch `seqno` makes of a row, before any state has that batch.
    pub(crate) fn change(&self, seqno: SeqNo, space: Space, key: &[u8], value: Option<&[u8]>) {
        let Some(place) = Place::of(space, key) else { return };
        let mut shard = self.lock(place);
        shard.changed[place.bucket] = seqno;
        match space {
            // Hardly ever looked at again.
            Space::Actors => shard.forget(place),
            _ => shard.put(place, value),
        }
    }

    /// Nothing panics while it is held.
    fn lock(&self, place: Place<'_>) -> MutexGuard<'_, Shard> {
        self.shards[place.shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Place<'a> {
    /// `None` for spaces whose rows are hardly ever looked up one by one.
    fn of(space: Space, key: &'a [u8]) -> Option<Self> {
        if !matches!(space, Space::Rows | Space::Actors) {
            return None;
        }
        let hash = xxh3_64_with_seed(key, space as u64);
        let (shard, bucket) = ((hash >> 58) as usize % SHARDS, (hash >> 32) as usize % BUCKETS);
        Some(Self { space, key, shard, bucket, hash: hash as u32 })
    }
}

impl Entry {
    fn new(place: Place<'_>, value: Option<&[u8]>) -> Self {
        let bytes = [place.key, value.unwrap_or_default()].concat().into_boxed_slice();
        let (key, space) = (place.key.len() as u16, place.space as u8);
        Self { bytes, hash: place.hash, key, space, exists: value.is_some() }
    }

    fn is_of(&self, place: Place<'_>) -> bool {
        self.hash == place.hash
            && self.space == place.space as u8
            && self.bytes.get(..usize::from(self.key)) == Some(place.key)
    }

    fn value(&self) -> Option<&[u8]> {
        self.bytes.get(usize::from(self.key)..).filter(|_| self.exists)
    }

    fn cost(&self) -> usize {
        self.bytes.len() + BESIDE
    }
}

impl Shard {
    /// Takes no memory for slots before it is used.
    fn new() -> Self {
        Self { changed: vec![0; BUCKETS], slots: Vec::new(), used: 0, bytes: 0, hand: 0 }
    }

    fn get(&self, place: Place<'_>) -> Option<&Entry> {
        let set = self.slots.get(self.set(place.hash)..)?.get(..WAYS)?;
        set.iter().flatten().find(|entry| entry.is_of(place))
    }

    fn put(&mut self, place: Place<'_>, value: Option<&[u8]>) {
        self.forget(place);
        if place.key.len() + value.map_or(0, <[u8]>::len) > MAX_BYTES {
            return;
        }
        if self.used >= self.slots.len() / 4 && self.slots.len() < MOST {
            self.grow();
        }
        self.insert(Entry::new(place, value));
        while self.bytes > SHARD_BYTES {
            self.hand = (self.hand + 1) % self.slots.len();
            self.clear(self.hand);
        }
    }

    /// What was known of it is true no more.
    fn forget(&mut self, place: Place<'_>) {
        let set = self.set(place.hash);
        for slot in set..self.slots.len().min(set + WAYS) {
            if self.slots[slot].as_ref().is_some_and(|entry| entry.is_of(place)) {
                self.clear(slot);
            }
        }
    }

    /// As the first of its set; the last of it goes.
    fn insert(&mut self, entry: Entry) {
        let set = self.set(entry.hash);
        let free = (set..set + WAYS).find(|slot| self.slots[*slot].is_none()).unwrap_or(set + WAYS - 1);
        self.clear(free);
        self.used += 1;
        self.bytes += entry.cost();
        self.slots[free] = Some(entry);
        self.slots[set..=free].rotate_right(1);
    }

    fn clear(&mut self, slot: usize) {
        if let Some(entry) = self.slots[slot].take() {
            self.used -= 1;
            self.bytes -= entry.cost();
        }
    }

    fn grow(&mut self) {
        let many = (self.slots.len() * 2).max(FEWEST);
        let before = std::mem::replace(&mut self.slots, vec![None; many]);
        (self.used, self.bytes, self.hand) = (0, 0, 0);
        // The newest of a set last, so that they come first again.
        before.into_iter().rev().flatten().for_each(|entry| self.insert(entry));
    }

    /// The first slot in which a row with that hash may lie.
    fn set(&self, hash: u32) -> usize {
        (hash as usize * WAYS) & self.slots.len().saturating_sub(1)
    }
}

#[cfg(test)]
#[path = "cache_test.rs"]
mod tests;
