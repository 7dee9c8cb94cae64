//! An ordered map whose copies share what neither side has changed since.

use std::sync::Arc;

use anabranch_engine::store::Visit;

use crate::sorted::{Bytes, Sorted};

type Chunk = Sorted<Bytes>;

/// A chunk with more rows than this is split in two.
const CHUNK_MAX: usize = 128;

/// A map from bytes to bytes in chunks. A clone costs nothing; the first change after it copies one chunk and the list
/// of chunks (n / 64 pointers or fewer, if rows were not deleted), not the map.
#[derive(Clone, Debug, Default)]
pub(crate) struct CowMap {
    /// Each chunk under its lower bound: it holds the keys from there up to the next chunk's bound.
    chunks: Arc<Sorted<Arc<Chunk>>>,
    len: usize,
}

impl CowMap {
    /// All rows, in order.
    fn rows(&self) -> impl Iterator<Item = (&Bytes, &Bytes)> {
        let chunks = self.chunks.entries().iter();
        chunks.flat_map(|chunk| chunk.value.entries()).map(|row| (&row.key, &row.value))
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value under `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Bytes> {
        let chunk = &self.chunks.entries().get(self.chunk_of(key)?)?.value;
        chunk.find(key).ok().and_then(|at| chunk.entries().get(at)).map(|entry| &entry.value)
    }

    /// Which chunk has the key, if any has.
    fn chunk_of(&self, key: &[u8]) -> Option<usize> {
        self.chunks.find(key).map_or_else(|next| next.checked_sub(1), Some)
    }

    /// Puts or deletes; returns what was there before.
    pub(crate) fn set(&mut self, key: &[u8], value: Option<&[u8]>) -> Option<Bytes> {
        self.change(key, value, |there, value| Some(std::mem::replace(there, value.into())))
    }

    /// As [`CowMap::set`], where nobody wants to know what was there before: a value as long as that one takes its place, if
    /// nobody else has it.
    pub(crate) fn put(&mut self, key: &[u8], value: Option<&[u8]>) {
        self.change(key, value, |there, value| {
            match Arc::get_mut(there).filter(|there| there.len() == value.len()) {
                Some(there) => there.copy_from_slice(value),
                None => *there = value.into(),
            }
            None
        });
    }

    fn change(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
        replace: impl FnOnce(&mut Bytes, &[u8]) -> Option<Bytes>,
    ) -> Option<Bytes> {
        match value {
            Some(value) => self.insert(key, value, replace),
            None => self.remove(key),
        }
    }

    fn insert(
        &mut self,
        key: &[u8],
        value: &[u8],
        replace: impl FnOnce(&mut Bytes, &[u8]) -> Option<Bytes>,
    ) -> Option<Bytes> {
        let chunks = Arc::make_mut(&mut self.chunks);
        let number = match chunks.find(key) {
            Ok(number) => number,
            Err(0) if chunks.entries().is_empty() => {
                chunks.insert(0, key.into(), Arc::default());
                0
            }
            Err(0) => {
                chunks.lower_first(key.into());
                0
            }
            Err(next) => next - 1,
        };
        let is_last = number + 1 == chunks.entries().len();
        let chunk = Arc::make_mut(chunks.value_mut(number));
        let at = match chunk.find(key) {
            Ok(at) => return replace(chunk.value_mut(at), value),
            Err(at) => at,
        };
        chunk.insert(at, key.into(), value.into());
        self.len += 1;
        let rows = chunk.entries().len();
        if rows > CHUNK_MAX {
            // Where the map grows at its end, as a log does, it is left full.
            let upper = chunk.split_off(if is_last && at + 1 == rows { at } else { rows / 2 });
            let bound = upper.entries()[0].key.clone();
            chunks.insert(number + 1, bound, Arc::new(upper));
        }
        None
    }

    fn remove(&mut self, key: &[u8]) -> Option<Bytes> {
        self.get(key)?;
        let number = self.chunk_of(key)?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(chunks.value_mut(number));
        let before = chunk.remove(chunk.find(key).ok()?);
        self.len -= 1;
        if chunk.entries().is_empty() {
            // The chunk below takes over the range; where there is none, the next has its bound lowered when need be.
            chunks.remove(number);
        }
        Some(before)
    }

    /// Visits `from <= key < to` upwards, or downwards if `back`; an empty `to` is the end.
    pub(crate) fn scan(&self, from: &[u8], to: &[u8], back: bool, visit: Visit<'_>) {
        if !to.is_empty() && from >= to {
            return;
        }
        let below = self.chunks.range(&[], to);
        let chunks = below.get(self.chunk_of(from).unwrap_or(0)..).unwrap_or_default();
        // The visitor asked to stop, or there is no more: both end the scan.
        let _ = if back {
            chunks.iter().rev().try_for_each(|chunk| {
                chunk.value.range(from, to).iter().rev().try_for_each(|row| visit(&row.key, &row.value))
            })
        } else {
            chunks.iter().try_for_each(|chunk| {
                chunk.value.range(from, to).iter().try_for_each(|row| visit(&row.key, &row.value))
            })
        };
    }
}

/// The same rows, however they came into chunks.
impl PartialEq for CowMap {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.rows().eq(other.rows())
    }
}

impl Eq for CowMap {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_rows_and_shares_the_rest() {
        let mut map = CowMap::default();
        for n in 0..10_000u32 {
            map.set(&n.to_be_bytes(), Some(&n.to_le_bytes()));
        }
        let before = map.clone();
        assert_eq!(map.set(&5_000u32.to_be_bytes(), None), Some(Bytes::from(5_000u32.to_le_bytes())));
        assert_eq!((before.len(), map.len()), (10_000, 9_999));
        assert!(before.get(&5_000u32.to_be_bytes()).is_some());
        assert!(map.get(&5_000u32.to_be_bytes()).is_none());
        let (mine, theirs) = (map.chunks.entries(), before.chunks.entries());
        let shared = mine.iter().zip(theirs).filter(|(mine, theirs)| Arc::ptr_eq(&mine.value, &theirs.value)).count();
        assert_eq!((shared, mine.len()), (theirs.len() - 1, theirs.len()));
    }

    #[test]
    fn what_a_clone_has_is_not_overwritten() {
        let mut map = CowMap::default();
        map.put(b"k", Some(b"one"));
        let (before, value) = (map.clone(), map.get(b"k").cloned());
        map.put(b"k", Some(b"two"));
        assert_eq!((before.get(b"k"), map.get(b"k").map(|value| &value[..])), (value.as_ref(), Some(&b"two"[..])));
        map.put(b"k", None);
        assert_eq!((before.len(), map.len()), (1, 0));
    }

    #[test]
    fn deleting_everything_leaves_no_chunk() {
        let mut map = CowMap::default();
        for n in 0..1_000u16 {
            map.set(&n.to_be_bytes(), Some(&[]));
        }
        assert_eq!(
            map.chunks.entries().len(),
            1_000usize.div_ceil(CHUNK_MAX),
            "what grows at its end fills its chunks"
        );
        for n in 0..1_000u16 {
            map.set(&n.to_be_bytes(), None);
        }
        assert_eq!((map.len(), map.chunks.entries().len()), (0, 0));
    }

    #[test]
    fn acts_like_a_plain_map_in_whatever_order_rows_come_and_go() {
        for step in [1u32, 2_999, 1_237] {
            let (mut map, mut plain) = (CowMap::default(), std::collections::BTreeMap::new());
            for n in (0..6_000).map(|n| n * step) {
                let key = (n % 3_000).to_string().into_bytes();
                let value = (n % 7 > 2).then(|| Bytes::from(n.to_be_bytes()));
                let before = match value.clone() {
                    Some(value) => plain.insert(key.clone(), value),
                    None => plain.remove(&key),
                };
                if n % 3 == 0 {
                    map.put(&key, value.as_deref());
                } else {
                    assert_eq!(map.set(&key, value.as_deref()), before);
                }
                assert_eq!(map.get(&key), plain.get(&key));
            }
            assert!(map.rows().map(|(key, value)| (key.to_vec(), value.clone())).eq(plain.clone()));
            for (from, to) in [("", ""), ("15", "27"), ("27", "15"), ("0", "1"), ("2", ""), ("29", "290")] {
                for back in [false, true] {
                    let (from, to, mut found) = (from.as_bytes(), to.as_bytes(), Vec::new());
                    map.scan(from, to, back, &mut |key, _| {
                        found.push(key.to_vec());
                        std::ops::ControlFlow::Continue(())
                    });
                    found.reverse();
                    let mut wanted: Vec<_> = plain
                        .keys()
                        .filter(|key| from <= &key[..] && (to.is_empty() || &key[..] < to))
                        .cloned()
                        .collect();
                    if !back {
                        wanted.reverse();
                    }
                    assert_eq!(found, wanted);
                }
            }
        }
    }
}
