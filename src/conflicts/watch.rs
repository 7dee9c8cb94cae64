//! Watching conflicts: which appear and which end.
//!
//! A watch compares two states, so it remembers nothing but the state up to which it has told; the store keeps that until the
//! watch goes on, or the database is closed. Which keys to compare it reads from the log.

use super::{ConflictPage, OpenConflict, Past};
use crate::database::Database;
use crate::error::{ReadError, WaitError};
use crate::view::View;
use anabranch_causality::{Kind, Transaction};
use anabranch_engine::catalog::RESOLVERS;
use anabranch_engine::conflicts;
use anabranch_engine::record::Record;
use anabranch_engine::store::StoreError;
use anabranch_resolvers::ConflictId;
use futures_core::Stream;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

/// How many log records one step reads at most.
const STEP: u64 = 4_096;
/// How many keys are held at most; when more changed, the log is read again.
const MOST_KEYS: usize = 16_384;
/// After how many events a step ends.
const PART: usize = 100;

/// What happened to a conflict.
#[derive(Clone, Debug, PartialEq)]
pub enum ConflictEvent {
    /// It is open. Told of all that are when the watch begins, and of each that comes after.
    Appeared(OpenConflict),
    /// It is open no more: somebody decided, wrote having seen it, or its options changed, which is another conflict.
    Ended {
        /// Its id.
        conflict: ConflictId,
        /// The path of the collection.
        collection: String,
        /// The key.
        key: String,
        /// Who decided what, when it was ended by decisions.
        decisions: Vec<Past>,
    },
}

/// A stream of conflicts: see [`Database::watch_conflicts`].
///
/// As a [`Stream`] it never ends by itself: once the database is closed, it says so and then ends.
pub struct ConflictWatch {
    database: Database,
    /// The path of the only collection asked for.
    only: Option<String>,
    /// The state up to which all was told.
    told: Held,
    state: State,
    events: VecDeque<ConflictEvent>,
    more: Option<Waiting>,
    ended: bool,
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// A state that somebody holds on to: let go when the database is closed, for the store can only then be opened again.
pub(crate) type Held = Arc<Mutex<Option<Arc<View>>>>;

enum State {
    /// What is open in the first state is being told.
    Listing(Option<String>),
    /// Waiting for another state.
    Waiting,
    Comparing(Box<Comparison>),
}

/// Collection, kind and key.
type Place = (String, Kind, String);

/// What is between two states.
struct Comparison {
    new: Arc<View>,
    wanted: Option<(String, Kind)>,
    from: u64,
    /// Up to where the log has been read this time.
    at: u64,
    /// Keys whose conflicts may differ.
    found: BTreeSet<Place>,
    /// Collections whose resolvers changed: all their conflicts may differ.
    whole: BTreeSet<String>,
    last: Option<Place>,
    more: bool,
}

/// What one step came to.
enum Step {
    Idle,
    Working,
    Told,
}

impl ConflictWatch {
    pub(crate) fn new(database: Database, only: Option<&str>) -> Result<Self, ReadError> {
        let view = database.view();
        if let Some(path) = only {
            view.collection(path)?;
        }
        let told = database.hold(view);
        let (state, events) = (State::Listing(None), VecDeque::new());
        Ok(Self { database, only: only.map(str::to_owned), told, state, events, more: None, ended: false })
    }

    /// The state up to which all was told, or from which it begins.
    ///
    /// # Errors
    /// [`WaitError::Closed`] once the database is closed.
    pub fn view(&self) -> Result<Arc<View>, ReadError> {
        let held = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        held.ok_or_else(|| WaitError::Closed.into())
    }

    /// The next event, waiting for it.
    ///
    /// # Errors
    /// [`ReadError`]; [`WaitError::Closed`] once the database is closed.
    pub async fn next(&mut self) -> Result<ConflictEvent, ReadError> {
        poll_fn(|context| self.poll_event(context)).await
    }

    /// Waits until [`ConflictWatch::poll`] may have something to tell, or an error. Reads nothing.
    pub async fn ready(&mut self) {
        poll_fn(|context| self.poll_ready(context)).await;
    }

    /// Events, about a hundred at most, if there are any now.
    ///
    /// # Errors
    /// [`ReadError`]; [`WaitError::Closed`] once the database is closed.
    pub fn poll(&mut self) -> Result<Vec<ConflictEvent>, ReadError> {
        while self.events.is_empty() {
            if matches!(self.step()?, Step::Idle) {
                break;
            }
        }
        Ok(std::mem::take(&mut self.events).into())
    }

    fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<Result<ConflictEvent, ReadError>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(Ok(event));
            }
            ready!(self.poll_ready(context));
            match self.step() {
                Ok(Step::Told | Step::Idle) => {}
                Ok(Step::Working) => {
                    // Others on this executor come first: there may be a long log to read.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Ok(told) = self.view() else { return Poll::Ready(()) };
        if !self.events.is_empty() || !matches!(self.state, State::Waiting) {
            return Poll::Ready(());
        }
        let (database, told) = (&self.database, told.index);
        let more = self.more.get_or_insert_with(|| {
            let mut changed = database.subscribe();
            Box::pin(async move {
                // What is closed says so by the largest index; that nobody tells any more means the same.
                let _ = changed.wait_for(|index| *index > told).await;
            })
        });
        ready!(more.as_mut().poll(context));
        self.more = None;
        Poll::Ready(())
    }

    /// Reads a little, or tells what was found.
    fn step(&mut self) -> Result<Step, ReadError> {
        let told = self.view()?;
        match std::mem::replace(&mut self.state, State::Waiting) {
            State::Listing(after) => {
                let page = self.list(&told, after.as_deref()).inspect_err(|_| self.state = State::Listing(after))?;
                self.events.extend(page.conflicts.into_iter().map(ConflictEvent::Appeared));
                if page.next.is_some() {
                    self.state = State::Listing(page.next);
                }
                Ok(Step::Told)
            }
            State::Waiting => {
                let new = self.database.view();
                if new.index <= told.index {
                    return if self.database.is_closed() { Err(WaitError::Closed.into()) } else { Ok(Step::Idle) };
                }
                self.state = State::Comparing(Box::new(Comparison::new(new, self.only.as_deref(), told.index)));
                Ok(Step::Working)
            }
            State::Comparing(mut comparison) => {
                // An error ends this comparison: it is made again from its beginning.
                let done = comparison.step(&told, &mut self.events)?;
                if done {
                    let mut held = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                    // Not if the database was closed meanwhile.
                    if held.is_some() {
                        *held = Some(comparison.new);
                    }
                } else {
                    self.state = State::Comparing(comparison);
                }
                Ok(if self.events.is_empty() { Step::Working } else { Step::Told })
            }
        }
    }

    fn list(&self, view: &View, after: Option<&str>) -> Result<ConflictPage, ReadError> {
        view.conflicts(self.only.as_deref(), after, PART)
    }
}

impl Comparison {
    fn new(new: Arc<View>, only: Option<&str>, from: u64) -> Self {
        let wanted = only.and_then(|path| new.catalog().find(path));
        let wanted = wanted.map(|found| (found.name.clone(), found.kind));
        let (found, whole) = (BTreeSet::new(), BTreeSet::new());
        Self { new, wanted, from, at: from, found, whole, last: None, more: false }
    }

    /// Reads on, or tells a part. Returns whether that was all.
    fn step(&mut self, old: &View, events: &mut VecDeque<ConflictEvent>) -> Result<bool, ReadError> {
        if self.at < self.new.index {
            self.read(old)?;
            if self.at == self.new.index {
                self.note_whole(old)?;
            }
            return Ok(false);
        }
        while events.len() < PART {
            let Some(place) = self.found.pop_first() else { break };
            self.tell(old, &place, events)?;
            self.last = Some(place);
        }
        if self.found.is_empty() && self.more {
            (self.at, self.more) = (self.from, false);
            return Ok(false);
        }
        Ok(self.found.is_empty())
    }

    fn read(&mut self, old: &View) -> Result<(), ReadError> {
        let (new, end) = (self.new.clone(), self.new.index.min(self.at + STEP));
        let mut failed: Option<StoreError> = None;
        new.read.log(self.at, &mut |index, bytes| {
            if index >= end {
                return ControlFlow::Break(());
            }
            let decoded = Record::decode(bytes).and_then(|record| record.decode_transaction());
            match decoded.and_then(|transaction| self.note(old, transaction)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        self.at = end;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Notes the keys under which the index says something else than before.
    fn note(&mut self, old: &View, transaction: Transaction) -> Result<(), StoreError> {
        for effect in transaction.effects {
            if effect.collection == RESOLVERS {
                // A collection's, or that of one of its fields.
                let name = effect.key.split('/').next().unwrap_or_default();
                self.whole.insert(name.to_owned());
                continue;
            }
            if effect.collection.starts_with('_') || effect.key.is_empty() {
                continue;
            }
            let place = (effect.collection, effect.kind, effect.key);
            if self.is_wanted(&place) && self.entries(old, &place)? != self.entries(&self.new, &place)? {
                self.hold(place);
            }
        }
        Ok(())
    }

    fn entries(&self, view: &View, (name, kind, key): &Place) -> Result<BTreeSet<ConflictId>, StoreError> {
        match view.catalog().get(name, *kind) {
            Some(collection) => conflicts::of_a_key(&*view.read, collection.id, key),
            None => Ok(BTreeSet::new()),
        }
    }

    fn is_wanted(&self, (name, kind, _): &Place) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.0 == *name && wanted.1 == *kind)
    }

    fn hold(&mut self, place: Place) {
        if self.last.as_ref().is_some_and(|last| place <= *last) {
            return;
        }
        self.found.insert(place);
        if self.found.len() > MOST_KEYS {
            self.found.pop_last();
            self.more = true;
        }
    }

    /// Of collections whose resolver changed, all keys that the index has or had.
    fn note_whole(&mut self, old: &View) -> Result<(), StoreError> {
        let places: Vec<(String, Kind)> = self
            .whole
            .iter()
            .flat_map(|name| self.new.catalog().named(name))
            .map(|found| (found.name.clone(), found.kind))
            .collect();
        for (name, kind) in places {
            let after = match &self.last {
                Some((last, of, key)) if *last == name && *of == kind => Some(key.clone()),
                _ => None,
            };
            for view in [old, &*self.new.clone()] {
                let Some(id) = view.catalog().get(&name, kind).map(|found| found.id) else { continue };
                let mut key = conflicts::next_key(&*view.read, id, after.as_deref())?;
                let mut noted = 0;
                while let Some(at) = key.filter(|_| noted <= MOST_KEYS) {
                    key = conflicts::next_key(&*view.read, id, Some(&at))?;
                    let place = (name.clone(), kind, at);
                    if self.is_wanted(&place) {
                        self.hold(place);
                    }
                    noted += 1;
                }
            }
        }
        Ok(())
    }

    /// Tells what appeared and what ended in a key.
    fn tell(&self, old: &View, place: &Place, events: &mut VecDeque<ConflictEvent>) -> Result<(), ReadError> {
        let (before, now) = (standing(old, place)?, standing(&self.new, place)?);
        for (id, conflict) in &before {
            if !now.contains_key(id) {
                let (collection, key) = (conflict.collection.clone(), conflict.key.clone());
                let decisions = self.new.ended(*id)?;
                events.push_back(ConflictEvent::Ended { conflict: *id, collection, key, decisions });
            }
        }
        events.extend(
            now.into_iter()
                .filter(|(id, _)| !before.contains_key(id))
                .map(|(_, conflict)| ConflictEvent::Appeared(conflict)),
        );
        Ok(())
    }
}

fn standing(view: &View, (name, kind, key): &Place) -> Result<BTreeMap<ConflictId, OpenConflict>, ReadError> {
    let Some(collection) = view.catalog().get(name, *kind) else { return Ok(BTreeMap::new()) };
    match view.conflicts_in(&view.catalog().path(collection), key) {
        Ok(found) => Ok(found.into_iter().map(|conflict| (conflict.id, conflict)).collect()),
        Err(ReadError::Parked { .. }) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

impl Stream for ConflictWatch {
    type Item = Result<ConflictEvent, ReadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let watch = self.get_mut();
        if watch.ended {
            return Poll::Ready(None);
        }
        let told = ready!(watch.poll_event(context));
        watch.ended = told == Err(WaitError::Closed.into());
        Poll::Ready(Some(told))
    }
}
