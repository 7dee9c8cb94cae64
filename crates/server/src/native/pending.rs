//! What waits for answers that come one by one from another thread, and is taken in bursts.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Waiting things `T` and their answers `A`. One task takes them, and is woken once for as many as there are.
pub(super) struct Pending<T, A> {
    state: Mutex<State<T, A>>,
    /// There is an answer, or something that waits, and there was none.
    changed: Notify,
}

struct State<T, A> {
    /// By number, with deadlines in ascending order; `None` where the answer has come.
    waiting: VecDeque<Option<(Instant, T)>>,
    /// The number of the first of them.
    first: u64,
    answered: Vec<(T, Option<A>)>,
    /// Who takes answers knows that something waits, and until when.
    is_watched: bool,
}

impl<T, A> Default for Pending<T, A> {
    fn default() -> Self {
        let (waiting, answered) = (VecDeque::new(), Vec::new());
        Self { state: Mutex::new(State { waiting, first: 0, answered, is_watched: false }), changed: Notify::new() }
    }
}

impl<T, A> Pending<T, A> {
    /// Something waits until `deadline`, which is no earlier than that of any before it. Returns the number to answer it by.
    pub(super) fn push(&self, deadline: Instant, waiting: T) -> u64 {
        let mut state = self.lock();
        state.waiting.push_back(Some((deadline, waiting)));
        let number = state.first + state.waiting.len() as u64 - 1;
        let is_watched = std::mem::replace(&mut state.is_watched, true);
        drop(state);
        if !is_watched {
            self.changed.notify_one();
        }
        number
    }

    /// Answers what waits under that number. Dropped if it does not wait any more.
    pub(super) fn answer(&self, number: u64, answer: A) {
        let mut state = self.lock();
        let Some(waiting) = state.remove(number) else { return };
        state.answered.push((waiting, Some(answer)));
        let is_first = state.answered.len() == 1;
        drop(state);
        if is_first {
            self.changed.notify_one();
        }
    }

    /// What was answered since, and what was not by its deadline; waits for the first. Never returns while nothing waits.
    /// Cancel safe. For one task at a time.
    pub(super) async fn answered(&self) -> Vec<(T, Option<A>)> {
        loop {
            let (answered, deadline) = self.lock().take(Instant::now());
            if !answered.is_empty() {
                return answered;
            }
            match deadline {
                None => self.changed.notified().await,
                // Whether in time or not: what there is to take is seen above.
                Some(deadline) => drop(tokio::time::timeout_at(deadline, self.changed.notified()).await),
            }
            // Answers come one right after the other: who waits for a moment takes more of them.
            tokio::task::yield_now().await;
        }
    }

    /// Whether nothing waits, and there is nothing to take.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.waiting.is_empty() && state.answered.is_empty()
    }

    /// A panic of another thread leaves the lists whole: each change to them is one call.
    fn lock(&self) -> MutexGuard<'_, State<T, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, A> State<T, A> {
    fn remove(&mut self, number: u64) -> Option<T> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let (_, waiting) = self.waiting.get_mut(place)?.take()?;
        self.forget_answered();
        Some(waiting)
    }

    fn forget_answered(&mut self) {
        while let Some(None) = self.waiting.front() {
            self.waiting.pop_front();
            self.first += 1;
        }
    }

    /// What is to be taken; of what still waits, the first deadline.
    fn take(&mut self, now: Instant) -> (Vec<(T, Option<A>)>, Option<Instant>) {
        let mut answered = std::mem::take(&mut self.answered);
        let is_late = |first: &mut Option<(Instant, T)>| first.take_if(|(deadline, _)| *deadline <= now);
        while let Some((_, waiting)) = self.waiting.front_mut().and_then(is_late) {
            answered.push((waiting, None));
            self.forget_answered();
        }
        let deadline = self.waiting.front().and_then(Option::as_ref).map(|(deadline, _)| *deadline);
        self.is_watched = deadline.is_some();
        (answered, deadline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn each_is_answered_once_in_whatever_order() {
        let pending = Pending::default();
        let numbers: Vec<u64> = (0..5).map(|n| pending.push(Instant::now() + LONG, n)).collect();
        for n in [3, 0, 3, 1] {
            pending.answer(numbers[n], n * 10);
        }
        assert_eq!(pending.answered().await, [(3, Some(30)), (0, Some(0)), (1, Some(10))]);
        pending.answer(numbers[0], 7);
        pending.answer(u64::MAX, 7);
        let more = pending.push(Instant::now() + LONG, 5);
        for number in [numbers[4], numbers[2], more] {
            assert!(!pending.is_empty());
            pending.answer(number, 1);
        }
        assert_eq!(pending.answered().await, [(4, Some(1)), (2, Some(1)), (5, Some(1))]);
        assert!(pending.is_empty());
    }

    #[tokio::test]
    async fn what_is_late_is_told_so_also_to_who_began_to_wait_before_it_came() {
        let pending = Arc::new(Pending::<u64, u64>::default());
        let taken = tokio::spawn({
            let pending = pending.clone();
            async move { pending.answered().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let begun = Instant::now();
        let late = pending.push(begun + Duration::from_millis(50), 1);
        pending.push(begun + LONG, 2);
        let taken = tokio::time::timeout(LONG / 2, taken).await.expect("in time").expect("no panic");
        assert_eq!(taken, [(1, None)]);
        assert!(begun.elapsed() >= Duration::from_millis(50));
        pending.answer(late, 7);
        let taken = tokio::time::timeout(Duration::from_millis(50), pending.answered()).await;
        assert!(taken.is_err(), "it was told before, and the other waits: {taken:?}");
    }

    #[tokio::test]
    async fn answers_from_another_thread_wake_who_waits() {
        let pending = Arc::new(Pending::default());
        let numbers: Vec<u64> = (0..100).map(|n: u64| pending.push(Instant::now() + LONG, n)).collect();
        let answering = pending.clone();
        let thread = std::thread::spawn(move || {
            for number in numbers {
                answering.answer(number, ());
                std::thread::sleep(Duration::from_micros(number % 7 * 50));
            }
        });
        let mut taken = Vec::new();
        while taken.len() < 100 {
            let some = tokio::time::timeout(LONG, pending.answered()).await.expect("in time");
            taken.extend(some.into_iter().map(|(n, _)| n));
        }
        assert!(taken.into_iter().eq(0..100) && pending.is_empty());
        thread.join().expect("no panic");
    }
}
