//! Applying a transaction: the same code for a leader's own and for those of others.
//!
//! Rows superseded go; rows added come unless the operation was applied before; sums are folded unless it was; the
//! lower stamp of two copies stands. Nothing is ever refused here: what cannot be applied parks its collection.

use crate::actors;
use crate::catalog::{Catalog, Creation, RESOLVERS, default_resolver};
use crate::conflicts::{self, history};
use crate::digest::{self, Deltas, Place};
use crate::keys::{self, meta};
use crate::mutant::{Mutant, Planted};
use crate::pile;
use crate::record::Record;
use crate::resolutions::{self, RESOLUTIONS};
use crate::rows::{self, Row, RowValue, Subkey};
use crate::sessions::Sessions;
use crate::state::{self, State};
use crate::store::{Space, StoreError};
use crate::view::{KeyRows, View};
use anabranch_causality::{Dot, Effect, Hlc, Kind, OperationId, Tag, Transaction, Writer};
use anabranch_resolvers::{Indexed, Registry, Resolver};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What applying did that others want to know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The operation had been applied before, from another leader.
    pub(crate) copy: bool,
    /// The same counter of the session had been used for another request: both count.
    pub(crate) counter_reused: bool,
}

/// Applies `transaction`, whose dependencies and predecessors have been applied.
pub(crate) fn apply(
    state: &mut State,
    sessions: &mut Sessions,
    registry: &Registry,
    view: &mut View<'_>,
    transaction: &Transaction,
    bytes: &[u8],
    planted: Planted,
) -> Result<Applied, StoreError> {
    let applied = actors::note(sessions, view, transaction)?;
    let (effects, fewer) = (&transaction.effects, transaction.effects.len().saturating_sub(1));
    let effects = match planted {
        _ if planted.is(Mutant::HalfApplied) && fewer > 0 => &effects[..fewer],
        _ if planted.is(Mutant::WindowOnApply) && actors::is_late(sessions, view, transaction)? => &[],
        _ => &effects[..],
    };
    let mut deltas = Deltas::default();
    let mut step = Step::new(registry, planted, (transaction.dot, transaction.hlc), &mut deltas);
    for effect in &transaction.effects {
        step.park_unknown(&mut state.catalog, view, effect, transaction.operation, state.next_index);
    }
    step.erases = planted.is(Mutant::OppositesErase)
        && !applied.copy
        && resolutions::has_opposite(&view.reader(), &state.catalog, effects)?;
    for effect in effects {
        step.effect(&mut state.catalog, view, effect, transaction.operation, applied.copy)?;
    }
    if let Some(lineage) = &transaction.lineage {
        let (key, value) = state::lineage_row(transaction.dot.origin, lineage);
        view.set(Space::Meta, key, Some(value));
        state.lineages.insert(transaction.dot.origin, lineage.clone());
    }
    state.vector.raise(transaction.dot.origin, transaction.dot.seq);
    if !(planted.is(Mutant::DigestStale) && applied.copy) {
        state.digest.apply(transaction.dot, &deltas);
    }
    view.append(state.next_index, Record { copy: applied.copy, deltas, transaction: bytes }.encode());
    state.next_index += 1;
    Ok(applied)
}

/// The row that says that a collection is parked, and from which log index on.
pub(crate) fn parked_key(id: keys::CollectionId) -> Vec<u8> {
    [meta::PARKED, &id.0.to_be_bytes()].concat()
}

/// One transaction being applied.
pub(crate) struct Step<'a> {
    registry: &'a Registry,
    planted: Planted,
    dot: Dot,
    hlc: Hlc,
    deltas: &'a mut Deltas,
    /// The rows at hand and their subkey: what follows changes the same ones, nearly always.
    open: Option<(&'a [u8], Subkey<'a>)>,
    /// Of the effect at hand, the subkeys under which there were or are several rows.
    shared: BTreeSet<Vec<u8>>,
    /// Planted: all of its rows go, and none come.
    erases: bool,
    /// For what is hashed.
    buffer: Vec<u8>,
}

impl<'a> Step<'a> {
    pub(crate) fn new(
        registry: &'a Registry,
        planted: Planted,
        (dot, hlc): (Dot, Hlc),
        deltas: &'a mut Deltas,
    ) -> Self {
        let (shared, buffer) = (BTreeSet::new(), Vec::with_capacity(512));
        Self { registry, planted, dot, hlc, deltas, open: None, shared, erases: false, buffer }
    }

    /// Applies one effect, unless its collection is parked.
    pub(crate) fn effect(
        &mut self,
        catalog: &mut Catalog,
        view: &mut View<'_>,
        effect: &'a Effect,
        operation: OperationId,
        copy: bool,
    ) -> Result<(), StoreError> {
        let id = self.ensure(catalog, view, effect, operation);
        let target = self.target(effect, id);
        self.deltas.touch(target.bucket);
        let parked = catalog.get(&effect.collection, effect.kind).is_some_and(|found| found.parked.is_some());
        let Some(resolver) = self.registry.default_for(effect.kind) else { return Ok(()) };
        if parked {
            return Ok(());
        }
        self.rows(view, target, effect, operation, copy, &resolver)?;
        if effect.collection == RESOLVERS && effect.kind == Kind::REGISTER {
            adopt_resolver(self.registry, catalog, view, target.place.id, &effect.key)?;
        }
        Ok(())
    }

    /// Parks the collection of an effect that cannot be applied, before anything of its transaction is.
    fn park_unknown(
        &mut self,
        catalog: &mut Catalog,
        view: &mut View<'_>,
        effect: &Effect,
        operation: OperationId,
        index: u64,
    ) {
        let reason = match self.registry.default_for(effect.kind) {
            None => Some(format!("kind {} is not known to this build", effect.kind)),
            Some(resolver) => resolver.check(effect).err().map(|error| format!("{}: {error}", self.dot)),
        };
        let Some(reason) = reason else { return };
        let id = self.ensure(catalog, view, effect, operation);
        let Some(collection) = catalog.get_mut(&effect.collection, effect.kind) else { return };
        if collection.parked.is_none() {
            let mut writer = Writer::new();
            writer.u64(index).bytes(reason.as_bytes());
            view.set(Space::Meta, parked_key(id), Some(writer.into_bytes()));
            collection.parked = Some(reason);
        }
    }

    fn ensure(
        &mut self,
        catalog: &mut Catalog,
        view: &mut View<'_>,
        effect: &Effect,
        operation: OperationId,
    ) -> keys::CollectionId {
        let by = (self.hlc, operation);
        self.deltas.touch(digest::CATALOG);
        let hash = |created: (Hlc, OperationId), id| {
            let place = Place { collection: &effect.collection, kind: effect.kind, id, key: "" };
            place.hash(&[], Some((&Tag { operation: created.1, position: 0 }, created.0.0)), &[])
        };
        let (collection, creation) = catalog.ensure(&effect.collection, effect.kind, by);
        let id = collection.id;
        match creation {
            Creation::Unchanged => return id,
            Creation::New => {}
            Creation::Earlier(before) => self.deltas.remove(digest::CATALOG, hash(before, id)),
        }
        self.deltas.add(digest::CATALOG, hash(by, id));
        let (key, value) = collection.row();
        view.set(Space::Meta, key, Some(value));
        id
    }

    /// The key of an effect, in the collection with that number.
    pub(crate) fn target(&mut self, effect: &'a Effect, id: keys::CollectionId) -> Target<'a> {
        let (collection, kind, key) = (effect.collection.as_str(), effect.kind, effect.key.as_str());
        let bucket = digest::bucket_in(&mut self.buffer, collection, kind, key);
        Target { place: Place { collection, kind, id, key }, bucket }
    }

    pub(crate) fn rows(
        &mut self,
        view: &mut View<'_>,
        target: Target<'_>,
        effect: &'a Effect,
        operation: OperationId,
        copy: bool,
        resolver: &Arc<dyn Resolver>,
    ) -> Result<(), StoreError> {
        for group in &effect.supersedes {
            for tag in &group.tags {
                self.supersede(view, target, &group.subkey, tag)?;
            }
        }
        for add in &effect.adds {
            let tag = Tag { operation, position: add.position };
            if self.erases {
                self.clear(view, target, &add.subkey)?;
            } else if copy {
                self.lower_stamp(view, target, &add.subkey, &tag)?;
            } else {
                self.put(view, target, &add.subkey, &tag, Cow::Borrowed(&add.payload))?;
            }
        }
        self.close(view);
        if !copy {
            for (index, fold) in effect.folds.iter().enumerate() {
                let key = target.prefix(&fold.subkey);
                match resolver.pile() {
                    None => self.fold(view, target, key, &fold.subkey, &fold.payload, resolver)?,
                    Some(pile) => {
                        let tag = Tag { operation, position: index as u32 };
                        let hash = target.place.hash_change(&fold.subkey, &tag, &fold.payload);
                        self.deltas.add(target.bucket, hash);
                        pile::push(view, key, pile, &fold.payload)?;
                    }
                }
            }
        }
        self.index(view, target.place, &**resolver)
    }

    /// The rows under a subkey: those at hand, or these instead.
    fn subkey(
        &mut self,
        view: &mut View<'_>,
        target: Target<'_>,
        subkey: &'a [u8],
    ) -> Result<&mut Subkey<'a>, StoreError> {
        let open = match self.open.take() {
            Some((of, open)) if of == subkey => open,
            other => {
                self.open = other;
                self.close(view);
                Subkey::open(view, target.prefix(subkey))?
            }
        };
        Ok(&mut self.open.insert((subkey, open)).1)
    }

    /// Writes the rows at hand, so that they can be read.
    fn close(&mut self, view: &mut View<'_>) {
        if let Some((_, open)) = self.open.take() {
            self.shared.extend(open.close(view));
        }
    }

    /// Takes note of what is in conflict after the effect. What was in none and is in none costs nothing here.
    fn index(&mut self, view: &mut View<'_>, place: Place<'_>, resolver: &dyn Resolver) -> Result<(), StoreError> {
        let shared = std::mem::take(&mut self.shared);
        match resolver.indexed() {
            Indexed::Never => Ok(()),
            Indexed::Subkeys => shared.iter().try_for_each(|prefix| conflicts::of_subkey(view, prefix)),
            Indexed::Keys => conflicts::of_key(view, place.id, place.key, resolver),
        }
    }

    /// Takes note of a record of a resolution that comes or goes.
    fn note_record(view: &mut View<'_>, place: Place<'_>, subkey: &[u8], row: (&Tag, Hlc, &[u8]), is_there: bool) {
        if place.collection == RESOLUTIONS && place.kind == Kind::MAP {
            history::note(view, (place.id, place.key), subkey, row, is_there);
        }
    }

    fn supersede(
        &mut self,
        view: &mut View<'_>,
        target: Target<'_>,
        subkey: &'a [u8],
        tag: &Tag,
    ) -> Result<(), StoreError> {
        if self.planted.is(Mutant::LoseSupersession) && tag.position == 0 && self.dot.seq.is_multiple_of(3) {
            return Ok(());
        }
        if let Some(row) = self.subkey(view, target, subkey)?.remove(view, tag)? {
            self.goes(view, target, subkey, tag, &row);
        }
        Ok(())
    }

    fn goes(&mut self, view: &mut View<'_>, target: Target<'_>, subkey: &[u8], tag: &Tag, row: &RowValue) {
        Self::note_record(view, target.place, subkey, (tag, row.stamp, &row.payload), false);
        let hash = target.place.hash_in(&mut self.buffer, subkey, Some((tag, row.stamp.0)), &row.payload);
        self.deltas.remove(target.bucket, hash);
    }

    /// Planted: all that survives under a subkey goes.
    fn clear(&mut self, view: &mut View<'_>, target: Target<'_>, subkey: &'a [u8]) -> Result<(), StoreError> {
        self.close(view);
        let mut tags = Vec::new();
        rows::visit_subkey(&view.reader(), &target.prefix(subkey), &mut |tag, _| {
            tags.push(*tag);
            ControlFlow::Continue(())
        })?;
        tags.iter().try_for_each(|tag| self.supersede(view, target, subkey, tag))
    }

    fn put(
        &mut self,
        view: &mut View<'_>,
        target: Target<'_>,
        subkey: &'a [u8],
        tag: &Tag,
        payload: Cow<'a, [u8]>,
    ) -> Result<(), StoreError> {
        let hash = target.place.hash_in(&mut self.buffer, subkey, Some((tag, self.hlc.0)), &payload);
        self.deltas.add(target.bucket, hash);
        Self::note_record(view, target.place, subkey, (tag, self.hlc, &payload), true);
        let row = Row { stamp: self.hlc, origin: self.dot.origin, seq: self.dot.seq, payload };
        self.subkey(view, target, subkey)?.put(view, tag, row)
    }

    /// A second copy adds nothing; if the row is still there and the copy's stamp is lower, that stamp stands.
    fn lower_stamp(
        &mut self,
        view: &mut View<'_>,
        target: Target<'_>,
        subkey: &'a [u8],
        tag: &Tag,
    ) -> Result<(), StoreError> {
        match self.subkey(view, target, subkey)?.get(view, tag)? {
            Some(row) if self.hlc < row.stamp && !self.planted.is(Mutant::HigherStamp) => {
                self.goes(view, target, subkey, tag, &row);
                self.put(view, target, subkey, tag, Cow::Owned(row.payload))
            }
            _ => Ok(()),
        }
    }

    fn fold(
        &mut self,
        view: &mut View<'_>,
        Target { place, bucket }: Target<'_>,
        key: Vec<u8>,
        subkey: &[u8],
        change: &[u8],
        resolver: &Arc<dyn Resolver>,
    ) -> Result<(), StoreError> {
        let before = rows::sum(&view.reader(), &key)?;
        let folded = resolver.fold(before.as_deref(), change);
        let after = folded.map_err(|error| StoreError::corrupt(format!("the sum of {}: {error}", place.key)))?;
        if let Some(before) = before {
            self.deltas.remove(bucket, place.hash(subkey, None, &before));
        }
        self.deltas.add(bucket, place.hash(subkey, None, &after));
        view.set(Space::Rows, key, Some(rows::encode_sum(&after)));
        Ok(())
    }
}

/// The key that an effect changes.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    place: Place<'a>,
    /// Of the digest.
    bucket: u16,
}

impl Target<'_> {
    fn prefix(&self, subkey: &[u8]) -> Vec<u8> {
        keys::subkey_prefix(self.place.id, self.place.key, subkey)
    }
}

/// A resolver is itself an `lww` row, of a collection of registers or of a map's field: takes over what the row now says.
pub(crate) fn adopt_resolver(
    registry: &Registry,
    catalog: &mut Catalog,
    view: &View<'_>,
    id: keys::CollectionId,
    name: &str,
) -> Result<(), StoreError> {
    let Some(lww) = registry.by_name(&default_resolver(Kind::REGISTER)) else { return Ok(()) };
    let reader = view.reader();
    let rows = KeyRows::new(&reader, id, name);
    let outcome = lww.value(&rows, usize::MAX).map_err(|_| rows.cause())?;
    let named = outcome.and_then(|outcome| outcome.value.as_str().map(str::to_owned));
    let concurrent = concurrent_names(registry, &rows)?;
    // The row can go: retries of two declarations at two leaders can supersede each other.
    if let Some((name, field)) = name.split_once('/') {
        if let Some(collection) = catalog.get_mut(name, Kind::MAP) {
            match named {
                Some(named) => drop(collection.fields.insert(field.to_owned(), named)),
                None => drop(collection.fields.remove(field)),
            }
        }
    } else if let Some(collection) = catalog.get_mut(name, Kind::REGISTER) {
        collection.resolver = named.unwrap_or_else(|| default_resolver(Kind::REGISTER));
        collection.concurrent = concurrent;
    }
    Ok(())
}

/// The names that survive, when there are several.
fn concurrent_names(registry: &Registry, rows: &KeyRows<'_>) -> Result<Vec<String>, StoreError> {
    let Some(keep_all) = registry.by_name("keep-all") else { return Ok(Vec::new()) };
    let surviving = keep_all.value(rows, usize::MAX).map_err(|_| rows.cause())?;
    let surviving = surviving.and_then(|outcome| outcome.value.as_array().cloned()).unwrap_or_default();
    let names: BTreeSet<&str> = surviving.iter().filter_map(|name| name.as_str()).collect();
    Ok(if names.len() > 1 { names.into_iter().map(str::to_owned).collect() } else { Vec::new() })
}
