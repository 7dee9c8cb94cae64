//! A sorted list that is searched by numbers.
//!
//! Keys that lie next to each other begin alike. Beside each key stand the eight bytes that follow what all keys of the list
//! begin with, as a number: a search compares these, where they lie, and looks at a key only where they are equal.

use std::cmp::Ordering;
use std::sync::Arc;

pub(crate) type Bytes = Arc<[u8]>;

/// Values under keys, in the order of the keys.
#[derive(Clone, Debug)]
pub(crate) struct Sorted<V> {
    entries: Vec<Entry<V>>,
    /// So many bytes all keys have in common.
    shared: usize,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry<V> {
    head: u64,
    pub(crate) key: Bytes,
    pub(crate) value: V,
}

impl<V> Default for Sorted<V> {
    fn default() -> Self {
        Self { entries: Vec::new(), shared: 0 }
    }
}

impl<V> Sorted<V> {
    /// All of them, in order.
    pub(crate) fn entries(&self) -> &[Entry<V>] {
        &self.entries
    }

    /// Those with `from <= key < to`; an empty `to` is the end.
    pub(crate) fn range(&self, from: &[u8], to: &[u8]) -> &[Entry<V>] {
        let place = |key: &[u8]| self.find(key).unwrap_or_else(|at| at);
        let end = if to.is_empty() { self.entries.len() } else { place(to) };
        self.entries.get(place(from)..end).unwrap_or_default()
    }

    /// Where `key` is, or where it would be.
    pub(crate) fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let Some(first) = self.entries.first() else { return Err(0) };
        let shared = &first.key[..self.shared];
        let Some(rest) = key.strip_prefix(shared) else {
            return Err(if key < shared { 0 } else { self.entries.len() });
        };
        let head = head(rest);
        // What comes in order comes behind the last.
        if self.entries.last().is_some_and(|last| last.head < head) {
            return Err(self.entries.len());
        }
        // Where the number is all that follows, what is equal differs in zeros at its end, if at all.
        let is_all = rest.len() <= size_of_val(&head);
        self.entries.binary_search_by(|entry| match entry.head.cmp(&head) {
            Ordering::Equal if is_all => entry.key.len().cmp(&key.len()),
            Ordering::Equal => entry.key[self.shared..].cmp(rest),
            other => other,
        })
    }

    /// The value at a place.
    pub(crate) fn value_mut(&mut self, at: usize) -> &mut V {
        &mut self.entries[at].value
    }

    /// Inserts at the place where [`Sorted::find`] says that the key would be.
    pub(crate) fn insert(&mut self, at: usize, key: Bytes, value: V) {
        self.share_with(&key);
        self.entries.insert(at, Entry { head: head(&key[self.shared..]), key, value });
    }

    /// Gives the first a lower key.
    pub(crate) fn lower_first(&mut self, key: Bytes) {
        self.share_with(&key);
        if let Some(first) = self.entries.first_mut() {
            first.head = head(&key[self.shared..]);
            first.key = key;
        }
    }

    /// Removes what is at a place.
    pub(crate) fn remove(&mut self, at: usize) -> V {
        self.entries.remove(at).value
    }

    /// Removes and returns all from a place on.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let mut upper = Self { entries: self.entries.split_off(at), shared: 0 };
        self.share_all();
        upper.share_all();
        upper
    }

    /// With that key, too, they have in common what they are said to.
    fn share_with(&mut self, key: &[u8]) {
        match self.entries.first().map(|first| &first.key[..self.shared]) {
            None => self.shared = key.len(),
            Some(shared) if key.starts_with(shared) => {}
            Some(shared) => self.share(common(shared, key)),
        }
    }

    /// They have in common what the first and the last have.
    fn share_all(&mut self) {
        if let (Some(first), Some(last)) = (self.entries.first(), self.entries.last()) {
            self.share(common(&first.key, &last.key));
        }
    }

    fn share(&mut self, shared: usize) {
        self.shared = shared;
        for entry in &mut self.entries {
            entry.head = head(&entry.key[shared..]);
        }
    }
}

/// The first eight bytes as a number, zeros behind what is shorter. Orders like the bytes, save that it does not tell zeros from
/// the end.
fn head(bytes: &[u8]) -> u64 {
    let mut padded = [0; 8];
    match bytes.first_chunk() {
        Some(first) => padded = *first,
        None => padded[..bytes.len()].copy_from_slice(bytes),
    }
    u64::from_be_bytes(padded)
}

/// How many bytes both begin with.
fn common(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_order_like_bytes() {
        let ordered: [&[u8]; 7] = [b"", b"\0", b"\0\0\0\0\0\0\0\0\x01", b"a", b"a\0", b"abcdefgh", b"abcdefghi"];
        assert!(ordered.is_sorted_by_key(|bytes| head(bytes)) && ordered.is_sorted());
    }

    /// Keys of few bytes, so that they are equal, prefixes of each other, and end in zeros.
    #[test]
    fn finds_what_a_plain_list_finds() {
        let keys: Vec<Vec<u8>> = (0..4u32.pow(5))
            .map(|code| {
                (0..5).map(move |digit| code >> (2 * digit) & 3).take_while(|byte| *byte < 3).map(|byte| byte as u8)
            })
            .map(|bytes| b"a long beginning".iter().copied().chain(bytes).collect())
            .collect();
        for step in [1, 7, 101] {
            let (mut list, mut plain) = (Sorted::default(), Vec::<&[u8]>::new());
            for key in keys.iter().step_by(step).map(Vec::as_slice).chain([b"a".as_slice(), b"b", b"a long\0"]) {
                assert_eq!(list.find(key), plain.binary_search(&key));
                if let Err(at) = list.find(key) {
                    list.insert(at, key.into(), ());
                    plain.insert(at, key);
                }
            }
            let upper = list.split_off(plain.len() / 2);
            let all: Vec<&[u8]> = list.entries().iter().chain(upper.entries()).map(|entry| &*entry.key).collect();
            assert_eq!(all, plain);
            let (below, above) = plain.split_at(plain.len() / 2);
            for key in keys.iter().map(Vec::as_slice).chain([b"".as_slice(), b"a", b"b", b"c"]) {
                assert_eq!(list.find(key), below.binary_search(&key));
                assert_eq!(upper.find(key), above.binary_search(&key));
            }
        }
    }
}
