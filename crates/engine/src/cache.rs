//! Rows that were read or written not long ago.
//!
//! The engine is the store's only writer, so what it read stays true until it writes; what it committed is what it will
//! read. Two generations bound the cache: when the young one is full it becomes the old one, and the old one goes.

use std::collections::BTreeMap;

/// The most bytes of keys and values in one generation.
const MAX_BYTES: usize = 8 << 20;
/// What an entry costs beside its bytes, roughly.
const ENTRY_BYTES: usize = 64;

type Generation = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A bounded cache of rows and of their absence.
#[derive(Debug, Default)]
pub(crate) struct RowCache {
    young: Generation,
    old: Generation,
    bytes: usize,
}

impl RowCache {
    /// What is known of a key: `None` when nothing is, `Some(None)` when there is no such row.
    pub(crate) fn get(&mut self, key: &[u8]) -> Option<Option<Vec<u8>>> {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let (key, found) = self.old.remove_entry(key)?;
        self.put(key, found.clone());
        Some(found)
    }

    /// Takes note of what a row is.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        let cost = |value: &Option<Vec<u8>>| value.as_ref().map_or(0, Vec::len);
        self.old.remove(&key);
        let added = key.len() + cost(&value) + ENTRY_BYTES;
        let length = key.len();
        if let Some(before) = self.young.insert(key, value) {
            self.bytes -= length + cost(&before) + ENTRY_BYTES;
        }
        self.bytes += added;
        if self.bytes > MAX_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_known_and_the_size_is_bounded() {
        let mut cache = RowCache::default();
        let value = |n: u32| Some(vec![n as u8; 1_000]);
        for n in 0..100_000u32 {
            cache.put(n.to_be_bytes().to_vec(), value(n));
        }
        assert_eq!(cache.get(&99_999u32.to_be_bytes()), Some(value(99_999)));
        assert_eq!(cache.get(&0u32.to_be_bytes()), None);
        cache.put(b"gone".to_vec(), None);
        assert_eq!(cache.get(b"gone"), Some(None));
        assert!(cache.young.len() + cache.old.len() <= 2 * MAX_BYTES / 1_000);
    }

    #[test]
    fn an_old_entry_is_replaced_not_kept_beside() {
        let mut cache = RowCache::default();
        cache.put(b"k".to_vec(), Some(vec![1]));
        cache.old = std::mem::take(&mut cache.young);
        cache.put(b"k".to_vec(), Some(vec![2]));
        assert_eq!(cache.get(b"k"), Some(Some(vec![2])));
        assert!(cache.old.is_empty());
    }
}
