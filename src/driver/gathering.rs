//! How long the writer waits for more of a busy stream from peers before it commits.
//!
//! A leader whose writers share its syncs sends a message per commit. A replica that commits each of them by itself syncs as
//! often as the leader, on a disk that both may share, and answers each sync with an acknowledgement. Nobody waits at the
//! replica for what a peer wrote, so a short while more costs little: while the stream is busy, several messages share a sync.

use std::time::{Duration, Instant};

/// A batch of so many of others' transactions was shared by many writers at its leader: more is likely to follow at once.
const MANY: usize = 16;
/// So many transactions are worth a sync of their own.
const ENOUGH: usize = 512;
/// How much longer than a sync is waited: so the disk is busy with these syncs for a seventeenth of the time at most.
const SYNCS: u32 = 16;
/// How long is waited at most, however slow the disk is.
const LONGEST: Duration = Duration::from_millis(3);
/// After so long without a busy batch, the stream is not busy any more.
const QUIET: Duration = Duration::from_millis(10);
/// How many busy batches are not waited for after waiting brought little: their leader may itself wait for our acknowledgement.
const FORGONE: u32 = 16;

/// What is known of the stream.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    /// When the last batch of many transactions was committed, if no small one came after it.
    busy_at: Option<Instant>,
    /// How many busy batches are still committed at once.
    forgone: u32,
    /// How many transactions there were when waiting began, in this batch.
    waited_at: Option<usize>,
}

impl Gathering {
    /// Until when to wait for more, where the batch has `transactions` of others and nobody waits for its commit; `None`: it
    /// is to be committed now. `begun` is when its first command was taken, `sync` what the last commit took.
    pub(super) fn until(
        &mut self,
        begun: Instant,
        now: Instant,
        transactions: usize,
        sync: Duration,
    ) -> Option<Instant> {
        let busy = self.busy_at.is_some_and(|at| begun.saturating_duration_since(at) < QUIET);
        let deadline = begun + (sync * SYNCS).min(LONGEST);
        if !busy || self.forgone > 0 || !(MANY..ENOUGH).contains(&transactions) || now >= deadline {
            return None;
        }
        self.waited_at.get_or_insert(transactions);
        Some(deadline)
    }

    /// The batch has that many transactions and is about to be committed.
    pub(super) fn ended(&mut self, now: Instant, transactions: usize) {
        self.forgone = self.forgone.saturating_sub(u32::from(transactions >= MANY));
        if self.waited_at.take().is_some_and(|before| transactions < 2 * before) {
            self.forgone = FORGONE;
        }
        self.busy_at = (transactions >= MANY).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_micros(100);
    const MS: Duration = Duration::from_millis(1);

    /// After one busy batch, committed at the moment that is returned.
    fn busy() -> (Gathering, Instant) {
        let (mut gathering, at) = (Gathering::default(), Instant::now());
        gathering.ended(at, 64);
        (gathering, at)
    }

    #[test]
    fn a_busy_stream_is_waited_for_as_long_as_some_syncs_take() {
        let (mut gathering, at) = busy();
        let (begun, patience) = (at + MS, SYNC * SYNCS);
        assert_eq!(gathering.until(begun, begun, 64, SYNC), Some(begun + patience));
        // Not from anew with each message.
        assert_eq!(gathering.until(begun, begun + patience / 2, 128, SYNC), Some(begun + patience));
        assert_eq!(gathering.until(begun, begun + patience, 128, SYNC), None);
        assert_eq!(gathering.until(begun, begun, 64, MS), Some(begun + LONGEST));
        assert_eq!(gathering.until(begun, begun, ENOUGH, SYNC), None);
    }

    #[test]
    fn what_comes_alone_or_in_small_batches_is_committed_at_once() {
        let (mut gathering, at) = (Gathering::default(), Instant::now());
        assert_eq!(gathering.until(at, at, 64, SYNC), None);
        gathering.ended(at, 1);
        assert_eq!(gathering.until(at + MS, at + MS, 64, SYNC), None);
        gathering.ended(at + MS, 64);
        assert_eq!(gathering.until(at + MS, at + MS, 1, SYNC), None);
        assert_eq!(gathering.until(at + MS + QUIET, at + MS + QUIET, 64, SYNC), None);
    }

    #[test]
    fn where_waiting_brought_little_it_is_not_waited_for_a_while() {
        let (mut gathering, mut at) = busy();
        assert!(gathering.until(at, at, 64, SYNC).is_some());
        gathering.ended(at, 127);
        for _ in 0..FORGONE {
            at += MS;
            assert_eq!(gathering.until(at, at, 64, SYNC), None);
            gathering.ended(at, 64);
        }
        assert!(gathering.until(at, at, 64, SYNC).is_some());
        // It brought as much again, so it is waited again.
        gathering.ended(at, 128);
        assert!(gathering.until(at, at, 64, SYNC).is_some());
    }
}
