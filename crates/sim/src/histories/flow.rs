//! One sweep through time that works out, for each read, which writes it had to show. What flows from one operation to the
//! next is the guarantee; the sweep is the same for all of them.

use super::event::Outcome;
use super::history::{History, What};
use super::scope::Scope;
use super::sets::{Set, Sets};
use super::story::{self, Cause};
use super::tokens::Tokens;
use super::violation::Violation;
use std::collections::BTreeMap;

/// What flows where under a rule. Of these only what the operation asked for flows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) rule: &'static str,
    /// A session's own writes to its reads.
    pub(crate) own_to_reads: bool,
    /// What a session read to its reads.
    pub(crate) read_to_reads: bool,
    /// A session's own writes into the past of its writes.
    pub(crate) own_to_writes: bool,
    /// What a session read into the past of its writes.
    pub(crate) read_to_writes: bool,
    /// What a token covers to what carries it.
    pub(crate) tokens: bool,
    /// Whether showing a write means showing its past, too.
    pub(crate) with_past: bool,
    /// Whether only pasts are asked for: what was shown itself is another rule's.
    pub(crate) past_only: bool,
}

impl Flow {
    /// Nothing flows.
    pub(crate) const fn none(rule: &'static str) -> Self {
        Self {
            rule,
            own_to_reads: false,
            read_to_reads: false,
            own_to_writes: false,
            read_to_writes: false,
            tokens: false,
            with_past: false,
            past_only: false,
        }
    }

    /// Judges every answered read. At most one violation each.
    pub(crate) fn check(self, history: &History, scope: &Scope) -> Vec<Violation> {
        let mut sets = Sets::new(history.writes.len());
        let mut sweep = Sweep {
            flow: self,
            history,
            scope,
            pasts: Pasts::none(history, &mut sets),
            sets,
            tokens: if self.tokens { Tokens::of(history) } else { Tokens::default() },
            sessions: vec![Carried::default(); history.sessions.len()],
            begun: vec![Set::EMPTY; history.facts.len()],
            found: Vec::new(),
        };
        for point in &history.points {
            if point.begins { sweep.begin(point.event) } else { sweep.end(point.event) }
        }
        sweep.found
    }
}

/// Each write with its past.
#[derive(Debug)]
pub(crate) struct Pasts {
    whole: Vec<Set>,
}

impl Pasts {
    /// So far each by itself.
    pub(crate) fn none(history: &History, sets: &mut Sets) -> Self {
        let writes = 0..history.writes.len() as u32;
        Self { whole: writes.map(|write| sets.with(Set::EMPTY, write)).collect() }
    }

    /// A write begins, and that came before it.
    pub(crate) fn begin(&mut self, write: u32, before: Set, sets: &mut Sets) {
        self.whole[write as usize] = sets.with(before, write);
    }

    /// A write and its past.
    pub(crate) fn with(&self, write: u32) -> Set {
        self.whole[write as usize]
    }

    /// Whether `earlier` is in the past of `write`.
    pub(crate) fn holds(&self, write: u32, earlier: u32, sets: &Sets) -> bool {
        write != earlier && sets.contains(self.whole[write as usize], earlier)
    }
}

/// What a session carries.
#[derive(Clone, Debug, Default)]
struct Carried {
    read: Set,
    own: Set,
    /// The writes that it was shown, and in which event first.
    shown: BTreeMap<u32, usize>,
}

struct Sweep<'a> {
    flow: Flow,
    history: &'a History,
    scope: &'a Scope,
    sets: Sets,
    tokens: Tokens,
    sessions: Vec<Carried>,
    pasts: Pasts,
    /// What each operation carried when it began.
    begun: Vec<Set>,
    found: Vec<Violation>,
}

impl Sweep<'_> {
    fn begin(&mut self, event: usize) {
        let fact = &self.history.facts[event];
        let asked = self.scope.guarantees(&self.history.events()[event]);
        let Carried { read, own, .. } = self.sessions[fact.session as usize];
        let if_so = |flows: bool, set: Set| if flows { set } else { Set::EMPTY };
        let (from_own, from_read) = match &fact.what {
            What::Read(_) => (
                if_so(self.flow.own_to_reads && asked.read_your_writes, own),
                if_so(self.flow.read_to_reads && asked.monotonic_reads, read),
            ),
            What::Write(_) => (
                if_so(self.flow.own_to_writes && asked.monotonic_writes, own),
                if_so(self.flow.read_to_writes && asked.writes_follow_reads, read),
            ),
            What::Join(other) => (self.sessions[*other as usize].read, self.sessions[*other as usize].own),
            What::Other => return,
        };
        let mut carried = self.sets.union(from_own, from_read);
        if self.flow.tokens {
            let covered = self.tokens.covered(&fact.token, &mut self.sets, &self.pasts);
            carried = self.sets.union(carried, covered);
        }
        self.begun[event] = carried;
        if let (true, What::Write(write)) = (self.flow.with_past, &fact.what) {
            self.pasts.begin(*write, carried, &mut self.sets);
        }
    }

    fn end(&mut self, event: usize) {
        let fact = &self.history.facts[event];
        if self.history.events()[event].result != Outcome::Ok {
            return;
        }
        match &fact.what {
            What::Write(write) => {
                let past = self.pasts.with(*write);
                let own = &mut self.sessions[fact.session as usize].own;
                *own = self.sets.union(*own, past);
            }
            What::Join(_) => self.carry(event, self.begun[event]),
            What::Read(covered) => self.read(event, covered),
            What::Other => {}
        }
    }

    fn carry(&mut self, event: usize, more: Set) {
        let session = self.history.facts[event].session;
        let read = &mut self.sessions[session as usize].read;
        *read = self.sets.union(*read, more);
    }

    fn read(&mut self, event: usize, covered: &[(u32, Vec<u32>)]) {
        let mut needed = self.begun[event];
        // The latest first: what it has in its past need not be looked at again.
        let mut shown: Vec<u32> = covered.iter().flat_map(|(_, writes)| writes).copied().collect();
        shown.sort_unstable_by(|one, other| other.cmp(one));
        for write in shown.iter().filter(|_| self.flow.read_to_reads || self.flow.with_past) {
            if !self.sets.contains(needed, *write) {
                needed = self.sets.union(needed, self.pasts.with(*write));
            }
        }
        let missing = missing(self.history, &self.sets, needed, covered);
        self.judge(event, &shown, &missing);
        let session = self.history.facts[event].session;
        let known = &mut self.sessions[session as usize].shown;
        shown.iter().for_each(|write| {
            known.entry(*write).or_insert(event);
        });
        self.carry(event, needed);
    }

    fn judge(&mut self, event: usize, shown: &[u32], missing: &[(u32, u32)]) {
        for lacking in missing {
            let after = self.shown_after(event, shown, lacking.1);
            let cause = match after {
                Some(cause) if self.flow.past_only => cause,
                None if self.flow.past_only => continue,
                _ if shown.contains(&lacking.1) => Cause::OtherKey,
                _ => self.plain_cause(event, lacking.1).or(after).unwrap_or(Cause::Carried),
            };
            let story = story::missing(self.history, event, *lacking, cause, missing.len());
            self.found.push(Violation { rule: self.flow.rule, event: self.history.events()[event].id, story });
            return;
        }
    }

    /// The session wrote or saw it itself.
    fn plain_cause(&self, event: usize, write: u32) -> Option<Cause> {
        let session = self.history.facts[event].session;
        let own = self.history.writes[write as usize].event;
        let events = self.history.events();
        if self.history.facts[own].session == session && events[own].end_us <= events[event].invoke_us {
            return Some(Cause::Own);
        }
        self.sessions[session as usize].shown.get(&write).map(|earlier| Cause::Seen(*earlier))
    }

    /// Something that was shown, now or earlier, has it in its past.
    fn shown_after(&self, event: usize, shown: &[u32], write: u32) -> Option<Cause> {
        let after = |shown: u32| self.pasts.holds(shown, write, &self.sets);
        if let Some(now) = shown.iter().find(|shown| after(**shown)) {
            return Some(Cause::Shown(*now));
        }
        let session = self.history.facts[event].session;
        let mut earlier = self.sessions[session as usize].shown.iter().rev();
        earlier.find(|(shown, _)| after(**shown)).map(|(shown, event)| Cause::SeenAfter(*shown, *event))
    }
}

/// What a read of these keys had to show and did not: key and write.
pub(crate) fn missing(history: &History, sets: &Sets, needed: Set, covered: &[(u32, Vec<u32>)]) -> Vec<(u32, u32)> {
    if needed == Set::EMPTY {
        return Vec::new();
    }
    let mut missing = Vec::new();
    for (key, seen) in covered {
        let lacking = |write: &&u32| seen.binary_search(write).is_err() && sets.contains(needed, **write);
        missing.extend(history.on_key[*key as usize].iter().filter(lacking).map(|write| (*key, *write)));
    }
    missing
}
