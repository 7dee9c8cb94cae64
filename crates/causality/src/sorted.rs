//! Small maps that are copied far more often than they change.

use std::sync::Arc;

/// A map as a sorted slice that its clones share: cloning it takes no memory. A new key copies
/// all of it; a new value only where it is shared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sorted<K, V> {
    entries: Arc<[(K, V)]>,
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self { entries: Arc::default() }
    }
}

impl<K: Copy + Ord, V: Clone> Sorted<K, V> {
    /// Of entries in ascending order of their keys, none twice.
    pub(crate) fn from_ascending(entries: Vec<(K, V)>) -> Self {
        debug_assert!(entries.is_sorted_by(|(one, _), (next, _)| one < next));
        if entries.is_empty() { Self::default() } else { Self { entries: entries.into() } }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        self.entries.get(self.place(key).ok()?).map(|(_, value)| value)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, value)| (*key, value))
    }

    /// The value of a key, to be changed, if there is one.
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        Arc::make_mut(&mut self.entries).get_mut(place).map(|(_, value)| value)
    }

    /// Sets the value of a key that has one, or of a new one.
    pub(crate) fn set(&mut self, key: K, value: V) {
        match self.place(key) {
            Ok(place) => Arc::make_mut(&mut self.entries)[place].1 = value,
            Err(place) => {
                let (before, after) = self.entries.split_at(place);
                self.entries = [before, &[(key, value)], after].concat().into();
            }
        }
    }

    pub(crate) fn remove(&mut self, key: K) {
        if let Ok(place) = self.place(key) {
            self.entries = [&self.entries[..place], &self.entries[place + 1..]].concat().into();
        }
    }

    fn place(&self, key: K) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&key, |(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_the_map_that_it_stands_for_and_clones_stay_as_they_were() {
        let (mut sorted, mut map) = (Sorted::<u64, u64>::default(), BTreeMap::new());
        for n in 0..2_000u64 {
            let (key, before, was) = (n * 7_919 % 61, sorted.clone(), map.clone());
            match n % 5 {
                0 => {
                    sorted.remove(key);
                    map.remove(&key);
                }
                1 => {
                    sorted.get_mut(key).into_iter().for_each(|value| *value += 1);
                    map.get_mut(&key).into_iter().for_each(|value| *value += 1);
                }
                _ => {
                    sorted.set(key, n);
                    map.insert(key, n);
                }
            }
            assert!(sorted.iter().eq(map.iter().map(|(key, value)| (*key, value))));
            assert!(before.iter().eq(was.iter().map(|(key, value)| (*key, value))));
            assert_eq!((sorted.len(), sorted.get(key)), (map.len(), map.get(&key)));
        }
    }
}
