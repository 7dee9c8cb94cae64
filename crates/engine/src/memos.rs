//! What resolvers keep open of some keys between requests: bounded, and never part of the state.

use anabranch_causality::Kind;
use anabranch_resolvers::Memo;
use std::collections::VecDeque;

/// Of how many keys something is kept.
const MOST: usize = 16;
/// How many bytes of memory all of it may take, as far as resolvers know.
const MOST_BYTES: usize = 64 << 20;

/// A key of a collection of a kind.
type Place = (String, Kind, String);

/// What is kept, that of the least recent key first.
#[derive(Debug, Default)]
pub(crate) struct Memos {
    kept: VecDeque<(Place, Memo)>,
}

impl Memos {
    /// Takes out what is kept of a key.
    pub(crate) fn take(&mut self, (collection, kind, key): (&str, Kind, &str)) -> Memo {
        let is_meant = |(place, _): &(Place, Memo)| place.0 == collection && place.1 == kind && place.2 == key;
        let found = self.kept.iter().rposition(is_meant).and_then(|index| self.kept.remove(index));
        found.map_or_else(Memo::default, |(_, memo)| memo)
    }

    /// Keeps what was taken out, or came since; what was not used for longest goes.
    pub(crate) fn put(&mut self, (collection, kind, key): (&str, Kind, &str), memo: Memo) {
        if memo.is_empty() || memo.bytes() > MOST_BYTES {
            return;
        }
        self.kept.push_back(((collection.to_owned(), kind, key.to_owned()), memo));
        let bytes = |kept: &VecDeque<(Place, Memo)>| kept.iter().map(|(_, memo)| memo.bytes()).sum::<usize>();
        while self.kept.len() > MOST || bytes(&self.kept) > MOST_BYTES {
            self.kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(memos: &mut Memos, key: &str, bytes: usize) {
        let mut memo = Memo::default();
        memo.keep(Box::new(key.to_owned()), bytes);
        memos.put(("c", Kind::TEXT, key), memo);
    }

    #[test]
    fn the_least_recent_go_by_number_and_by_bytes() {
        let mut memos = Memos::default();
        (0..=MOST).for_each(|n| keep(&mut memos, &n.to_string(), 1));
        assert!(memos.take(("c", Kind::TEXT, "0")).is_empty(), "the first of too many went");
        assert!(memos.take(("d", Kind::TEXT, "1")).is_empty(), "another collection");
        assert_eq!(memos.take(("c", Kind::TEXT, "1")).take::<String>().as_deref().map(String::as_str), Some("1"));
        assert!(memos.take(("c", Kind::TEXT, "1")).is_empty(), "taken out");
        keep(&mut memos, "large", MOST_BYTES);
        assert!(memos.take(("c", Kind::TEXT, "2")).is_empty(), "made room");
        assert!(!memos.take(("c", Kind::TEXT, "large")).is_empty());
        keep(&mut memos, "too large", MOST_BYTES + 1);
        assert!(memos.take(("c", Kind::TEXT, "too large")).is_empty());
    }
}
