//! What the index must hold, computed from all rows the slow way: for checkers.

use super::{IDS, PLACES, Place, corrupt};
use crate::catalog::Catalog;
use crate::keys;
use crate::rows::{self, Stored};
use crate::store::{Read, Space, StoreError};
use crate::view::KeyRows;
use anabranch_causality::Tag;
use anabranch_resolvers::{ConflictId, Indexed, Registry};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// All entries that the rows of a store call for.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn recompute(
    read: &dyn Read,
    catalog: &Catalog,
    registry: &Registry,
) -> Result<BTreeSet<(Place, ConflictId)>, StoreError> {
    let mut all = BTreeSet::new();
    for collection in catalog.iter() {
        let Some(resolver) = registry.default_for(collection.kind) else { continue };
        let subkeys = subkeys(read, collection.id)?;
        let mut add = |key: &str, subkey: &[u8], id| {
            all.insert((Place { collection: collection.id, key: key.to_owned(), subkey: subkey.to_vec() }, id));
        };
        match resolver.indexed() {
            Indexed::Never => {}
            Indexed::Subkeys => {
                for ((key, subkey), tags) in subkeys.iter().filter(|(_, tags)| tags.len() > 1) {
                    add(key, subkey, ConflictId::of(tags.iter().copied()));
                }
            }
            Indexed::Keys => {
                let keys: BTreeSet<&String> = subkeys.keys().map(|(key, _)| key).collect();
                for key in keys {
                    let rows = KeyRows::new(read, collection.id, key);
                    let standing = resolver.conflicts(&rows).map_err(|_| rows.cause())?;
                    standing.into_iter().for_each(|conflict| add(key, &[], conflict.id));
                }
            }
        }
    }
    Ok(all)
}

type Subkeys = BTreeMap<(String, Vec<u8>), Vec<Tag>>;

fn subkeys(read: &dyn Read, collection: keys::CollectionId) -> Result<Subkeys, StoreError> {
    let prefix = keys::collection_prefix(collection);
    let (mut all, mut failed) = (Subkeys::new(), None);
    read.scan(Space::Rows, &prefix, &keys::after(&prefix), &mut |key, value| {
        let row = keys::split_key(key).and_then(|(key, rest)| Ok((key, rows::read(rest, value)?)));
        match row {
            Ok((key, (subkey, Stored::Row(tag, _)))) => all.entry((key, subkey)).or_default().push(tag),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(all), Err)
}

/// All entries that the index of a store holds, by place and again by id.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn indexed(read: &dyn Read) -> Result<[BTreeSet<(Place, ConflictId)>; 2], StoreError> {
    let by_place = entries(read, PLACES, |entry| {
        let (prefix, id) = entry.split_last_chunk().ok_or_else(corrupt)?;
        Ok((Place::decode(prefix)?, ConflictId(*id)))
    })?;
    let by_id = entries(read, IDS, |entry| {
        let (id, prefix) = entry.split_first_chunk().ok_or_else(corrupt)?;
        Ok((Place::decode(prefix)?, ConflictId(*id)))
    })?;
    Ok([by_place, by_id])
}

type Entry = (Place, ConflictId);

fn entries(
    read: &dyn Read,
    family: u8,
    decode: impl Fn(&[u8]) -> Result<Entry, StoreError>,
) -> Result<BTreeSet<Entry>, StoreError> {
    let (mut all, mut failed) = (BTreeSet::new(), None);
    read.scan(Space::Conflicts, &[family], &[family + 1], &mut |key, _| {
        match decode(&key[1..]) {
            Ok(entry) => drop(all.insert(entry)),
            Err(error) => failed = Some(error),
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(all), Err)
}
