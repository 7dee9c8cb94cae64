//! The inbox, page by page.

use super::{Place, collections, find, find_former, next_key, standing};
use crate::catalog::{Catalog, Collection};
use crate::keys::{self, CollectionId};
use crate::query::{self, QueryError};
use crate::rows::{self, Stored};
use crate::store::{Read, Space, StoreError};
use anabranch_causality::{DecodeError, Kind, Origin, Reader, Tag, Writer, names, text, transaction};
use anabranch_resolvers::{Conflict, ConflictId, Indexed, Registry};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// How many keys one page looks at. Where many versions survive that are no conflict, as of equal values, a page has less than
/// was asked for, and goes on after them.
pub const KEYS_PER_PAGE: usize = 2_000;

/// An open conflict, and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Open {
    /// The collection's name.
    pub collection: String,
    /// The collection's kind.
    pub kind: Kind,
    /// The key.
    pub key: String,
    /// What stands there.
    pub conflict: Conflict,
    /// Where each version was sequenced; of several copies, the one whose stamp stands.
    pub origins: BTreeMap<Tag, Origin>,
}

/// How far a listing has come: in the order of collections, keys, and within a key of parts and ids.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// The collection's name.
    pub collection: String,
    /// The collection's kind.
    pub kind: Kind,
    /// The key.
    pub key: String,
    /// How far within the key; `None`: to its end.
    pub within: Option<(Vec<u8>, ConflictId)>,
}

/// A page of open conflicts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The conflicts.
    pub open: Vec<Open>,
    /// Where to go on, when there may be more.
    pub next: Option<Cursor>,
}

/// Up to `limit` conflicts of one collection, or of all that are not the system's and not parked. Costs what is open: entries of
/// collections whose resolver makes no conflicts are passed over whole.
///
/// # Errors
/// [`QueryError`].
pub fn page(
    registry: &Registry,
    read: &dyn Read,
    catalog: &Catalog,
    only: Option<&Collection>,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page, QueryError> {
    let (mut page, mut room) = (Page::default(), KEYS_PER_PAGE);
    for collection in wanted(registry, read, catalog, only)? {
        let place = (collection.name.as_str(), collection.kind);
        let after = after.filter(|after| (after.collection.as_str(), after.kind) >= place);
        if after.is_some_and(|after| (after.collection.as_str(), after.kind) > place) {
            continue;
        }
        fill(registry, read, collection, after, limit, &mut room, &mut page)?;
        if page.next.is_some() {
            break;
        }
    }
    Ok(page)
}

/// The collections to look through, in the order of their names, which is the same at all replicas.
fn wanted<'a>(
    registry: &Registry,
    read: &dyn Read,
    catalog: &'a Catalog,
    only: Option<&'a Collection>,
) -> Result<Vec<&'a Collection>, QueryError> {
    if let Some(collection) = only {
        let resolver = query::resolver(registry, collection)?;
        return Ok(if resolver.makes_conflicts() { vec![collection] } else { Vec::new() });
    }
    let numbers = collections(read)?;
    let is_wanted = |collection: &&Collection| {
        !collection.is_system()
            && numbers.binary_search(&collection.id).is_ok()
            && query::resolver(registry, collection).is_ok_and(|resolver| resolver.makes_conflicts())
    };
    Ok(catalog.iter().filter(is_wanted).collect())
}

fn fill(
    registry: &Registry,
    read: &dyn Read,
    collection: &Collection,
    after: Option<&Cursor>,
    limit: usize,
    room: &mut usize,
    page: &mut Page,
) -> Result<(), QueryError> {
    let cursor = |key: &str, within| {
        let (name, key) = (collection.name.clone(), key.to_owned());
        Some(Cursor { collection: name, kind: collection.kind, key, within })
    };
    // The key in which the last page ended may have more.
    let mut within = after.and_then(|after| after.within.clone());
    let mut key = match (after, &within) {
        (Some(after), Some(_)) => Some(after.key.clone()),
        (after, _) => next_key(read, collection.id, after.map(|after| after.key.as_str()))?,
    };
    while let Some(at) = key {
        for open in of_key(registry, read, collection, &at)? {
            let place = (open.conflict.subkey.clone(), open.conflict.id);
            if within.as_ref().is_some_and(|within| place <= *within) {
                continue;
            }
            if page.open.len() >= limit {
                let last = page.open.last().map(|last| (last.conflict.subkey.clone(), last.conflict.id));
                let in_this_key = page.open.last().is_some_and(|last| is_at(last, collection, &at));
                page.next = if in_this_key { cursor(&at, last) } else { page.open.last().map(Cursor::after) };
                return Ok(());
            }
            page.open.push(open);
        }
        within = None;
        *room -= 1;
        key = next_key(read, collection.id, Some(&at))?;
        if *room == 0 {
            page.next = cursor(&at, None);
            return Ok(());
        }
    }
    Ok(())
}

fn is_at(open: &Open, collection: &Collection, key: &str) -> bool {
    open.collection == collection.name && open.kind == collection.kind && open.key == key
}

impl Cursor {
    /// The longest text of a cursor, in characters.
    const MAX_TEXT: usize = 8 << 10;

    /// As opaque text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut writer = Writer::new();
        writer.u8(self.kind.0).bytes(self.collection.as_bytes()).bytes(self.key.as_bytes());
        if let Some((subkey, id)) = &self.within {
            writer.bytes(subkey).raw(&id.0);
        }
        text::encode(writer.as_bytes())
    }

    /// What [`Cursor::encode`] wrote; `None` for anything else.
    #[must_use]
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = text::decode(text, Self::MAX_TEXT)?;
        Self::read(Reader::new(&bytes)).ok()
    }

    fn read(mut reader: Reader<'_>) -> Result<Self, DecodeError> {
        let kind = Kind(reader.u8("kind")?);
        let collection = reader.str(names::MAX_COLLECTION, "collection")?.to_owned();
        let key = reader.str(names::MAX_KEY, "key")?.to_owned();
        let within = if reader.rest().is_empty() {
            None
        } else {
            let subkey = reader.bytes(transaction::MAX_SUBKEY, "part")?.to_vec();
            Some((subkey, ConflictId(reader.array("conflict id")?)))
        };
        reader.finish("cursor")?;
        Ok(Self { collection, kind, key, within })
    }

    /// After that conflict.
    #[must_use]
    pub fn after(open: &Open) -> Self {
        let within = Some((open.conflict.subkey.clone(), open.conflict.id));
        Self { collection: open.collection.clone(), kind: open.kind, key: open.key.clone(), within }
    }
}

/// What stands in conflict in a key, in the order of parts and ids.
///
/// # Errors
/// [`QueryError`].
pub fn of_key(
    registry: &Registry,
    read: &dyn Read,
    collection: &Collection,
    key: &str,
) -> Result<Vec<Open>, QueryError> {
    let mut found = standing(registry, read, collection, key)?;
    found.sort_by(|a, b| (&a.subkey, a.id).cmp(&(&b.subkey, b.id)));
    let by_key = query::resolver(registry, collection)?.indexed() == Indexed::Keys;
    // Of a kind with conflicts across parts of a key, all its rows are looked at once.
    let all = if by_key && !found.is_empty() {
        origins(read, &keys::key_prefix(collection.id, key))?
    } else {
        BTreeMap::new()
    };
    let open = found.into_iter().map(|conflict| {
        let origins = if by_key {
            let tags = conflict.options.iter().flat_map(|option| &option.tags);
            tags.filter_map(|tag| Some((*tag, *all.get(tag)?))).collect()
        } else {
            origins(read, &keys::subkey_prefix(collection.id, key, &conflict.subkey))?
        };
        let (name, key) = (collection.name.clone(), key.to_owned());
        Ok(Open { collection: name, kind: collection.kind, key, conflict, origins })
    });
    open.collect()
}

fn origins(read: &dyn Read, prefix: &[u8]) -> Result<BTreeMap<Tag, Origin>, StoreError> {
    let (mut origins, mut failed) = (BTreeMap::new(), None);
    read.scan(Space::Rows, prefix, &keys::after(prefix), &mut |key, value| {
        match keys::split_key(key).and_then(|(_, rest)| rows::read(rest, value)) {
            Ok((_, Stored::Row(tag, row))) => drop(origins.insert(tag, row.origin)),
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
        if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(origins), Err)
}

/// The open conflict of that id, if there is one.
///
/// # Errors
/// [`QueryError`].
pub fn one(
    registry: &Registry,
    read: &dyn Read,
    catalog: &Catalog,
    id: ConflictId,
) -> Result<Option<Open>, QueryError> {
    let Some(place) = find(read, id)? else { return Ok(None) };
    let Some(collection) = catalog.by_id(place.collection).filter(|found| !found.is_system()) else { return Ok(None) };
    Ok(of_key(registry, read, collection, &place.key)?.into_iter().find(|open| open.conflict.id == id))
}

/// The collection and key of a conflict that is open, or that was before it became another.
///
/// # Errors
/// [`StoreError`] when the store fails or contradicts itself.
pub fn place(read: &dyn Read, id: ConflictId) -> Result<Option<(CollectionId, String)>, StoreError> {
    let found = match find(read, id)? {
        None => find_former(read, id)?,
        found => found,
    };
    Ok(found.map(|Place { collection, key, .. }| (collection, key)))
}
