//! The history of a run, and what else is known of it.

use crate::support::random::Random;
use anabranch_sim::histories::{Action, Event, Guarantees, Log, Outcome};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::TempDir;

/// Where all travellers write what they did and saw.
pub(super) struct Journal {
    log: Log<File>,
    last_us: AtomicU64,
    state: Mutex<State>,
    /// Kept when the test fails.
    dir: Option<TempDir>,
}

#[derive(Default)]
struct State {
    /// What each session that may be joined carries.
    carried: BTreeMap<String, String>,
    tally: Tally,
}

/// What happened how often.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) reads: usize,
    pub(super) writes: usize,
    pub(super) adds: usize,
    /// Operations without an answer that counts.
    pub(super) refused: usize,
    /// Writes that were sent again.
    pub(super) tried_again: usize,
    /// Those of them of which nobody knew what had become of an earlier attempt.
    pub(super) repeated: usize,
    pub(super) handed_over: usize,
    pub(super) longest: Duration,
    /// By how much a request took longer than it was to wait, and which.
    pub(super) overrun: (Duration, String),
}

/// Another session, as it is handed over.
pub(super) struct HandedOver {
    pub(super) session: String,
    pub(super) token: String,
    began_us: u64,
}

impl Journal {
    pub(super) fn new(cluster: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let log = Log::create(dir.path().join("history.jsonl"), Some(cluster)).expect("a log");
        Self { log, last_us: AtomicU64::new(0), state: Mutex::default(), dir: Some(dir) }
    }

    /// Its file, with all that was written so far.
    pub(super) fn file(&self) -> PathBuf {
        self.log.flush().expect("a history that is written");
        self.dir.as_ref().expect("until it is dropped").path().join("history.jsonl")
    }

    pub(super) fn number(&self) -> u64 {
        self.log.number()
    }

    /// The time, later than any that was told before: what is told in turn is never at the same time.
    pub(super) fn now_us(&self) -> u64 {
        let now = self.log.now_us();
        let later = |last: u64| Some(now.max(last + 1));
        let last = self.last_us.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).unwrap_or(now);
        now.max(last + 1)
    }

    /// An operation ends now, and its session carries that.
    pub(super) fn ended(&self, event: Event, carried: Option<String>, heard: impl FnOnce(&mut Tally)) {
        let event = {
            let mut state = self.state();
            if event.guarantees == Guarantees::ALL {
                state.carried.extend(carried.map(|token| (event.session.clone(), token)));
            }
            count(&mut state.tally, &event);
            heard(&mut state.tally);
            Event { end_us: self.now_us(), ..event }
        };
        self.log.append(&event).expect("a history that is written");
    }

    /// Notes how long one request took.
    pub(super) fn took(&self, took: Duration, allowed: Duration, what: impl FnOnce() -> String) {
        let tally = &mut self.state().tally;
        tally.longest = tally.longest.max(took);
        let over = took.saturating_sub(allowed);
        if over > tally.overrun.0 {
            tally.overrun = (over, what());
        }
    }

    /// What some other session carries now.
    pub(super) fn hand_over(&self, to: &str, random: &mut Random) -> Option<HandedOver> {
        let state = self.state();
        let others: Vec<_> = state.carried.iter().filter(|(session, _)| *session != to).collect();
        let (session, token) = others.get(random.below(others.len().max(1) as u64) as usize)?;
        // Told before anything more that the other carries ends.
        Some(HandedOver { session: (*session).clone(), token: (*token).clone(), began_us: self.now_us() })
    }

    /// A session has taken over what another carried.
    pub(super) fn joined(&self, session: &str, from: &HandedOver, carried: Option<String>) {
        let action = Action::Join { session: from.session.clone() };
        let event = self.event(session, Guarantees::ALL, from.began_us, action);
        self.ended(event, carried, |tally| tally.handed_over += 1);
    }

    /// A session that comes after all others.
    pub(super) fn joined_in_the_end(&self, session: &str, others: impl Iterator<Item = String>) {
        for other in others {
            let event = self.event(session, Guarantees::ALL, self.now_us(), Action::Join { session: other });
            self.ended(event, None, |_| {});
        }
    }

    /// An operation that went well, but for what the caller says otherwise.
    pub(super) fn event(&self, session: &str, guarantees: Guarantees, invoke_us: u64, action: Action) -> Event {
        Event {
            id: self.number(),
            session: session.to_owned(),
            node: None,
            guarantees,
            invoke_us,
            end_us: invoke_us,
            result: Outcome::Ok,
            action,
            token_in: None,
            token_out: None,
        }
    }

    pub(super) fn tally(&self) -> Tally {
        self.state().tally.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(tally: &mut Tally, event: &Event) {
    match &event.action {
        _ if event.result != Outcome::Ok => tally.refused += 1,
        Action::Read { .. } | Action::Count { .. } => tally.reads += 1,
        Action::Write { .. } => tally.writes += 1,
        Action::Add { .. } => tally.adds += 1,
        Action::Join { .. } => {}
    }
}

impl Drop for Journal {
    #[expect(clippy::print_stderr, reason = "whoever looks for the cause of a failure needs the history")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the history: {}", self.file().display());
            let _kept = self.dir.take().map(TempDir::keep);
        }
    }
}
