//! The index of open conflicts: where they are, by place and by id.
//!
//! It is derived from the rows, in the batch that changes them, so that listing conflicts costs what is open and not what
//! exists. It says where several versions survive, whatever the collection's resolver makes of them now: the resolver can
//! change at any time without touching rows, and is asked when somebody looks. It is neither replicated nor in the digest.

mod counting;
pub(crate) mod history;
mod listing;
mod naive;
pub(crate) mod rebuild;

use crate::catalog::Collection;
use crate::keys::{self, CollectionId};
use crate::query::{self, QueryError};
use crate::rows;
use crate::store::{Read, Space, StoreError};
use crate::view::{KeyRows, View};
use anabranch_resolvers::{Conflict, ConflictId, Registry, Resolver};
pub use counting::{Counted, count_open};
pub use history::{Filter, Past, history, past};
pub use listing::{Cursor, KEYS_PER_PAGE, Open, Page, of_key as open_in, one, page, place};
pub use naive::{indexed, recompute};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The places of a collection, in order: place, then id.
const PLACES: u8 = 1;
/// The places of an id: id, then place.
const IDS: u8 = 2;
/// Of a place with open conflicts, the ids that stood there before.
const FORMER: u8 = 3;
/// The places of an id that stood there before: id, then place.
const FORMER_IDS: u8 = 4;
/// Resolutions by what they are about: see [`history`].
const HISTORY: u8 = 5;

/// How many former ids of one place are remembered.
const MOST_FORMER: usize = 64;

/// Where an entry of the index is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The collection's number in this store.
    pub collection: CollectionId,
    /// The key.
    pub key: String,
    /// Which part of it: a map's field; empty for the whole key.
    pub subkey: Vec<u8>,
}

impl Place {
    fn decode(prefix: &[u8]) -> Result<Self, StoreError> {
        let number = prefix.get(..4).and_then(|number| number.try_into().ok()).ok_or_else(corrupt)?;
        let (key, rest) = keys::split_key(prefix)?;
        let (subkey, tag) = keys::split_subkey(rest)?;
        if tag.is_some() {
            return Err(corrupt());
        }
        Ok(Self { collection: CollectionId(u32::from_be_bytes(number)), key, subkey })
    }
}

fn corrupt() -> StoreError {
    StoreError::corrupt("a row of the index of conflicts")
}

/// Takes note of the rows that now survive under a subkey: more than one is a conflict of all of them.
pub(crate) fn of_subkey(view: &mut View<'_>, prefix: &[u8]) -> Result<(), StoreError> {
    let mut tags = Vec::new();
    rows::visit_subkey(&view.reader(), prefix, &mut |tag, _| {
        tags.push(*tag);
        ControlFlow::Continue(())
    })?;
    let wanted = if tags.len() > 1 { [ConflictId::of(tags)].into() } else { BTreeSet::new() };
    set(view, prefix, &wanted)
}

/// Takes note of what the kind's resolver says of a key.
pub(crate) fn of_key(
    view: &mut View<'_>,
    id: CollectionId,
    key: &str,
    resolver: &dyn Resolver,
) -> Result<(), StoreError> {
    let wanted = {
        let reader = view.reader();
        let rows = KeyRows::new(&reader, id, key);
        let standing = resolver.conflicts(&rows).map_err(|_| rows.cause())?;
        standing.into_iter().map(|conflict| conflict.id).collect()
    };
    set(view, &keys::subkey_prefix(id, key, &[]), &wanted)
}

fn set(view: &mut View<'_>, prefix: &[u8], wanted: &BTreeSet<ConflictId>) -> Result<(), StoreError> {
    let before = at(&view.reader(), prefix)?;
    if before == *wanted {
        return Ok(());
    }
    for id in before.difference(wanted) {
        view.set(Space::Conflicts, place_key(prefix, id), None);
        view.set(Space::Conflicts, id_key(IDS, id, prefix), None);
    }
    for id in wanted.difference(&before) {
        view.set(Space::Conflicts, place_key(prefix, id), Some(Vec::new()));
        view.set(Space::Conflicts, id_key(IDS, id, prefix), Some(Vec::new()));
    }
    remember(view, prefix, &before, wanted)
}

/// While a place stands in conflict, the ids that it had before are remembered, so that who decides about one of them hears
/// which it is now. Local and bounded: another replica may never have had them.
fn remember(
    view: &mut View<'_>,
    prefix: &[u8],
    before: &BTreeSet<ConflictId>,
    now: &BTreeSet<ConflictId>,
) -> Result<(), StoreError> {
    if before.is_empty() {
        return Ok(());
    }
    let key = [&[FORMER], prefix].concat();
    let old = view.get(Space::Conflicts, &key)?.unwrap_or_default();
    let old: Vec<ConflictId> = old.chunks_exact(ConflictId::BYTES).filter_map(id).collect();
    let gone = before.difference(now).filter(|_| !now.is_empty());
    let mut new: Vec<ConflictId> = if now.is_empty() { Vec::new() } else { old.clone() };
    for id in gone {
        new.retain(|known| known != id);
        new.push(*id);
    }
    new.drain(..new.len().saturating_sub(MOST_FORMER));
    if new == old {
        return Ok(());
    }
    for id in old.iter().filter(|id| !new.contains(id)) {
        view.set(Space::Conflicts, id_key(FORMER_IDS, id, prefix), None);
    }
    for id in new.iter().filter(|id| !old.contains(id)) {
        view.set(Space::Conflicts, id_key(FORMER_IDS, id, prefix), Some(Vec::new()));
    }
    let bytes: Vec<u8> = new.iter().flat_map(|id| id.0).collect();
    view.set(Space::Conflicts, key, Some(bytes).filter(|bytes| !bytes.is_empty()));
    Ok(())
}

fn place_key(prefix: &[u8], id: &ConflictId) -> Vec<u8> {
    [&[PLACES], prefix, &id.0].concat()
}

fn id_key(family: u8, id: &ConflictId, prefix: &[u8]) -> Vec<u8> {
    [&[family], id.0.as_slice(), prefix].concat()
}

fn id(bytes: &[u8]) -> Option<ConflictId> {
    bytes.try_into().ok().map(ConflictId)
}

/// The ids at all places that begin so: of a subkey, of a key.
fn at(read: &dyn Read, prefix: &[u8]) -> Result<BTreeSet<ConflictId>, StoreError> {
    let start = [&[PLACES], prefix].concat();
    let (mut found, mut bad) = (BTreeSet::new(), false);
    read.scan(Space::Conflicts, &start, &keys::after(&start), &mut |key, _| {
        match key.last_chunk().copied().map(ConflictId) {
            Some(id) => drop(found.insert(id)),
            None => bad = true,
        }
        ControlFlow::Continue(())
    })?;
    if bad { Err(corrupt()) } else { Ok(found) }
}

/// The ids of all entries of a key.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn of_a_key(read: &dyn Read, collection: CollectionId, key: &str) -> Result<BTreeSet<ConflictId>, StoreError> {
    at(read, &keys::key_prefix(collection, key))
}

/// Where a conflict of that id is.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn find(read: &dyn Read, id: ConflictId) -> Result<Option<Place>, StoreError> {
    find_in(read, IDS, id)
}

/// Where a conflict of that id was before it became another.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn find_former(read: &dyn Read, id: ConflictId) -> Result<Option<Place>, StoreError> {
    find_in(read, FORMER_IDS, id)
}

fn find_in(read: &dyn Read, family: u8, id: ConflictId) -> Result<Option<Place>, StoreError> {
    let start = id_key(family, &id, &[]);
    let mut found = Ok(None);
    read.scan(Space::Conflicts, &start, &keys::after(&start), &mut |key, _| {
        found = Place::decode(&key[start.len()..]).map(Some);
        ControlFlow::Break(())
    })?;
    found
}

/// The collections that have entries, in the order of their numbers: one look-up each.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn collections(read: &dyn Read) -> Result<Vec<CollectionId>, StoreError> {
    let mut found = Vec::new();
    let mut from = vec![PLACES];
    loop {
        let mut next = None;
        read.scan(Space::Conflicts, &from, &keys::after(&[PLACES]), &mut |key, _| {
            next = Some(key.get(1..5).and_then(|number| number.try_into().ok()).map(u32::from_be_bytes));
            ControlFlow::Break(())
        })?;
        match next {
            None => return Ok(found),
            Some(None) => return Err(corrupt()),
            Some(Some(number)) => {
                found.push(CollectionId(number));
                from = keys::after(&[&[PLACES], number.to_be_bytes().as_slice()].concat());
            }
        }
    }
}

/// The next key of a collection with entries: `after` a key, or with what that key itself has beyond a place and an id.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn next_key(read: &dyn Read, collection: CollectionId, after: Option<&str>) -> Result<Option<String>, StoreError> {
    let all = [[PLACES].as_slice(), &keys::collection_prefix(collection)].concat();
    let from = match after {
        None => all.clone(),
        Some(key) => keys::after(&[[PLACES].as_slice(), &keys::key_prefix(collection, key)].concat()),
    };
    let mut found = Ok(None);
    read.scan(Space::Conflicts, &from, &keys::after(&all), &mut |key, _| {
        found = keys::split_key(&key[1..]).map(|(key, _)| Some(key));
        ControlFlow::Break(())
    })?;
    found
}

/// How many entries a collection has, counted up to `most`.
///
/// # Errors
/// [`StoreError`] when the store fails.
pub fn count(read: &dyn Read, collection: CollectionId, most: u64) -> Result<u64, StoreError> {
    let start = [[PLACES].as_slice(), &keys::collection_prefix(collection)].concat();
    let mut count = 0;
    read.scan(Space::Conflicts, &start, &keys::after(&start), &mut |_, _| {
        count += 1;
        if count < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(count.min(most))
}

/// What stands in conflict in a key, as the collection's resolver sees it now.
///
/// # Errors
/// [`QueryError`].
pub fn standing(
    registry: &Registry,
    read: &dyn Read,
    collection: &Collection,
    key: &str,
) -> Result<Vec<Conflict>, QueryError> {
    let resolver = query::resolver(registry, collection)?;
    let rows = KeyRows::new(read, collection.id, key);
    resolver.conflicts(&rows).map_err(|_| rows.cause().into())
}
