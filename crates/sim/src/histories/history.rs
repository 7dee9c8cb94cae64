//! A history, sorted and indexed for the checkers.

use super::event::{Action, Event, Outcome};
use anabranch_causality::{Dot, Token};
use std::collections::{BTreeMap, BTreeSet};

/// What clients did and saw, of one run and by one clock.
#[derive(Debug)]
pub struct History {
    events: Vec<Event>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) writes: Vec<Written>,
    numbers: BTreeMap<u64, u32>,
    pub(crate) keys: Names,
    /// The writes of each key, in the order in which they began.
    pub(crate) on_key: Vec<Vec<u32>>,
    pub(crate) sessions: Names,
    pub(crate) nodes: Names,
    /// Beginnings and ends, in the order of time.
    pub(crate) points: Vec<Point>,
}

/// What makes a list of operations no history.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Inconsistent {
    /// Two operations have one number.
    #[error("event {0} is there twice")]
    Event(u64),
    /// Two writes have one number.
    #[error("write {0} is there twice")]
    Write(u64),
    /// An operation ended before it began.
    #[error("event {0} ends before it begins")]
    Backwards(u64),
    /// A token cannot be read.
    #[error("event {event} carries a token that cannot be read: {why}")]
    Token {
        /// The event.
        event: u64,
        /// What is wrong.
        why: String,
    },
}

/// Names, numbered.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: BTreeMap<String, u32>,
    names: Vec<String>,
}

/// What an event comes to, in numbers.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) session: u32,
    pub(crate) node: Option<u32>,
    pub(crate) token: Token,
    pub(crate) what: What,
}

#[derive(Debug)]
pub(crate) enum What {
    /// An answered read: per key, the known writes that it saw, in the order of their numbers.
    Read(Vec<(u32, Vec<u32>)>),
    Write(u32),
    Join(u32),
    Other,
}

/// A write, in numbers. Writes are numbered in the order in which they began.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) event: usize,
    pub(crate) id: u64,
    pub(crate) dot: Option<Dot>,
    pub(crate) sequenced_at: Option<u32>,
    /// It was sent once: there is one transaction of it at most.
    pub(crate) single: bool,
}

/// The beginning or the end of an event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) event: usize,
    pub(crate) begins: bool,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(name.to_owned(), number);
        self.names.push(name.to_owned());
        number
    }

    pub(crate) fn name(&self, number: u32) -> &str {
        &self.names[number as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}

impl History {
    /// A history of these operations, in any order. `cluster`: whose tokens they carry; without it tokens are not looked at.
    ///
    /// # Errors
    /// [`Inconsistent`].
    pub fn new(cluster: Option<&str>, mut events: Vec<Event>) -> Result<Self, Inconsistent> {
        events.sort_by_key(|event| (event.invoke_us, event.id));
        check(&events)?;
        let points = points(&events);
        let mut history = Self {
            points,
            facts: Vec::with_capacity(events.len()),
            writes: Vec::new(),
            numbers: BTreeMap::new(),
            keys: Names::default(),
            on_key: Vec::new(),
            sessions: Names::default(),
            nodes: Names::default(),
            events: Vec::new(),
        };
        for (index, event) in events.iter().enumerate() {
            history.add_write(index, event)?;
        }
        for event in &events {
            let fact = history.fact(cluster, event)?;
            history.facts.push(fact);
        }
        history.events = events;
        Ok(history)
    }

    /// The operations, in the order in which they began.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The sessions that never asked for any guarantee.
    #[must_use]
    pub fn eventual_sessions(&self) -> BTreeSet<String> {
        let mut names: BTreeSet<String> = self.events.iter().map(|event| event.session.clone()).collect();
        for event in self.events.iter().filter(|event| event.guarantees != anabranch_session::Guarantees::NONE) {
            names.remove(&event.session);
        }
        names
    }

    /// The write of that number.
    pub(crate) fn write(&self, id: u64) -> Option<u32> {
        self.numbers.get(&id).copied()
    }

    pub(crate) fn event_of(&self, write: u32) -> &Event {
        &self.events[self.writes[write as usize].event]
    }

    fn add_write(&mut self, index: usize, event: &Event) -> Result<(), Inconsistent> {
        let Action::Write { write, keys, dot, sequenced_at, attempts } = &event.action else { return Ok(()) };
        let number = self.writes.len() as u32;
        if self.numbers.insert(*write, number).is_some() {
            return Err(Inconsistent::Write(*write));
        }
        let sequenced_at = sequenced_at.as_ref().map(|name| self.nodes.number(name));
        let single = *attempts <= 1;
        self.writes.push(Written { event: index, id: *write, dot: *dot, sequenced_at, single });
        for key in keys.iter().collect::<BTreeSet<_>>() {
            let key = self.key(key);
            self.on_key[key as usize].push(number);
        }
        Ok(())
    }

    fn key(&mut self, name: &str) -> u32 {
        let number = self.keys.number(name);
        self.on_key.resize(self.keys.len(), Vec::new());
        number
    }

    fn fact(&mut self, cluster: Option<&str>, event: &Event) -> Result<Fact, Inconsistent> {
        let why = |why: String| Inconsistent::Token { event: event.id, why };
        let token = match (cluster, &event.token_in) {
            (Some(cluster), Some(text)) => token(cluster, text).map_err(why)?,
            _ => Token::new(),
        };
        let what = match &event.action {
            Action::Read { seen } if event.result == Outcome::Ok => What::Read(self.seen(seen)),
            Action::Write { write, .. } => What::Write(self.numbers[write]),
            Action::Join { session } => What::Join(self.sessions.number(session)),
            Action::Read { .. } | Action::Add { .. } | Action::Count { .. } => What::Other,
        };
        let node = event.node.as_ref().map(|name| self.nodes.number(name));
        Ok(Fact { session: self.sessions.number(&event.session), node, token, what })
    }

    fn seen(&mut self, seen: &BTreeMap<String, Vec<u64>>) -> Vec<(u32, Vec<u32>)> {
        let mut covered = Vec::with_capacity(seen.len());
        for (key, ids) in seen {
            let mut writes: Vec<u32> = ids.iter().filter_map(|id| self.write(*id)).collect();
            writes.sort_unstable();
            covered.push((self.key(key), writes));
        }
        covered
    }
}

fn check(events: &[Event]) -> Result<(), Inconsistent> {
    let mut ids = BTreeSet::new();
    for event in events {
        if !ids.insert(event.id) {
            return Err(Inconsistent::Event(event.id));
        }
        if event.end_us < event.invoke_us {
            return Err(Inconsistent::Backwards(event.id));
        }
    }
    Ok(())
}

/// What ends at the moment at which something else begins came before it, unless it began then as well.
fn points(events: &[Event]) -> Vec<Point> {
    let mut points: Vec<(u64, u8, Point)> = Vec::with_capacity(2 * events.len());
    for (index, event) in events.iter().enumerate() {
        let at_once = event.invoke_us == event.end_us;
        points.push((event.invoke_us, 1, Point { event: index, begins: true }));
        points.push((event.end_us, if at_once { 2 } else { 0 }, Point { event: index, begins: false }));
    }
    points.sort_by_key(|(when, order, point)| (*when, *order, point.event));
    points.into_iter().map(|(_, _, point)| point).collect()
}

fn token(cluster: &str, text: &str) -> Result<Token, String> {
    let mut token = Token::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        token.join(&Token::decode(part, cluster).map_err(|error| error.to_string())?);
    }
    Ok(token)
}
