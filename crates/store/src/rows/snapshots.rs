//! Which states of the tree somebody reads, so that what they show is kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lsm_tree::{SeqNo, SequenceNumberCounter};

/// The open snapshots, by the first sequence number that they do not see.
pub(crate) struct Snapshots {
    visible: SequenceNumberCounter,
    open: Mutex<BTreeMap<SeqNo, usize>>,
}

impl Snapshots {
    pub(crate) fn new(visible: SequenceNumberCounter) -> Self {
        Self { visible, open: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SeqNo, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A snapshot of what is visible now. Only the writer calls it, between batches.
    pub(crate) fn open(&self) -> SeqNo {
        let mut open = self.lock();
        // Under the lock: whoever asks what may go must see this one or an earlier state.
        let seqno = self.visible.get();
        *open.entry(seqno).or_default() += 1;
        seqno
    }

    /// One more of the same.
    pub(crate) fn again(&self, seqno: SeqNo) {
        *self.lock().entry(seqno).or_default() += 1;
    }

    pub(crate) fn close(&self, seqno: SeqNo) {
        let mut open = self.lock();
        if let Some(count) = open.get_mut(&seqno) {
            *count -= 1;
            if *count == 0 {
                open.remove(&seqno);
            }
        }
    }

    /// Versions below this that newer ones hide are read by nobody.
    pub(crate) fn watermark(&self) -> SeqNo {
        let open = self.lock();
        open.keys().next().copied().unwrap_or_else(|| self.visible.get()).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_open_one_holds_the_watermark() {
        let visible = SequenceNumberCounter::new(5);
        let snapshots = Snapshots::new(visible.clone());
        let first = snapshots.open();
        snapshots.again(first);
        visible.fetch_max(9);
        let second = snapshots.open();
        assert_eq!((first, second, snapshots.watermark()), (5, 9, 4));
        snapshots.close(first);
        assert_eq!(snapshots.watermark(), 4);
        snapshots.close(first);
        assert_eq!(snapshots.watermark(), 8);
        snapshots.close(second);
        visible.fetch_max(20);
        assert_eq!(snapshots.watermark(), 19);
    }
}
