//! The calls of a channel that wait for their answers.

use super::CallError;
use anabranch_protocol::{Assembly, Part};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{oneshot, watch};

/// The most bytes of answers that are not whole, of all calls of a channel.
const MAX_BUFFERED: usize = 96 << 20;

/// The calls that wait, until the stream ends.
pub(super) struct Table {
    state: Mutex<State>,
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, Waiting>,
    last_id: u64,
    buffered: usize,
    closed: bool,
}

struct Waiting {
    sent: bool,
    assembly: Assembly,
    bytes: usize,
    answer: oneshot::Sender<Result<Vec<u8>, CallError>>,
}

/// A part came that answers nothing that was asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NeverAsked;

impl Default for Table {
    fn default() -> Self {
        Self { state: Mutex::default(), closed: watch::Sender::new(false) }
    }
}

impl Table {
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    pub(super) async fn closed(&self) {
        // Fails only when the sender is gone, which lives as long as this.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// From now on the request counts as sent; `false` when nobody waits for its answer any more, and it need not be.
    pub(super) fn mark_sent(&self, id: u64) -> bool {
        match self.lock().waiting.get_mut(&id) {
            Some(waiting) => {
                waiting.sent = true;
                true
            }
            None => false,
        }
    }

    /// Takes a part of an answer. What nobody waits for any more is dropped.
    pub(super) fn take(&self, part: Part<'_>) -> Result<(), NeverAsked> {
        let mut state = self.lock();
        if part.id == 0 || part.id > state.last_id {
            return Err(NeverAsked);
        }
        let room = MAX_BUFFERED - state.buffered;
        let Some(waiting) = state.waiting.get_mut(&part.id) else { return Ok(()) };
        if !waiting.sent {
            return Err(NeverAsked);
        }
        // With its last part an answer is handed over, not held.
        let fits = part.last || part.bytes.len() <= room;
        let pushed = if fits { waiting.assembly.push(part).ok() } else { None };
        let outcome = match pushed {
            Some(None) => {
                waiting.bytes += part.bytes.len();
                state.buffered += part.bytes.len();
                return Ok(());
            }
            Some(Some(whole)) => Ok(whole),
            None => Err(CallError::AnswerTooLarge),
        };
        if let Some(waiting) = state.remove(part.id) {
            // Nobody may wait any more.
            let _ = waiting.answer.send(outcome);
        }
        Ok(())
    }

    /// The stream has ended: every call hears of it, and there are no more.
    pub(super) fn end(&self) {
        let waiting = {
            let mut state = self.lock();
            state.closed = true;
            state.buffered = 0;
            std::mem::take(&mut state.waiting)
        };
        for waiting in waiting.into_values() {
            let outcome = if waiting.sent { CallError::Lost } else { CallError::NotSent };
            let _ = waiting.answer.send(Err(outcome));
        }
        self.closed.send_replace(true);
    }

    /// A panic of another thread leaves the state whole: nothing in here panics half-way.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn remove(&mut self, id: u64) -> Option<Waiting> {
        let waiting = self.waiting.remove(&id)?;
        self.buffered -= waiting.bytes;
        Some(waiting)
    }
}

/// One call's place in the table, given back when dropped.
pub(super) struct Place {
    table: Arc<Table>,
    id: u64,
    answer: oneshot::Receiver<Result<Vec<u8>, CallError>>,
}

impl Place {
    /// `None` when the stream has ended.
    pub(super) fn take(table: &Arc<Table>) -> Option<Self> {
        let (sender, answer) = oneshot::channel();
        let mut state = table.lock();
        if state.closed {
            return None;
        }
        state.last_id += 1;
        let id = state.last_id;
        state.waiting.insert(id, Waiting { sent: false, assembly: Assembly::default(), bytes: 0, answer: sender });
        drop(state);
        Some(Self { table: table.clone(), id, answer })
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The whole answer, not yet decoded.
    pub(super) async fn answer(&mut self) -> Result<Vec<u8>, CallError> {
        // The sender is only dropped unused together with the table.
        (&mut self.answer).await.unwrap_or(Err(CallError::Lost))
    }

    /// Waits no more. Whether the request was sent; if not, it never will be.
    pub(super) fn give_up(self) -> bool {
        self.table.lock().remove(self.id).is_none_or(|waiting| waiting.sent)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.table.lock().remove(self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_protocol::part::PART_BYTES;

    fn part(id: u64, last: bool, bytes: &[u8]) -> Part<'_> {
        Part { id, last, bytes }
    }

    #[tokio::test]
    async fn parts_of_several_answers_come_together_in_any_order() {
        let table = Arc::new(Table::default());
        let (mut one, mut two) = (Place::take(&table).expect("open"), Place::take(&table).expect("open"));
        assert!(table.mark_sent(1) && table.mark_sent(2));
        for part in [part(1, false, b"a"), part(2, false, b"x"), part(2, true, b"y"), part(1, true, b"b")] {
            assert_eq!(table.take(part), Ok(()));
        }
        assert_eq!((one.answer().await, two.answer().await), (Ok(b"ab".to_vec()), Ok(b"xy".to_vec())));
        assert_eq!(table.lock().buffered, 0);
    }

    #[test]
    fn answers_to_what_was_never_asked_are_noticed() {
        let table = Arc::new(Table::default());
        let place = Place::take(&table).expect("open");
        assert_eq!(table.take(part(2, true, b"")), Err(NeverAsked));
        assert_eq!(table.take(part(0, true, b"")), Err(NeverAsked));
        assert_eq!(table.take(part(1, true, b"")), Err(NeverAsked), "it was not sent yet");
        drop(place);
        assert_eq!(table.take(part(1, true, b"")), Ok(()), "nobody waits for it any more");
        assert!(!table.mark_sent(1));
    }

    #[tokio::test]
    async fn at_the_end_every_call_hears_whether_it_was_sent() {
        let table = Arc::new(Table::default());
        let (mut sent, mut unsent) = (Place::take(&table).expect("open"), Place::take(&table).expect("open"));
        assert!(table.mark_sent(1));
        table.end();
        assert_eq!((sent.answer().await, unsent.answer().await), (Err(CallError::Lost), Err(CallError::NotSent)));
        assert!(Place::take(&table).is_none() && table.is_closed());
        table.closed().await;
    }

    #[test]
    fn what_was_not_sent_when_its_caller_gave_up_never_is() {
        let table = Arc::new(Table::default());
        let (unsent, sent) = (Place::take(&table).expect("open"), Place::take(&table).expect("open"));
        assert!(table.mark_sent(2));
        assert!(!unsent.give_up() && sent.give_up());
        assert!(!table.mark_sent(1));
    }

    #[tokio::test]
    async fn answers_that_are_whole_need_no_room() {
        let table = Arc::new(Table::default());
        let mut places: Vec<Place> = (0..4).map(|_| Place::take(&table).expect("open")).collect();
        (1..=4).for_each(|id| assert!(table.mark_sent(id)));
        let bytes = vec![0; PART_BYTES];
        for _ in 0..MAX_BUFFERED / PART_BYTES / 3 {
            (1..=3).for_each(|id| assert_eq!(table.take(part(id, false, &bytes)), Ok(())));
        }
        assert_eq!(table.lock().buffered, MAX_BUFFERED);
        assert_eq!(table.take(part(4, true, b"written")), Ok(()));
        assert_eq!(places.remove(3).answer().await, Ok(b"written".to_vec()));
    }

    #[tokio::test]
    async fn what_is_put_together_is_bounded() {
        let table = Arc::new(Table::default());
        let mut places: Vec<Place> = (0..3).map(|_| Place::take(&table).expect("open")).collect();
        (1..=3).for_each(|id| assert!(table.mark_sent(id)));
        let bytes = vec![0; PART_BYTES];
        // As much of each as there is room for in all.
        for _ in 0..MAX_BUFFERED / PART_BYTES / 3 {
            (1..=3).for_each(|id| assert_eq!(table.take(part(id, false, &bytes)), Ok(())));
        }
        assert_eq!(table.lock().buffered, MAX_BUFFERED);
        assert_eq!(table.take(part(1, false, &bytes)), Ok(()));
        assert_eq!(places.remove(0).answer().await, Err(CallError::AnswerTooLarge));
        assert_eq!(table.lock().buffered, MAX_BUFFERED / 3 * 2, "there is room again");
        assert_eq!(table.take(part(1, true, &bytes)), Ok(()), "the rest of it is dropped");
        drop(places);
        assert_eq!(table.lock().buffered, 0);
    }
}
