//! Sums that are not kept as one value: changes are piled up as rows of their own, and merged now and then.
//!
//! A counter's sum is a number, rewritten with each change. A text's would be a whole document: so a change is appended
//! as a small row, and when the pile has grown to a part of what was merged before, all of it becomes one snapshot.
//! When that happens is a matter of layout: what a pile *is* depends on the set of its changes alone.

use crate::resolver::Malformed;
use anabranch_causality::hash64;
use std::any::Any;

/// A pile is merged when its changes have this many bytes, at least.
const MERGE_BYTES: u64 = 8 << 10;
/// A pile is merged when it has this many changes, however small they are: bounds what a read takes in.
const MERGE_CHANGES: u64 = 4_096;

/// What a kind whose sums are piles provides.
///
/// The law, checked by [`crate::laws`]: the canonical form of what changes merge to is a function of their set: not of
/// their order, nor of when snapshots were taken in between.
pub trait Pile: Send + Sync {
    /// What a snapshot, if there is one, and further changes come to, as a snapshot.
    ///
    /// # Errors
    /// [`Malformed`] for bytes that are no snapshot or change of this kind. Then the pile stays as it is.
    fn merge(&self, snapshot: Option<&[u8]>, changes: &[Vec<u8>]) -> Result<Vec<u8>, Malformed>;

    /// Equal bytes for snapshots of equal content.
    ///
    /// # Errors
    /// [`Malformed`] for bytes that are no snapshot.
    fn canonical(&self, snapshot: &[u8]) -> Result<Vec<u8>, Malformed>;

    /// Whether a pile should be merged now: at the least when it has grown to half of the snapshot, so that every byte is
    /// merged again a bounded number of times for each doubling.
    fn is_due(&self, head: &PileHead) -> bool {
        head.bytes >= MERGE_BYTES.max(head.snapshot / 2) || head.changes >= MERGE_CHANGES
    }
}

/// What is known of a pile without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PileHead {
    /// The number that the next change gets, counting from 0 in the order in which this replica applied them.
    pub next: u64,
    /// A hash of all changes in that order: see [`PileHead::push`].
    pub mark: u64,
    /// How many changes lie beside the snapshot.
    pub changes: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many bytes the snapshot has; 0 when there is none.
    pub snapshot: u64,
}

impl PileHead {
    /// Takes note of one more change.
    pub fn push(&mut self, change: &[u8]) {
        self.next += 1;
        self.mark = mark(self.mark, change);
        self.changes += 1;
        self.bytes += change.len() as u64;
    }
}

/// The hash of all changes, after one more.
#[must_use]
pub fn mark(before: u64, change: &[u8]) -> u64 {
    hash64("pile", &[&before.to_le_bytes(), change])
}

/// A part of a pile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PilePart<'a> {
    /// What was merged. Comes first, if it comes at all.
    Snapshot(&'a [u8]),
    /// A change, in the order of the changes' numbers.
    Change(&'a [u8]),
}

/// What a resolver may keep open of one key between requests, so as not to read it anew: never part of the state, and
/// lost at any time. A resolver must itself tell whether what it finds here is what the state says, by a pile's mark:
/// a request may be prepared and then refused.
#[derive(Default)]
pub struct Memo {
    content: Option<Box<dyn Any + Send>>,
    bytes: usize,
}

impl Memo {
    /// Takes out what is kept, if it is of that type.
    pub fn take<T: 'static>(&mut self) -> Option<Box<T>> {
        self.bytes = 0;
        self.content.take()?.downcast().ok()
    }

    /// Keeps something that takes about so many bytes of memory.
    pub fn keep<T: Send + 'static>(&mut self, content: Box<T>, bytes: usize) {
        self.content = Some(content);
        self.bytes = bytes;
    }

    /// About how many bytes of memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.is_none()
    }
}

impl std::fmt::Debug for Memo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memo").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bytes;

    impl Pile for Bytes {
        fn merge(&self, _: Option<&[u8]>, changes: &[Vec<u8>]) -> Result<Vec<u8>, Malformed> {
            Ok(changes.concat())
        }
        fn canonical(&self, snapshot: &[u8]) -> Result<Vec<u8>, Malformed> {
            Ok(snapshot.to_vec())
        }
    }

    #[test]
    fn a_pile_is_merged_when_it_is_half_of_the_snapshot() {
        let due =
            |bytes, changes, snapshot| Bytes.is_due(&PileHead { bytes, changes, snapshot, ..PileHead::default() });
        assert!(!due(MERGE_BYTES - 1, 1, 0));
        assert!(due(MERGE_BYTES, 1, 0));
        assert!(!due(MERGE_BYTES, 1, 1 << 20));
        assert!(due(1 << 19, 1, 1 << 20));
        assert!(due(0, MERGE_CHANGES, 1 << 20));
    }

    #[test]
    fn the_mark_depends_on_the_order_and_on_every_byte() {
        let of = |changes: &[&[u8]]| {
            let mut head = PileHead::default();
            changes.iter().for_each(|change| head.push(change));
            head
        };
        assert_eq!(of(&[b"a", b"b"]), of(&[b"a", b"b"]));
        assert_ne!(of(&[b"a", b"b"]).mark, of(&[b"b", b"a"]).mark);
        assert_ne!(of(&[b"ab"]).mark, of(&[b"a", b"b"]).mark);
    }

    #[test]
    fn a_memo_gives_back_what_it_was_given_and_no_other_type() {
        let mut memo = Memo::default();
        memo.keep(Box::new(7u32), 4);
        assert_eq!(memo.bytes(), 4);
        assert_eq!(memo.take::<u32>().as_deref(), Some(&7));
        assert!(memo.is_empty());
        memo.keep(Box::new(7u32), 4);
        assert!(memo.take::<u64>().is_none());
    }
}
