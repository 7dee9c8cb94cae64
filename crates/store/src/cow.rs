//! An ordered map whose copies share what neither side has changed since.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use anabranch_engine::store::Visit;

type Bytes = Arc<[u8]>;
type Chunk = BTreeMap<Bytes, Bytes>;

/// A chunk with more rows than this is split in two.
const CHUNK_MAX: usize = 128;

/// A map from bytes to bytes in chunks. A clone costs nothing; the first change after it copies one chunk and the list
/// of chunks (n / 64 pointers or fewer, if rows were not deleted), not the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CowMap {
    /// Each chunk under its lower bound: it holds the keys from there up to the next chunk's bound. The first bound is
    /// the empty key, so that every key has its chunk.
    chunks: Arc<BTreeMap<Bytes, Arc<Chunk>>>,
    len: usize,
}

impl CowMap {
    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value under `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Bytes> {
        self.chunks.range::<[u8], _>(up_to(key)).next_back().and_then(|(_, chunk)| chunk.get(key))
    }

    /// Puts or deletes; returns what was there before.
    pub(crate) fn set(&mut self, key: &[u8], value: Option<Bytes>) -> Option<Bytes> {
        match value {
            Some(value) => self.insert(key, value),
            None => self.remove(key),
        }
    }

    fn insert(&mut self, key: &[u8], value: Bytes) -> Option<Bytes> {
        let chunks = Arc::make_mut(&mut self.chunks);
        if chunks.is_empty() {
            chunks.insert(Bytes::from([]), Arc::default());
        }
        let (_, chunk) = chunks.range_mut::<[u8], _>(up_to(key)).next_back()?;
        let chunk = Arc::make_mut(chunk);
        let before = chunk.insert(Bytes::from(key), value);
        self.len += usize::from(before.is_none());
        if chunk.len() > CHUNK_MAX {
            let middle = chunk.keys().nth(CHUNK_MAX / 2).cloned();
            if let Some(middle) = middle {
                let upper = chunk.split_off(&middle);
                chunks.insert(middle, Arc::new(upper));
            }
        }
        before
    }

    fn remove(&mut self, key: &[u8]) -> Option<Bytes> {
        self.get(key)?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let (bound, chunk) = chunks.range_mut::<[u8], _>(up_to(key)).next_back()?;
        let chunk = Arc::make_mut(chunk);
        let before = chunk.remove(key);
        self.len -= usize::from(before.is_some());
        // The chunk below takes over the range; the first chunk has none below and stays.
        let empty = (chunk.is_empty() && !bound.is_empty()).then(|| bound.clone());
        if let Some(bound) = empty {
            chunks.remove(&bound);
        }
        before
    }

    /// Visits `from <= key < to` upwards, or downwards if `back`; an empty `to` is the end.
    pub(crate) fn scan(&self, from: &[u8], to: &[u8], back: bool, visit: Visit<'_>) {
        if !to.is_empty() && from >= to {
            return;
        }
        let bounds = (Bound::Included(from), if to.is_empty() { Bound::Unbounded } else { Bound::Excluded(to) });
        let lowest = self.chunks.range::<[u8], _>(up_to(from)).next_back().map_or(from, |(bound, _)| bound);
        let mut chunks = self.chunks.range::<[u8], _>((Bound::Included(lowest), bounds.1));
        // The visitor asked to stop, or there is no more: both end the scan.
        let _ = if back {
            chunks.rev().try_for_each(|(_, chunk)| {
                chunk.range::<[u8], _>(bounds).rev().try_for_each(|(key, value)| visit(key, value))
            })
        } else {
            chunks.try_for_each(|(_, chunk)| {
                chunk.range::<[u8], _>(bounds).try_for_each(|(key, value)| visit(key, value))
            })
        };
    }
}

/// `..=key`, which the ranges of the standard library do not offer for slices.
fn up_to(key: &[u8]) -> (Bound<&[u8]>, Bound<&[u8]>) {
    (Bound::Unbounded, Bound::Included(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_rows_and_shares_the_rest() {
        let mut map = CowMap::default();
        for n in 0..10_000u32 {
            map.set(&n.to_be_bytes(), Some(Bytes::from(n.to_le_bytes())));
        }
        let before = map.clone();
        assert_eq!(map.set(&5_000u32.to_be_bytes(), None), Some(Bytes::from(5_000u32.to_le_bytes())));
        assert_eq!((before.len(), map.len()), (10_000, 9_999));
        assert!(before.get(&5_000u32.to_be_bytes()).is_some());
        assert!(map.get(&5_000u32.to_be_bytes()).is_none());
        let shared = before.chunks.iter().filter(|(bound, chunk)| Arc::ptr_eq(chunk, &map.chunks[*bound])).count();
        assert_eq!(shared, before.chunks.len() - 1);
    }

    #[test]
    fn deleting_everything_leaves_one_chunk() {
        let mut map = CowMap::default();
        for n in 0..1_000u16 {
            map.set(&n.to_be_bytes(), Some(Bytes::from([])));
        }
        for n in 0..1_000u16 {
            map.set(&n.to_be_bytes(), None);
        }
        assert_eq!((map.len(), map.chunks.len()), (0, 1));
    }
}
