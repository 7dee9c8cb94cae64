//! Rows that were read or written not long ago.
//!
//! The engine is the store's only writer, so what it read stays true until it writes; what it committed is what it will
//! read. A row has one slot, found by a hash of its key, and whoever comes later takes it: finding costs one comparison
//! however many rows there are, and the size is bounded by the number of slots.

use xxhash_rust::xxh3::xxh3_64;

const SLOTS: usize = 1 << 16;
/// The most bytes of a key and a value that are kept. With this many slots, the cache stays below 32 MiB.
const MAX_BYTES: usize = 384;

/// A key, and its row if there is one.
type Entry = (Vec<u8>, Option<Vec<u8>>);

/// A bounded cache of rows and of their absence. Takes no memory before it is used.
#[derive(Debug, Default)]
pub(crate) struct RowCache {
    slots: Vec<Option<Entry>>,
}

impl RowCache {
    /// What is known of a key: `None` when nothing is, `Some(None)` when there is no such row.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        let (known, value) = self.slots.get(slot(key))?.as_ref()?;
        (known == key).then_some(value.as_deref())
    }

    /// Takes note of what a row is.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let slot = &mut self.slots[slot(&key)];
        let small = key.len() + value.as_ref().map_or(0, Vec::len) <= MAX_BYTES;
        if small {
            *slot = Some((key, value));
        } else if slot.as_ref().is_some_and(|(known, _)| *known == key) {
            // What was known of it is true no more.
            *slot = None;
        }
    }
}

fn slot(key: &[u8]) -> usize {
    xxh3_64(key) as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_known_and_never_anything_old() {
        let mut cache = RowCache::default();
        assert_eq!(cache.get(b"k"), None);
        for n in 0..200_000u32 {
            cache.put(n.to_be_bytes().to_vec(), Some(vec![n as u8; 10]));
            assert_eq!(cache.get(&n.to_be_bytes()), Some(Some(&[n as u8; 10][..])));
        }
        cache.put(b"k".to_vec(), Some(vec![1]));
        cache.put(b"k".to_vec(), None);
        assert_eq!(cache.get(b"k"), Some(None), "that there is none is known too");
        cache.put(b"k".to_vec(), Some(vec![2; MAX_BYTES]));
        assert_eq!(cache.get(b"k"), None, "what is too large is not kept, nor what was there before");
    }
}
