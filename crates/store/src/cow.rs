//! An ordered map whose copies share what neither side has changed since.

use std::sync::Arc;

use anabranch_engine::store::Visit;

type Bytes = Arc<[u8]>;
/// Rows in the order of their keys.
type Chunk = Vec<(Bytes, Bytes)>;

/// A chunk with more rows than this is split in two.
const CHUNK_MAX: usize = 128;

/// A map from bytes to bytes in chunks. A clone costs nothing; the first change after it copies one chunk and the list
/// of chunks (n / 64 pointers or fewer, if rows were not deleted), not the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CowMap {
    /// Each chunk after its lower bound: it holds the keys from there up to the next chunk's bound. The first bound is
    /// the empty key, so that every key has its chunk.
    chunks: Arc<Vec<(Bytes, Arc<Chunk>)>>,
    len: usize,
}

impl CowMap {
    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The value under `key`.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Bytes> {
        let (_, chunk) = self.chunks.get(self.chunk_of(key)?)?;
        search(chunk, key).ok().map(|at| &chunk[at].1)
    }

    /// Puts or deletes; returns what was there before.
    pub(crate) fn set(&mut self, key: &[u8], value: Option<Bytes>) -> Option<Bytes> {
        match value {
            Some(value) => self.insert(key, value),
            None => self.remove(key),
        }
    }

    /// Which chunk has that key, if any has; `None` when there are no chunks.
    fn chunk_of(&self, key: &[u8]) -> Option<usize> {
        self.chunks.partition_point(|(bound, _)| **bound <= *key).checked_sub(1)
    }

    fn insert(&mut self, key: &[u8], value: Bytes) -> Option<Bytes> {
        let place = self.chunk_of(key);
        let chunks = Arc::make_mut(&mut self.chunks);
        let Some(place) = place else {
            chunks.push((Bytes::from([]), Arc::new(vec![(Bytes::from(key), value)])));
            self.len += 1;
            return None;
        };
        let chunk = Arc::make_mut(&mut chunks[place].1);
        let at = match search(chunk, key) {
            Ok(at) => return Some(std::mem::replace(&mut chunk[at].1, value)),
            Err(at) => at,
        };
        chunk.insert(at, (Bytes::from(key), value));
        self.len += 1;
        if chunk.len() > CHUNK_MAX {
            // What only grows at its end, as a log does, leaves full chunks behind.
            let upper = chunk.split_off(if at == CHUNK_MAX { CHUNK_MAX } else { CHUNK_MAX / 2 });
            chunks.insert(place + 1, (upper[0].0.clone(), Arc::new(upper)));
        }
        None
    }

    fn remove(&mut self, key: &[u8]) -> Option<Bytes> {
        self.get(key)?;
        let place = self.chunk_of(key)?;
        let chunks = Arc::make_mut(&mut self.chunks);
        let chunk = Arc::make_mut(&mut chunks[place].1);
        let (_, before) = chunk.remove(search(chunk, key).ok()?);
        self.len -= 1;
        // The chunk below takes over the range; the first chunk has none below and stays.
        if chunk.is_empty() && place > 0 {
            chunks.remove(place);
        }
        Some(before)
    }

    /// Visits `from <= key < to` upwards, or downwards if `back`; an empty `to` is the end.
    pub(crate) fn scan(&self, from: &[u8], to: &[u8], back: bool, visit: Visit<'_>) {
        if !to.is_empty() && from >= to {
            return;
        }
        let first = self.chunk_of(from).unwrap_or(0);
        let last = if to.is_empty() { self.chunks.len() } else { self.chunk_of(to).map_or(0, |last| last + 1) };
        let chunks = self.chunks[first..last].iter().map(|(_, chunk)| between(chunk, from, to));
        // The visitor asked to stop, or there is no more: both end the scan.
        let _ = if back {
            chunks.rev().try_for_each(|rows| rows.iter().rev().try_for_each(|(key, value)| visit(key, value)))
        } else {
            let mut chunks = chunks;
            chunks.try_for_each(|rows| rows.iter().try_for_each(|(key, value)| visit(key, value)))
        };
    }
}

fn search(chunk: &Chunk, key: &[u8]) -> Result<usize, usize> {
    chunk.binary_search_by(|(known, _)| (**known).cmp(key))
}

/// The rows of a chunk with `from <= key < to`; an empty `to` is the end.
fn between<'a>(chunk: &'a Chunk, from: &[u8], to: &[u8]) -> &'a [(Bytes, Bytes)] {
    let start = chunk.partition_point(|(key, _)| **key < *from);
    let end = if to.is_empty() { chunk.len() } else { chunk.partition_point(|(key, _)| **key < *to) };
    &chunk[start..end]
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
        let pairs = before.chunks.iter().zip(map.chunks.iter());
        let shared = pairs.filter(|((_, one), (_, other))| Arc::ptr_eq(one, other)).count();
        assert_eq!(shared, before.chunks.len() - 1);
    }

    #[test]
    fn what_grows_at_its_end_fills_its_chunks() {
        let mut map = CowMap::default();
        for n in 0..1_000u32 {
            map.set(&n.to_be_bytes(), Some(Bytes::from([])));
        }
        assert_eq!(map.chunks.len(), 1_000usize.div_ceil(CHUNK_MAX));
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
