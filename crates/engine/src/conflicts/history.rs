//! Who decided what: the records in `_resolutions`, found again by what they are about.
//!
//! A record lies under the id of the conflict that it ended. An entry of the index per record says what it is about and when
//! it was, so that the history of a key or a collection is a scan of just that, oldest first within a key.

use super::HISTORY;
use crate::catalog::Catalog;
use crate::keys::{self, CollectionId};
use crate::resolutions::RESOLUTIONS;
use crate::rows::{self, RowRef};
use crate::store::{Read, Space, StoreError};
use crate::view::View;
use anabranch_causality::{Hlc, Kind, Origin, Tag, Writer, names};
use anabranch_resolvers::{ConflictId, read_json};
use serde_json::Value;
use std::ops::ControlFlow;

/// Which resolutions are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All.
    All,
    /// Those of a collection.
    Collection(String, Kind),
    /// Those of a key.
    Key(String, Kind, String),
}

/// One resolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The conflict that it ended.
    pub conflict: ConflictId,
    /// What was recorded: collection, kind, key, options, what was kept, who and why.
    pub record: Value,
    /// When: the lowest stamp among the copies.
    pub stamp: Hlc,
    /// Where the copy with that stamp was sequenced.
    pub origin: Origin,
    /// What to go on after.
    pub cursor: Vec<u8>,
}

/// Takes note that a record is there, or no more.
pub(crate) fn note(
    view: &mut View<'_>,
    (id, key): (CollectionId, &str),
    subkey: &[u8],
    (tag, stamp, payload): (&Tag, Hlc, &[u8]),
    is_there: bool,
) {
    let Some(mut entry) = about(payload).filter(|_| key.parse::<ConflictId>().is_ok()) else { return };
    entry.extend_from_slice(&stamp.0.to_be_bytes());
    let mut writer = Writer::append_to(entry);
    tag.encode(&mut writer);
    let place = keys::subkey_prefix(id, key, subkey);
    view.set(Space::Conflicts, writer.into_bytes(), is_there.then_some(place));
}

/// The beginning of the entries of the key that a record is about. A record that this version would not write has none.
fn about(record: &[u8]) -> Option<Vec<u8>> {
    let record = read_json(record).ok()?;
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let (collection, key) = (text("collection")?, text("key")?);
    let kind = Kind::from_name(text("kind")?)?;
    if names::check_collection(collection).is_err() || names::check_key(key).is_err() {
        return None;
    }
    Some(start(&Filter::Key(collection.to_owned(), kind, key.to_owned())))
}

fn start(filter: &Filter) -> Vec<u8> {
    let mut start = vec![HISTORY];
    match filter {
        Filter::All => {}
        Filter::Collection(name, kind) => {
            keys::escape(&mut start, name.as_bytes());
            start.push(kind.0);
        }
        Filter::Key(name, kind, key) => {
            keys::escape(&mut start, name.as_bytes());
            start.push(kind.0);
            keys::escape(&mut start, key.as_bytes());
        }
    }
    start
}

/// Resolutions after a cursor, at most `most`: by collection and key, of one key the oldest first.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn history(read: &dyn Read, filter: &Filter, after: Option<&[u8]>, most: usize) -> Result<Vec<Past>, StoreError> {
    let start = start(filter);
    let from = after.map_or_else(|| start.clone(), |after| [after, &[0]].concat().max(start.clone()));
    let mut entries = Vec::new();
    read.scan(Space::Conflicts, &from, &keys::after(&start), &mut |entry, place| {
        entries.push((entry.to_vec(), place.to_vec()));
        if entries.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    let mut found = Vec::with_capacity(entries.len());
    for (entry, place) in entries.into_iter().take(most) {
        let (conflict, _) = keys::split_key(&place)?;
        rows::visit_subkey(read, &place, &mut |tag, row| {
            let mut writer = Writer::new();
            tag.encode(&mut writer);
            if entry.ends_with(writer.as_bytes())
                && let Some(past) = read_record(&conflict, row, &entry)
            {
                found.push(past);
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(found)
}

/// The resolutions that ended a conflict, oldest first, at most `most`.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn past(read: &dyn Read, catalog: &Catalog, conflict: ConflictId, most: usize) -> Result<Vec<Past>, StoreError> {
    let Some(collection) = catalog.get(RESOLUTIONS, Kind::MAP) else { return Ok(Vec::new()) };
    let name = conflict.to_string();
    let prefix = keys::key_prefix(collection.id, &name);
    let (mut found, mut failed) = (Vec::new(), None);
    read.scan(Space::Rows, &prefix, &keys::after(&prefix), &mut |key, value| {
        match keys::split_key(key).and_then(|(_, rest)| rows::read(rest, value)) {
            Ok((_, rows::Stored::Row(_, row))) => found.extend(read_record(&name, (&row).into(), &[])),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
        if failed.is_some() || found.len() >= most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    found.sort_by_key(|past| (past.stamp, past.origin));
    failed.map_or(Ok(found), Err)
}

fn read_record(conflict: &str, row: RowRef<'_>, cursor: &[u8]) -> Option<Past> {
    let (conflict, record) = (conflict.parse().ok()?, read_json(row.payload).ok()?);
    Some(Past { conflict, record, stamp: row.stamp, origin: row.origin, cursor: cursor.to_vec() })
}
