//! What is known of the sessions that wrote not long ago, so that their next operations need no look into the store.
//!
//! A session counts upwards, so that nearly every operation is one that cannot have been applied. Which those are follows
//! from the session's row alone: no counter of a later step than the one in it was ever applied. Of that step and the one
//! before it, two bits per counter say the rest. The engine is the actor table's only writer, and after an error it is
//! opened again: what is known here stays true.

use crate::actors::STEP;
use anabranch_causality::SessionId;
use xxhash_rust::xxh3::xxh3_64;

/// How many sessions are remembered at the most: 256 KiB.
const SLOTS: usize = 1 << 12;

/// A bounded cache of sessions. Takes no memory before it is used; of two sessions with one slot the later stays.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: Vec<Option<Session>>,
}

/// What is known of one session.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    id: SessionId,
    highest: u64,
    /// Of the highest counter's step.
    current: Counters,
    /// Of the step before it.
    previous: Counters,
}

/// The counters of one step, one bit each.
#[derive(Clone, Copy, Debug)]
struct Counters {
    /// Of which it is known whether they were applied.
    known: u64,
    applied: u64,
}

const _: () = assert!(STEP == u64::BITS as u64);

impl Counters {
    const UNKNOWN: Self = Self { known: 0, applied: 0 };
    const NONE_APPLIED: Self = Self { known: u64::MAX, applied: 0 };
}

impl Sessions {
    /// What is known of a session: what its row says, at least, which is asked for when nothing is known.
    pub(crate) fn get<E>(
        &mut self,
        id: SessionId,
        highest: impl FnOnce() -> Result<u64, E>,
    ) -> Result<&mut Session, E> {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, None);
        }
        let slot = &mut self.slots[xxh3_64(&id.0) as usize % SLOTS];
        let session = match slot.take().filter(|session| session.id == id) {
            Some(session) => session,
            None => Session { id, highest: highest()?, current: Counters::UNKNOWN, previous: Counters::UNKNOWN },
        };
        Ok(slot.insert(session))
    }
}

impl Session {
    /// What the session's row says.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether an operation with that counter was applied, if that is known.
    pub(crate) fn is_applied(&mut self, counter: u64) -> Option<bool> {
        if counter / STEP > self.highest / STEP {
            return Some(false);
        }
        let bit = 1 << (counter % STEP);
        let counters = self.step_of(counter)?;
        (counters.known & bit != 0).then_some(counters.applied & bit != 0)
    }

    /// Takes note of what the counter's row says, or has become.
    pub(crate) fn note(&mut self, counter: u64, applied: bool) {
        let bit = 1 << (counter % STEP);
        if let Some(counters) = self.step_of(counter) {
            counters.known |= bit;
            counters.applied |= u64::from(applied) * bit;
        }
    }

    /// The session's row says `counter` from now on, which is of a later step.
    pub(crate) fn raise(&mut self, counter: u64) {
        let follows = counter / STEP == self.highest / STEP + 1;
        self.previous = if follows { self.current } else { Counters::NONE_APPLIED };
        self.current = Counters::NONE_APPLIED;
        self.highest = counter;
    }

    fn step_of(&mut self, counter: u64) -> Option<&mut Counters> {
        match (self.highest / STEP).checked_sub(counter / STEP) {
            Some(0) => Some(&mut self.current),
            Some(1) => Some(&mut self.previous),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::convert::Infallible;

    const ID: SessionId = SessionId([7; 16]);

    /// Applies counters as the engine does and compares what is known with what is so; says how often it was not known.
    fn unknown(counters: impl Iterator<Item = u64>, mut forget: impl FnMut(u64) -> bool) -> usize {
        let (mut sessions, mut applied, mut highest, mut unknown) = (Sessions::default(), BTreeSet::new(), 0, 0);
        for counter in counters {
            if forget(counter) {
                sessions = Sessions::default();
            }
            let Ok(session) = sessions.get(ID, || Ok::<_, Infallible>(highest));
            assert_eq!(session.highest(), highest);
            for other in counter.saturating_sub(200)..counter + 200 {
                let known = session.is_applied(other);
                assert!(known.is_none_or(|known| known == applied.contains(&other)), "{other} before {counter}");
            }
            match session.is_applied(counter) {
                Some(_) => {}
                None => {
                    unknown += 1;
                    session.note(counter, applied.contains(&counter));
                }
            }
            applied.insert(counter);
            if counter / STEP > highest / STEP {
                highest = counter;
                session.raise(counter);
            }
            session.note(counter, true);
        }
        unknown
    }

    #[test]
    fn what_is_known_is_so_in_whatever_order_counters_come() {
        let drawn = |n: u64| xxh3_64(&n.to_le_bytes());
        // Forwards with some out of order, repeated, far ahead and long ago.
        let counters = |n: u64| match drawn(n) % 16 {
            0 => (n / 2).saturating_sub(drawn(n) % 300),
            1 => n / 2 + drawn(n) % 300,
            _ => n / 2,
        };
        let never = unknown((0..4_000).map(counters), |_| false);
        let often = unknown((0..4_000).map(counters), |counter| drawn(counter) % 8 == 0);
        assert!(never < often, "{never} {often}");
    }

    #[test]
    fn who_counts_upwards_is_looked_up_in_the_first_step_only() {
        assert_eq!(unknown(1..1_000, |_| false) as u64, STEP - 1);
        // A few at a time, in no order among them.
        assert_eq!(unknown((0..1_000).map(|n| n ^ 15), |_| false) as u64, STEP);
        assert_eq!(unknown(1_000..1_100, |_| false), 0, "what is far ahead of all that was seen is new");
    }

    #[test]
    fn sessions_do_not_answer_for_each_other() {
        let mut sessions = Sessions::default();
        for number in 0..3 * SLOTS as u64 {
            let mut id = ID;
            id.0[..8].copy_from_slice(&number.to_le_bytes());
            for _ in 0..2 {
                let found = sessions.get(id, || Ok::<_, Infallible>(number));
                assert_eq!(found.map(|session| session.highest()), Ok(number));
            }
            assert_eq!(sessions.get(id, || Err("it is known")).map(|session| session.highest()), Ok(number));
        }
        assert_eq!(sessions.slots.len(), SLOTS);
        assert!(size_of::<Option<Session>>() <= 64);
    }
}
