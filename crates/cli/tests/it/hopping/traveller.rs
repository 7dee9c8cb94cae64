//! One client and its session: what it does next, where, and how often it tries.

use super::ask::{Ask, Era, Heard, Said, Way};
use super::natively::Natively;
use super::over_http::OverHttp;
use super::world::World;
use crate::support::random::Random;
use anabranch_sim::histories::{Action, Guarantees, Outcome};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub(super) const TRAVELLERS: usize = 32;
pub(super) const COUNTER_NAMES: [&str; 3] = ["a", "b", "c"];

/// How long it insists on a write before it gives it up.
const INSISTS: Duration = Duration::from_secs(8);

pub(super) struct Traveller {
    world: Arc<World>,
    session: String,
    way: Box<dyn Way>,
    random: Random,
}

/// What is left of an operation when it is over.
struct Ended {
    heard: Heard,
    /// How many attempts before the last may have taken effect.
    unknown: u32,
    /// How many did not.
    in_vain: u32,
}

/// The session of the traveller with that number.
pub(super) fn name(number: usize) -> String {
    format!("{}-{number}", kind(number).0)
}

/// How it travels. A third of them natively, a quarter of them without asking for anything.
fn kind(number: usize) -> (&'static str, bool, Guarantees) {
    let (none, native) = (Guarantees::NONE, number.is_multiple_of(3));
    match number {
        6 => ("native-some", true, none.read_your_writes(true).monotonic_reads(true)),
        18 => ("native-some", true, none.monotonic_reads(true).writes_follow_reads(true)),
        30 => ("native-some", true, none.read_your_writes(true).monotonic_writes(true)),
        _ if number % 4 == 3 => (if native { "native-eventual" } else { "http-eventual" }, native, none),
        _ => (if native { "native" } else { "http" }, native, Guarantees::ALL),
    }
}

impl Traveller {
    pub(super) fn new(world: &Arc<World>, number: usize, seed: u64) -> Self {
        let seed = seed.wrapping_add(1_000 * (number as u64 + 1));
        let (random, own) = (Random::new(seed), Random::new(seed + 1));
        let (_, native, guarantees) = kind(number);
        let way: Box<dyn Way> = match native {
            true => Box::new(Natively::new(world, own, guarantees)),
            false => Box::new(OverHttp::new(world, own, guarantees == Guarantees::ALL)),
        };
        Self { world: world.clone(), session: name(number), way, random }
    }

    /// One who waits for nothing, and should have no need to.
    pub(super) fn witness(world: &Arc<World>, session: String) -> Self {
        let way = Box::new(OverHttp::new(world, Random::new(1), false));
        Self { world: world.clone(), session, way, random: Random::new(2) }
    }

    /// Travels in a thread of its own until told to stop.
    pub(super) fn run(mut self) -> JoinHandle<()> {
        std::thread::spawn(move || {
            while !self.world.stopped() {
                std::thread::sleep(Duration::from_millis(self.random.below(30)));
                self.step();
            }
        })
    }

    fn step(&mut self) {
        let ask = match self.random.below(100) {
            0..30 => Ask::Write { number: self.world.journal.number(), keys: self.keys() },
            30..40 => Ask::Add { operation: self.world.journal.number(), counter: self.counter() },
            40..45 => Ask::Count { counter: self.counter(), last: false },
            45..70 => Ask::Get(self.key()),
            70..95 => Ask::Page(self.era()),
            95..98 => return self.join(),
            _ => return self.way.move_on(),
        };
        self.perform(&ask, None, self.way.guarantees());
    }

    /// A witness looks at all sets of an era.
    pub(super) fn look(&mut self, at: usize, era: Era) {
        self.perform(&Ask::Page(era), Some(at), Guarantees::ALL);
    }

    /// A witness looks at a counter.
    pub(super) fn count(&mut self, at: usize, counter: &str) {
        self.perform(&Ask::Count { counter: counter.to_owned(), last: true }, Some(at), Guarantees::ALL);
    }

    fn join(&mut self) {
        let journal = &self.world.journal;
        if self.way.guarantees() != Guarantees::ALL {
            return;
        }
        if let Some(other) = journal.hand_over(&self.session, &mut self.random) {
            self.way.join(&other.token);
            journal.joined(&self.session, &other, self.way.token());
        }
    }

    fn perform(&mut self, ask: &Ask, at: Option<usize>, guarantees: Guarantees) {
        let journal = &self.world.clone().journal;
        let began_us = journal.now_us();
        let carries = self.way.guarantees() == Guarantees::ALL;
        let token_in = self.way.token().filter(|_| carries);
        let ended = self.insist(ask, at);
        let (action, result) = self.outcome(ask, &ended);
        let mut event = journal.event(&self.session, guarantees, began_us, action);
        (event.result, event.node) = (result, ended.heard.by);
        (event.token_in, event.token_out) = (token_in, ended.heard.token);
        let Ended { unknown, in_vain, .. } = ended;
        journal.ended(event, self.way.token(), |tally| {
            tally.repeated += usize::from(unknown > 0);
            tally.tried_again += usize::from(unknown + in_vain > 0);
        });
    }

    /// Reads are tried once, writes again and again, anywhere.
    fn insist(&mut self, ask: &Ask, at: Option<usize>) -> Ended {
        let (began, mut unknown, mut in_vain) = (Instant::now(), 0, 0);
        loop {
            let at = at.unwrap_or_else(|| self.random.below(self.world.nodes.len() as u64) as usize);
            let mut heard = self.way.attempt(at, ask, unknown + in_vain > 0);
            self.note(at, ask, &heard);
            let failed = matches!(heard.said, Said::Not | Said::Unknown);
            if !failed || !ask.writes() || began.elapsed() > INSISTS {
                if unknown > 0 && matches!(heard.said, Said::Not) {
                    // An earlier attempt may have taken effect.
                    heard.said = Said::Unknown;
                }
                return Ended { heard, unknown, in_vain };
            }
            *if matches!(heard.said, Said::Unknown) { &mut unknown } else { &mut in_vain } += 1;
            std::thread::sleep(Duration::from_millis(20 + self.random.below(60)));
        }
    }

    fn note(&self, at: usize, ask: &Ask, heard: &Heard) {
        let place = &self.world.nodes[at].name;
        let what = || format!("{}: {ask:?} at {place}: {}", self.session, heard.why);
        self.world.journal.took(heard.took, heard.allowed, what);
    }

    fn outcome(&self, ask: &Ask, ended: &Ended) -> (Action, Outcome) {
        let result = match ended.heard.said {
            Said::Not => Outcome::Fail,
            Said::Unknown => Outcome::Info,
            _ => Outcome::Ok,
        };
        let action = match (ask.clone(), &ended.heard.said) {
            (Ask::Get(_) | Ask::Page(_), Said::Seen(seen)) => Action::Read { seen: seen.clone() },
            (Ask::Get(_) | Ask::Page(_), _) => Action::Read { seen: [].into() },
            (Ask::Count { counter, last }, Said::Counted(value)) => Action::Count { counter, value: *value, last },
            (Ask::Count { counter, last }, _) => Action::Count { counter, value: 0, last },
            (Ask::Add { operation, counter }, _) => Action::Add { operation, counter },
            (Ask::Write { number, keys }, said) => self.write(number, keys, said, ended),
        };
        (action, result)
    }

    fn write(&self, write: u64, keys: Vec<String>, said: &Said, ended: &Ended) -> Action {
        let (dot, sequenced_at) = match said {
            Said::Written { dot, repeated } => (Some(*dot), ended.heard.by.clone().filter(|_| !repeated)),
            _ => (None, None),
        };
        // The one leader knows what it was sent before; of several, each may make a transaction of it. How often the client
        // library sends something is not seen from here.
        let attempts = if self.world.one_leader { 1 } else { 1 + ended.unknown + u32::from(self.way.sends_again()) };
        Action::Write { write, keys, dot, sequenced_at, attempts }
    }

    fn keys(&mut self) -> Vec<String> {
        let count = [1, 1, 2, 3][self.random.below(4) as usize];
        let mut keys: Vec<_> = (0..count).map(|_| self.key()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn key(&mut self) -> String {
        self.era().key(self.random.below(u64::MAX))
    }

    /// Mostly this one, or one a little ago.
    fn era(&mut self) -> Era {
        let back = [0, 0, 0, 0, 0, 1, 1, 2][self.random.below(8) as usize];
        Era::at(self.world.journal.now_us()).back(back)
    }

    fn counter(&mut self) -> String {
        COUNTER_NAMES[self.random.below(COUNTER_NAMES.len() as u64) as usize].to_owned()
    }
}
