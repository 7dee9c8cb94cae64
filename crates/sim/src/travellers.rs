//! Clients with sessions: they read and write, hop between replicas and carry their tokens along. What they ask of whom the
//! session crate decides; all that they do and see goes into a history, which the checkers of histories judge in the end.

mod answers;
mod calls;
mod plan;
mod record;
mod serve;
mod verdict;
mod ways;

use crate::queue::Event;
use crate::random::Random;
use crate::world::{Checked, World};
use anabranch_causality::Token;
use anabranch_session::{Attempts, Fleet, Guarantees, SessionState};
pub(crate) use plan::TravelPlan;
pub(crate) use record::Record;
pub(crate) use serve::{Told, Waiting};

/// After so many calls in a row that brought nothing a client gives up its session: what its token names may be lost.
const PATIENCE: u32 = 4;

/// All of them, and what they asked.
pub(crate) struct Travellers {
    random: Random,
    list: Vec<Traveller>,
    asks: Vec<Ask>,
    begun: usize,
    pub(crate) record: Record,
}

/// One client. Its session is replaced by a new one now and then.
struct Traveller {
    session: SessionState,
    fleet: Fleet,
    call: Option<Call>,
    calls: u64,
    in_vain: u32,
}

/// What it is doing.
struct Call {
    number: u64,
    body: Body,
    attempts: Attempts,
    guarantees: Guarantees,
    /// What it carried when it began.
    token: Token,
    invoke_us: u64,
    asks: u32,
    /// It is asked again although nobody knows what came of it.
    again: bool,
}

/// What is asked.
#[derive(Clone)]
enum Body {
    Read(Vec<String>),
    Count,
    /// The write of that number of set members.
    Write(u64, Vec<String>, usize),
    Add(u64, usize),
}

/// One attempt, at one node.
struct Ask {
    traveller: usize,
    call: u64,
    node: usize,
    body: Body,
    token: Token,
    wait_ms: u64,
    max_lag_ms: Option<u64>,
    sent_ms: u64,
    /// Something was made of it.
    over: bool,
}

/// What happens to them.
#[derive(Clone, Debug)]
pub(crate) enum Travel {
    /// A client thinks of something to do.
    Step { traveller: usize },
    /// A client looks what to do next about its call.
    Go { traveller: usize, call: u64 },
    /// A read is late: perhaps another replica is asked as well.
    Late { ask: u64 },
    /// An attempt is given up.
    GiveUp { ask: u64 },
    /// Nobody is there.
    Unreachable { ask: u64 },
    /// An attempt comes to a node.
    Arrive { node: usize, ask: u64 },
    /// A node has waited for a token as long as it may.
    WaitOver { node: usize, life: u64, ask: u64 },
    /// A client is answered.
    Hear { ask: u64, told: Box<Told> },
}

impl Travellers {
    pub(crate) fn new(random: Random) -> Self {
        Self { random, list: Vec::new(), asks: Vec::new(), begun: 0, record: Record::default() }
    }

    /// Whether nothing more is asked or waited for.
    pub(crate) fn is_quiet(&self) -> bool {
        self.list.iter().all(|traveller| traveller.call.is_none())
    }
}

impl World {
    pub(crate) fn start_travellers(&mut self) {
        for traveller in 0..self.plan.travel.travellers {
            let (session, fleet) = (self.fresh_session(), self.fleet());
            let made = Traveller { session, fleet, call: None, calls: 0, in_vain: 0 };
            self.travellers.list.push(made);
            self.hop(traveller);
            self.think(traveller);
        }
    }

    pub(crate) fn travel(&mut self, travel: Travel) -> Checked {
        match travel {
            Travel::Step { traveller } => self.wander(traveller),
            Travel::Go { traveller, call } => self.go_on(traveller, call),
            Travel::Late { ask } => self.hedge(ask),
            Travel::GiveUp { ask } => self.give_up(ask),
            Travel::Unreachable { ask } => self.unreachable(ask),
            Travel::Arrive { node, ask } => return self.ask_arrives(node, ask),
            Travel::WaitOver { node, life, ask } => self.wait_over(node, life, ask),
            Travel::Hear { ask, told } => self.hear(ask, *told),
        }
        Ok(())
    }

    fn think(&mut self, traveller: usize) {
        let think = self.travellers.random.spread(self.plan.travel.think_ms);
        self.queue.at(self.now + think, Event::Travel(Travel::Step { traveller }));
    }

    /// A client that has nothing under way moves on, and asks for something.
    fn wander(&mut self, traveller: usize) {
        if self.healing || self.travellers.begun >= self.plan.travel.calls {
            return;
        }
        self.think(traveller);
        if self.travellers.list[traveller].call.is_some() {
            return;
        }
        let patient = self.travellers.list[traveller].in_vain < PATIENCE;
        if !patient || self.travellers.random.chance(10) {
            self.coverage.note(if patient { "sessions ended" } else { "sessions given up" });
            self.travellers.list[traveller].session = self.fresh_session();
            self.travellers.list[traveller].in_vain = 0;
        }
        if self.travellers.random.chance(20) {
            self.carry_on(traveller);
        }
        if self.travellers.random.chance(20) {
            self.hand_over(traveller);
        }
        if self.travellers.random.chance(self.plan.travel.hop) {
            self.coverage.note("hops");
            self.hop(traveller);
        }
        if self.travellers.random.chance(300) {
            self.learn(traveller);
        }
        self.travellers.begun += 1;
        self.call(traveller);
    }
}
