//! A model of a replicated set: leaders that write, replicas that apply what others wrote, late and in causal order, and sessions
//! that hop between them with their two vectors. Small enough to be seen right.

mod replica;
mod session;

use anabranch_causality::{Dot, Origin, ShardId, Token, VersionVector};
use anabranch_sim::histories::{Action, Event, Guarantees, Outcome};
use replica::{Change, Replica};
use session::{Answer, Session};

const REPLICAS: usize = 4;
const SESSIONS: usize = 12;
const KEYS: u64 = 5;
/// After so many steps the keys are others, so that sets stay small.
const KEYS_LAST: u64 = 200;
const COUNTER: &str = "hits";

/// What the model does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    None,
    ReadsDoNotWait,
    WritesDoNotWait,
    NobodyWaits,
    AnyOrder,
    CountsTwice,
    LosesCounts,
    FailsAndWrites,
}

/// A run.
pub(crate) struct Model {
    pub(crate) random: Random,
    bug: Bug,
    replicas: Vec<Replica>,
    sessions: Vec<Session>,
    events: Vec<Event>,
    now: u64,
}

/// Numbers by chance.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % count
    }
}

impl Model {
    pub(crate) fn new(seed: u64, bug: Bug) -> Self {
        let replicas = (0..REPLICAS).map(|_| Replica::new(REPLICAS)).collect();
        let sessions = (0..SESSIONS).map(Session::new).collect();
        Self { random: Random(seed.wrapping_mul(2) + 1), bug, replicas, sessions, events: Vec::new(), now: 0 }
    }

    /// So many steps, then what all replicas show once they have everything.
    pub(crate) fn run(mut self, steps: u64) -> Vec<Event> {
        for _ in 0..steps {
            self.now += 1;
            let session = self.random.below(SESSIONS as u64) as usize;
            self.sessions[session].hear(self.now);
            if !self.sessions[session].is_waiting() {
                self.act(session);
            }
            for _ in 0..2 {
                self.deliver();
            }
        }
        for replica in 0..REPLICAS {
            while (0..REPLICAS).any(|origin| self.take(replica, origin)) {}
            self.count(replica, &format!("end {replica}"), true);
        }
        self.events
    }

    /// One replica hears one transaction of another; slowly, so that there is something to wait for.
    fn deliver(&mut self) {
        let (to, origin) = (self.random.below(REPLICAS as u64) as usize, self.random.below(REPLICAS as u64) as usize);
        if self.random.below(3) == 0 {
            self.take(to, origin);
        }
    }

    /// The next transaction of an origin, if it may be applied.
    fn take(&mut self, to: usize, origin: usize) -> bool {
        let next = self.replicas[to].applied[origin] as usize;
        let Some(transaction) = self.replicas[origin].log.get(next).cloned() else { return false };
        let ready = self.bug == Bug::AnyOrder || self.replicas[to].has(&transaction.after, origin);
        if ready {
            self.replicas[to].apply(origin, &transaction, self.bug);
        }
        ready
    }

    fn act(&mut self, session: usize) {
        match self.random.below(20) {
            0 => self.join(session),
            1 => {
                let at = self.random.below(REPLICAS as u64) as usize;
                let name = self.sessions[session].name.clone();
                self.count(at, &name, false);
            }
            2 | 3 => self.write(session, true),
            4..=8 => self.write(session, false),
            _ => self.read(session),
        }
    }

    fn key(&mut self) -> String {
        format!("{}-{}", self.now / KEYS_LAST, self.random.below(KEYS))
    }

    fn read(&mut self, session: usize) {
        let at = self.random.below(REPLICAS as u64) as usize;
        let token = self.sessions[session].for_read();
        let waits = !matches!(self.bug, Bug::ReadsDoNotWait | Bug::NobodyWaits);
        let reached = !waits || self.wait(at, &token);
        let keys: Vec<String> = (0..self.random.below(3) + 1).map(|_| self.key()).collect();
        let seen = if reached { self.replicas[at].read(&keys) } else { Default::default() };
        let result = if reached { Outcome::Ok } else { Outcome::Fail };
        let answer = reached.then(|| Answer::Read(self.replicas[at].applied.clone()));
        self.log(session, Some(at), result, Action::Read { seen }, &token, answer);
    }

    fn write(&mut self, session: usize, counts: bool) {
        let number = self.events.len() as u64;
        let change = if counts {
            Change::Count { operation: number }
        } else {
            Change::Add { write: number, keys: (0..self.random.below(2) + 1).map(|_| self.key()).collect() }
        };
        let token = self.sessions[session].for_write();
        let waits = !matches!(self.bug, Bug::WritesDoNotWait | Bug::NobodyWaits);
        let (mut attempts, mut dot, mut sequenced_at, mut result) = (0, None, None, Outcome::Fail);
        // An answer may be lost: then the client asks elsewhere, or gives up.
        loop {
            attempts += 1;
            let at = self.random.below(REPLICAS as u64) as usize;
            if !waits || self.wait(at, &token) {
                let seq = self.replicas[at].write(at, change.clone(), self.bug);
                if self.random.below(6) > 0 {
                    dot = Some(Dot { shard: ShardId(0), origin: Origin(at as u64), seq });
                    sequenced_at = Some(name(at));
                    result = Outcome::Ok;
                    break;
                }
                result = Outcome::Info;
            }
            if self.random.below(4) == 0 {
                break;
            }
        }
        if self.bug == Bug::FailsAndWrites && result == Outcome::Info {
            result = Outcome::Fail;
        }
        let action = match change {
            Change::Count { operation } => Action::Add { operation, counter: COUNTER.to_owned() },
            Change::Add { write, keys } => Action::Write { write, keys, dot, sequenced_at, attempts },
        };
        let node = dot.map(|dot| dot.origin.0 as usize);
        self.log(session, node, result, action, &token, dot.map(|dot| Answer::Written(dot.origin.0 as usize, dot.seq)));
    }

    /// Waits: what is lacking may come in time.
    fn wait(&mut self, at: usize, token: &[u64]) -> bool {
        if self.random.below(4) > 0 {
            for _ in 0..20 {
                (0..REPLICAS).for_each(|origin| {
                    self.take(at, origin);
                });
            }
        }
        self.replicas[at].has(token, usize::MAX)
    }

    fn count(&mut self, at: usize, session: &str, last: bool) {
        let action = Action::Count { counter: COUNTER.to_owned(), value: self.replicas[at].count, last };
        let event = Event {
            id: self.events.len() as u64,
            session: session.to_owned(),
            node: Some(name(at)),
            guarantees: Guarantees::NONE,
            invoke_us: 10 * self.now,
            end_us: 10 * self.now + 5,
            result: Outcome::Ok,
            action,
            token_in: None,
            token_out: None,
        };
        self.events.push(event);
    }

    /// The session goes on with what another carries.
    fn join(&mut self, session: usize) {
        let other = self.random.below(SESSIONS as u64) as usize;
        self.sessions[other].hear(self.now);
        let (carried, name) = (self.sessions[other].carried(), self.sessions[other].name.clone());
        self.log(session, None, Outcome::Ok, Action::Join { session: name }, &[], Some(Answer::Read(carried)));
    }

    fn log(
        &mut self,
        session: usize,
        node: Option<usize>,
        result: Outcome,
        action: Action,
        token: &[u64],
        answer: Option<Answer>,
    ) {
        let takes = self.random.below(3) + 1;
        let found = &mut self.sessions[session];
        found.wait_for(self.now + takes, answer);
        let vector: VersionVector =
            token.iter().enumerate().map(|(origin, seq)| (Origin(origin as u64), *seq)).collect();
        self.events.push(Event {
            id: self.events.len() as u64,
            session: found.name.clone(),
            node: node.map(name),
            guarantees: found.guarantees,
            invoke_us: 10 * self.now,
            end_us: 10 * (self.now + takes) - 1,
            result,
            action,
            token_in: Some(Token::of(ShardId(0), vector).encode("model")),
            token_out: None,
        });
    }
}

fn name(replica: usize) -> String {
    format!("replica {replica}")
}
