//! Rows that were read or written not long ago.
//!
//! The engine is the store's only writer, so what it read stays true until it writes; what it committed is what it will
//! read. A row may lie in few slots only, found by a hash of its key, and the newest come first: finding costs one or two
//! comparisons however many rows there are. Both the slots and the bytes in them are bounded.

use xxhash_rust::xxh3::xxh3_64;

/// How many slots a row may lie in.
const WAYS: usize = 2;
/// How many slots there are at first, and at the most: they double while half of them are in use.
const FEWEST: usize = 1 << 10;
const MOST: usize = 1 << 18;
/// The most bytes of a key and a value that are kept.
const MAX_BYTES: usize = 384;
/// The most bytes of all rows; with the slots and what an allocation costs, the cache stays below 32 MiB.
const ALL_BYTES: usize = 22 << 20;
/// What a row costs beside its bytes, roughly.
const BESIDE: usize = 16;

/// A key, and its row if there is one.
#[derive(Clone, Debug)]
struct Entry {
    /// The key, and after it the value.
    bytes: Box<[u8]>,
    hash: u32,
    key: u16,
    exists: bool,
}

/// A bounded cache of rows and of their absence. Takes no memory before it is used.
#[derive(Debug, Default)]
pub(crate) struct RowCache {
    slots: Vec<Option<Entry>>,
    used: usize,
    bytes: usize,
    /// The slot that is emptied next when there are too many bytes.
    hand: usize,
}

impl Entry {
    fn new(hash: u32, key: &[u8], value: Option<&[u8]>) -> Self {
        let bytes = [key, value.unwrap_or_default()].concat().into_boxed_slice();
        Self { bytes, hash, key: key.len() as u16, exists: value.is_some() }
    }

    fn is_of(&self, hash: u32, key: &[u8]) -> bool {
        self.hash == hash && self.bytes.get(..usize::from(self.key)) == Some(key)
    }

    fn value(&self) -> Option<&[u8]> {
        self.bytes.get(usize::from(self.key)..).filter(|_| self.exists)
    }

    fn cost(&self) -> usize {
        self.bytes.len() + BESIDE
    }
}

impl RowCache {
    /// What is known of a key: `None` when nothing is, `Some(None)` when there is no such row.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let hash = hash(key);
        let set = self.slots.get(self.set(hash)..)?.get(..WAYS)?;
        set.iter().flatten().find(|entry| entry.is_of(hash, key)).map(Entry::value)
    }

    /// Takes note of what a row is.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        let hash = hash(key);
        self.forget(hash, key);
        if key.len() + value.map_or(0, <[u8]>::len) > MAX_BYTES {
            return;
        }
        if self.used >= self.slots.len() / 2 && self.slots.len() < MOST {
            self.grow();
        }
        self.insert(Entry::new(hash, key, value));
        while self.bytes > ALL_BYTES {
            self.hand = (self.hand + 1) % self.slots.len();
            self.clear(self.hand);
        }
    }

    /// What was known of it is true no more.
    fn forget(&mut self, hash: u32, key: &[u8]) {
        let set = self.set(hash);
        for slot in set..self.slots.len().min(set + WAYS) {
            if self.slots[slot].as_ref().is_some_and(|entry| entry.is_of(hash, key)) {
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

fn hash(key: &[u8]) -> u32 {
    xxh3_64(key) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_known_and_never_anything_old() {
        let mut cache = RowCache::default();
        assert_eq!(cache.get(b"k"), None);
        for n in 0..200_000u32 {
            cache.put(&n.to_be_bytes(), Some(&[n as u8; 10]));
            assert_eq!(cache.get(&n.to_be_bytes()), Some(Some(&[n as u8; 10][..])));
        }
        cache.put(b"k", Some(&[1]));
        cache.put(b"k", None);
        assert_eq!(cache.get(b"k"), Some(None), "that there is none is known too");
        cache.put(b"k", Some(&[2; MAX_BYTES]));
        assert_eq!(cache.get(b"k"), None, "what is too large is not kept, nor what was there before");
    }

    #[test]
    fn rows_stay_known_while_others_come_that_there_is_room_for() {
        let mut cache = RowCache::default();
        let all = 50_000u32;
        // Twice, for while it grows it has less room.
        (0..all).chain(0..all).for_each(|n| cache.put(&n.to_be_bytes(), Some(&n.to_le_bytes())));
        let known = (0..all).filter(|n| cache.get(&n.to_be_bytes()) == Some(Some(&n.to_le_bytes()[..]))).count();
        assert!(known as u32 > all * 9 / 10, "{known}");
    }

    #[test]
    fn it_is_bounded() {
        let (mut cache, mut most) = (RowCache::default(), 0);
        for n in 0..300_000u32 {
            cache.put(&n.to_be_bytes(), Some(&[1; 300]));
            most = most.max(cache.bytes);
        }
        assert!(most > ALL_BYTES - 1_000 && most <= ALL_BYTES, "{most}");
        let entries = || cache.slots.iter().flatten();
        assert_eq!((cache.used, cache.bytes), (entries().count(), entries().map(Entry::cost).sum()));
        assert!(cache.slots.len() <= MOST && size_of::<Option<Entry>>() <= 24);
    }
}
