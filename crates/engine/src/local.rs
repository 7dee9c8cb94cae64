//! Local writes: idempotency, preparing, sequencing.

use crate::actors;
use crate::catalog::{RESOLVERS, default_resolver, field_row};
use crate::digest::Deltas;
use crate::engine::{Engine, Failure, Output};
use crate::keys;
use crate::mutant::Mutant;
use crate::query;
use crate::resolutions::{self, RESOLUTIONS};
use crate::store::{Read, Space, StoreError};
use crate::time::Time;
use crate::view::{KeyRows, Layered, View};
use crate::write::{Refusal, Written};
use anabranch_causality::{Actor, Dot, Effect, Kind, Lineage, OperationId, SessionId, Transaction, names, transaction};
use anabranch_protocol::Role;
use anabranch_resolvers::{Change, MAX_DECLARED_FIELD, Operation, Prepare, Rejection, Resolver, Write, map};
use std::collections::BTreeMap;
use std::sync::Arc;

const SESSION_MS: u64 = 7 * 24 * 3600 * 1000;
/// How far ahead of our clock a session may have begun.
const SESSION_AHEAD_MS: u64 = 24 * 3600 * 1000;
/// The most bytes of a transaction whose memory is kept for the next.
const SPARE_BYTES: usize = 4096;
/// The most collections that clients may make.
const MAX_COLLECTIONS: usize = 10_000;

impl Engine {
    /// A client writes. The answer comes as an [`Output::Reply`] with the same ticket, once it is on disk.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read: the engine must be dropped and opened again.
    pub fn handle_write(&mut self, store: &dyn Read, time: Time, ticket: u64, write: &Write) -> Result<(), StoreError> {
        let answer = match self.write(store, time, write) {
            Ok(written) => Ok(written),
            Err(Failure::Refused(refusal)) => Err(refusal),
            Err(Failure::Store(error)) => return Err(error),
        };
        let reply = Output::Reply { ticket, answer };
        if self.planted.is(Mutant::ReplyBeforeSync) {
            self.outputs.push_back(reply);
        } else {
            self.gated.push(reply);
        }
        Ok(())
    }

    fn write(&mut self, store: &dyn Read, time: Time, write: &Write) -> Result<Written, Failure> {
        if self.config.role != Role::Leader {
            let detail = format!("this replica is a follower: write at its leader, {}", self.config.leader);
            return Err(Refusal::NotWritable { reason: "leader", detail }.into());
        }
        if let Some(detail) = self.clock_refusal(time) {
            return Err(Refusal::NotWritable { reason: "clock", detail }.into());
        }
        let next = Dot { shard: self.config.shard, origin: self.origin, seq: self.own_seq + 1 };
        let mut operation = OperationId::numbered(next.origin, next.seq);
        if let Some((session, counter)) = write.key {
            operation = OperationId { actor: Actor::Session(session), counter, hash: write.hash() };
            check_session(time, session, counter)?;
            if let Some(written) = self.known(store, session, operation)? {
                return Ok(written);
            }
        }
        let (effects, incomplete) = self.prepare(store, operation, &write.changes)?;
        let transaction = self.sequence(time, next, operation, effects);
        let bytes = transaction.encode();
        if bytes.len() > transaction::MAX_BYTES {
            let most = transaction::MAX_BYTES;
            let what = format!("the transaction would have {} bytes, at most {most} are allowed", bytes.len());
            return Err(Refusal::TooLarge(what).into());
        }
        debug_assert_eq!(Transaction::decode(&bytes).as_ref(), Ok(&transaction), "what is logged can be read");
        self.clock.issue(time.wall_ms);
        self.own_seq = next.seq;
        self.changed = Default::default();
        self.state.last_origin = Some(self.origin);
        self.apply(store, transaction, bytes)?;
        Ok(Written { dot: next, operation, repeated: false, incomplete })
    }

    /// The answer to an operation that was applied before, if it was.
    fn known(
        &mut self,
        store: &dyn Read,
        session: SessionId,
        operation: OperationId,
    ) -> Result<Option<Written>, Failure> {
        let reader = Layered::new(store, &self.batch);
        let applied = actors::applied(&mut self.sessions, &reader, session, operation.counter)?;
        if let Some((_, dot)) = applied.iter().find(|(hash, _)| *hash == operation.hash) {
            return Ok(Some(Written { dot: *dot, operation, repeated: true, incomplete: false }));
        }
        if !applied.is_empty() {
            return Err(Refusal::IdempotencyKeyReused.into());
        }
        let highest = actors::highest(&mut self.sessions, &reader, session)?;
        if operation.counter.saturating_add(actors::WINDOW) <= highest {
            let (counter, window) = (operation.counter, actors::WINDOW);
            let what = format!("counter {counter} is {window} or more below {highest}, which was seen");
            return Err(Refusal::BadIdempotencyKey(what).into());
        }
        Ok(None)
    }

    /// Turns changes into effects, in order, each seeing what the former left.
    fn prepare(
        &mut self,
        store: &dyn Read,
        operation: OperationId,
        changes: &[Change],
    ) -> Result<(Vec<Effect>, bool), Failure> {
        for (index, change) in changes.iter().enumerate() {
            check_name(index, change)?;
        }
        if changes.is_empty() || changes.len() > Write::MAX_CHANGES {
            let what = format!("a write has 1 to {} changes, this one has {}", Write::MAX_CHANGES, changes.len());
            return Err(Refusal::TooLarge(what).into());
        }
        let mut batch = std::mem::take(&mut self.batch);
        let mut view = View::new(store, &mut batch);
        view.begin();
        let mut preparing =
            Preparing { engine: self, operation, position: 0, fresh: BTreeMap::new(), incomplete: false };
        let mut prepare = || {
            let mut effects = Vec::with_capacity(changes.len());
            for (index, change) in changes.iter().enumerate() {
                let last = index + 1 == changes.len();
                preparing.change(&mut view, index, change, last, &mut effects)?;
            }
            Ok((effects, preparing.incomplete))
        };
        let prepared = prepare().and_then(|(effects, incomplete)| check_size(effects, incomplete, changes.len()));
        // Whether refused or not: what was tried is taken back, and the transaction is applied as a whole.
        view.roll_back();
        self.batch = batch;
        prepared
    }

    /// Gives the next dot, a stamp and dependencies, written as the difference to this origin's last transaction.
    fn sequence(&self, time: Time, dot: Dot, operation: OperationId, effects: Vec<Effect>) -> Transaction {
        let hlc = { self.clock }.issue(time.wall_ms);
        if dot.seq > 1 {
            let dependencies = self.changed.clone();
            return Transaction { dot, hlc, operation, dependencies, lineage: None, effects };
        }
        let previous = self.state.last_origin.map(|origin| (origin, self.state.vector.get(origin)));
        let (node, region) = (self.config.node.clone(), self.config.region.clone());
        let lineage = Some(Lineage { node, region, previous: previous.filter(|(_, last)| *last > 0) });
        let dependencies = self.state.lineages.compact(&self.state.vector);
        Transaction { dot, hlc, operation, dependencies, lineage, effects }
    }

    /// Applies a transaction to the batch and takes note of what follows from it.
    pub(crate) fn apply(
        &mut self,
        store: &dyn Read,
        transaction: Transaction,
        bytes: Vec<u8>,
    ) -> Result<(), StoreError> {
        let index = self.state.next_index;
        let mut view = View::new(store, &mut self.batch);
        let (state, sessions) = (&mut self.state, &mut self.sessions);
        let applied =
            crate::apply::apply(state, sessions, &self.registry, &mut view, &transaction, &bytes, self.planted)?;
        let dot = transaction.dot;
        if (dot.seq - 1).is_multiple_of(query::INDEX_EVERY) {
            view.set(Space::Index, keys::index_key(dot.origin, dot.seq), Some(index.to_be_bytes().to_vec()));
        }
        self.counters.applied += 1;
        self.counters.copies += u64::from(applied.copy);
        self.counters.counters_reused += u64::from(applied.counter_reused);
        if bytes.len() <= SPARE_BYTES {
            self.spare = transaction.effects;
        }
        self.fresh_bytes += bytes.len();
        self.fresh.push((index, dot, bytes));
        Ok(())
    }
}

/// What no replica could read back must not get a dot.
fn check_name(index: usize, change: &Change) -> Result<(), Refusal> {
    let bad = |error: names::NameError| Refusal::Rejected {
        operation: index,
        rejection: Rejection::Rejected(error.to_string()),
    };
    names::check_collection(change.collection()).map_err(bad)
}

fn check_size(effects: Vec<Effect>, incomplete: bool, changes: usize) -> Result<(Vec<Effect>, bool), Failure> {
    if effects.len() > transaction::MAX_EFFECTS {
        let what = format!("the write has {} effects, at most {} are allowed", effects.len(), transaction::MAX_EFFECTS);
        return Err(Refusal::TooLarge(what).into());
    }
    if incomplete && changes > 1 {
        let what = format!("one of the operations clears more than {} rows: write it alone", transaction::MAX_TAGS);
        return Err(Refusal::TooLarge(what).into());
    }
    Ok((effects, incomplete))
}

fn check_session(time: Time, session: SessionId, counter: u64) -> Result<(), Refusal> {
    if !session.is_v7() {
        return Err(Refusal::BadIdempotencyKey("a session's id is a UUID of version 7".to_owned()));
    }
    if counter == 0 || counter == u64::MAX {
        return Err(Refusal::BadIdempotencyKey("a session counts its operations from 1".to_owned()));
    }
    if time.wall_ms > session.began_ms().saturating_add(SESSION_MS) {
        return Err(Refusal::SessionExpired);
    }
    if session.began_ms() > time.wall_ms.saturating_add(SESSION_AHEAD_MS) {
        return Err(Refusal::BadIdempotencyKey("the session begins more than a day in the future".to_owned()));
    }
    Ok(())
}

/// One request being prepared.
struct Preparing<'e> {
    engine: &'e mut Engine,
    operation: OperationId,
    position: u32,
    /// Numbers for collections that do not exist yet: only while preparing.
    fresh: BTreeMap<(String, Kind), keys::CollectionId>,
    incomplete: bool,
}

impl Preparing<'_> {
    fn change(
        &mut self,
        view: &mut View<'_>,
        index: usize,
        change: &Change,
        last: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Failure> {
        match change {
            Change::Operate { collection, kind, key, operation, context } => {
                let resolver = self.resolver(collection, *kind)?;
                let target = (collection.as_str(), *kind, key.as_str());
                let record = self.record(view, target, operation, &resolver)?;
                let effect = self.operate(view, index, target, operation, context.as_ref(), &resolver)?;
                if !last {
                    self.try_on(view, &effect)?;
                }
                effects.push(effect);
                if let Some((conflict, record)) = record {
                    let map = self.resolver(RESOLUTIONS, Kind::MAP)?;
                    let target = (RESOLUTIONS, Kind::MAP, conflict.as_str());
                    effects.push(self.operate(view, index, target, &record, None, &map)?);
                }
            }
            Change::Declare { collection, kind, resolver } => {
                self.check_declare(collection, *kind, resolver)?;
                effects.push(Effect::new(collection, *kind, ""));
                if *kind == Kind::REGISTER {
                    effects.push(self.name_resolver(view, index, collection, resolver)?);
                }
            }
            Change::Field { collection, field, resolver } => {
                self.check_field(index, collection, field, resolver)?;
                effects.push(Effect::new(collection, Kind::MAP, ""));
                effects.push(self.name_resolver(view, index, &field_row(collection, field), resolver)?);
            }
        }
        Ok(())
    }

    /// Writes which resolver a collection or a field has: a replicated `lww` row.
    fn name_resolver(&mut self, view: &View<'_>, index: usize, row: &str, resolver: &str) -> Result<Effect, Failure> {
        let lww = self.resolver(RESOLVERS, Kind::REGISTER)?;
        let put = Operation::Put(resolver.into());
        self.operate(view, index, (RESOLVERS, Kind::REGISTER, row), &put, None, &lww)
    }

    /// What is kept of a resolution, by the id of the conflict that it ends.
    fn record(
        &mut self,
        view: &View<'_>,
        (collection, kind, key): (&str, Kind, &str),
        operation: &Operation,
        resolver: &Arc<dyn Resolver>,
    ) -> Result<Option<(String, Operation)>, Failure> {
        let Operation::Resolve(resolution) = operation else { return Ok(None) };
        let reader = view.reader();
        let rows = KeyRows::new(&reader, self.id(collection, kind), key);
        let standing = resolver.conflicts(&rows).map_err(|_| Failure::Store(rows.cause()))?;
        let meant = standing.into_iter().find(|conflict| conflict.id == resolution.conflict);
        let Some(meant) = meant else { return Ok(None) };
        let record = resolutions::record(self.operation, (collection, kind, key), resolution, &meant.options);
        Ok(Some((meant.id.to_string(), record)))
    }

    /// A conflict that is no more was ended by somebody, or has changed by itself.
    fn why_gone(&self, read: &dyn Read, operation: &Operation, why: Rejection) -> Result<Rejection, StoreError> {
        let gone = matches!(why, Rejection::NoSuchConflict(_) | Rejection::ConflictChanged { .. });
        match operation {
            Operation::Resolve(asked)
                if gone && resolutions::was_ended(read, &self.engine.state.catalog, asked.conflict)? =>
            {
                Ok(Rejection::AlreadyResolved(format!("conflict {} was ended before: see its history", asked.conflict)))
            }
            _ => Ok(why),
        }
    }

    fn operate(
        &mut self,
        view: &View<'_>,
        index: usize,
        (collection, kind, key): (&str, Kind, &str),
        operation: &Operation,
        context: Option<&anabranch_causality::Context>,
        resolver: &Arc<dyn Resolver>,
    ) -> Result<Effect, Failure> {
        if let Err(error) = names::check_key(key) {
            let rejection = Rejection::Rejected(error.to_string());
            return Err(Refusal::Rejected { operation: index, rejection }.into());
        }
        let reader = view.reader();
        let rows = KeyRows::new(&reader, self.id(collection, kind), key);
        let mut effect = Effect::new(collection, kind, key);
        let mut by = self.operation;
        if self.engine.planted.is(Mutant::LateRetryUndoes) {
            by.counter = u64::MAX;
        }
        let mut memo = self.engine.memos.take((collection, kind, key));
        let prepare = Prepare::new(&rows, by, context, &mut self.position, &mut effect);
        let mut prepare = prepare.with_memo(&mut memo);
        let prepared = resolver.prepare(operation, &mut prepare);
        self.incomplete |= prepare.is_incomplete();
        self.engine.memos.put((collection, kind, key), memo);
        match prepared {
            Ok(()) => Ok(effect),
            Err(Rejection::Read(_)) => Err(Failure::Store(rows.cause())),
            Err(rejection) => {
                let rejection = self.why_gone(&reader, operation, rejection)?;
                Err(Refusal::Rejected { operation: index, rejection }.into())
            }
        }
    }

    /// Applies an effect so that the request's next operation sees it; taken back afterwards.
    fn try_on(&mut self, view: &mut View<'_>, effect: &Effect) -> Result<(), Failure> {
        let id = self.id(&effect.collection, effect.kind);
        let resolver = self.engine.registry.default_for(effect.kind);
        let Some(resolver) = resolver else { return Ok(()) };
        let (dot, hlc) = (
            Dot { shard: self.engine.config.shard, origin: self.engine.origin, seq: self.engine.own_seq + 1 },
            self.engine.clock.last(),
        );
        let (mut deltas, registry) = (Deltas::default(), self.engine.registry.clone());
        let planted = self.engine.planted;
        let mut step = crate::apply::Step::new(&registry, planted, (dot, hlc), &mut deltas);
        let target = step.target(effect, id);
        step.rows(view, target, effect, self.operation, false, &resolver)?;
        Ok(())
    }

    fn id(&mut self, collection: &str, kind: Kind) -> keys::CollectionId {
        if let Some(found) = self.engine.state.catalog.get(collection, kind) {
            return found.id;
        }
        let fresh = keys::CollectionId(u32::MAX - self.fresh.len() as u32);
        *self.fresh.entry((collection.to_owned(), kind)).or_insert(fresh)
    }

    fn resolver(&self, collection: &str, kind: Kind) -> Result<Arc<dyn Resolver>, Refusal> {
        let catalog = &self.engine.state.catalog;
        let Some(found) = catalog.get(collection, kind) else {
            self.check_room(collection)?;
            let default = self.engine.registry.default_for(kind);
            return default.ok_or_else(|| Refusal::NoSuchResolver(kind.to_string()));
        };
        if let Some(reason) = &found.parked {
            return Err(Refusal::Parked { collection: collection.to_owned(), reason: reason.clone() });
        }
        let parked = |reason| Refusal::Parked { collection: collection.to_owned(), reason };
        found.resolver_in(&self.engine.registry).map_err(parked)
    }

    /// A collection that a client would make: not under a name that another kind has.
    fn check_room(&self, collection: &str) -> Result<(), Refusal> {
        let catalog = &self.engine.state.catalog;
        if let Some(other) = catalog.named(collection).next() {
            let (collection, resolver) = (collection.to_owned(), other.resolver.clone());
            return Err(Refusal::ResolverMismatch { collection, resolver });
        }
        if catalog.len() >= MAX_COLLECTIONS {
            return Err(Refusal::TooLarge(format!("there are {MAX_COLLECTIONS} collections, the most allowed")));
        }
        Ok(())
    }

    fn check_declare(&self, collection: &str, kind: Kind, resolver: &str) -> Result<(), Refusal> {
        if self.engine.registry.by_name(resolver).is_none_or(|found| found.kind() != kind) {
            return Err(Refusal::NoSuchResolver(resolver.to_owned()));
        }
        match self.engine.state.catalog.get(collection, kind) {
            Some(_) => Ok(()),
            None => self.check_room(collection),
        }
    }

    fn check_field(&self, index: usize, collection: &str, field: &str, resolver: &str) -> Result<(), Refusal> {
        self.check_declare(collection, Kind::MAP, &default_resolver(Kind::MAP))?;
        if self.engine.registry.by_name(resolver).is_none_or(|found| found.kind() != Kind::REGISTER) {
            return Err(Refusal::NoSuchResolver(resolver.to_owned()));
        }
        let rejected = |what: String| Refusal::Rejected { operation: index, rejection: Rejection::Rejected(what) };
        if !(1..=MAX_DECLARED_FIELD).contains(&field.len()) {
            return Err(rejected(format!("a field with a resolver has 1 to {MAX_DECLARED_FIELD} bytes")));
        }
        let known = self.engine.state.catalog.get(collection, Kind::MAP).map(|found| &found.fields);
        if known.is_some_and(|known| known.len() >= map::MAX_RESOLVERS && !known.contains_key(field)) {
            return Err(rejected(format!(
                "{} fields of {collection} have resolvers, the most allowed",
                map::MAX_RESOLVERS
            )));
        }
        Ok(())
    }
}
