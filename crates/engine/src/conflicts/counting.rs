//! How many conflicts are open, without reading more than was allowed.

use super::{collections, count, next_key, standing};
use crate::catalog::Catalog;
use crate::query::{self, QueryError};
use crate::store::Read;
use anabranch_causality::Kind;
use anabranch_resolvers::{Indexed, Registry};

/// How many conflicts are open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// By name and kind, of each collection that can have any.
    pub collections: Vec<((String, Kind), u64)>,
    /// Whether there are more: counting ended at its limit.
    pub more: bool,
}

/// Counts the conflicts of all collections, looking at no more than `most` entries of the index.
///
/// # Errors
/// [`QueryError`].
pub fn count_open(registry: &Registry, read: &dyn Read, catalog: &Catalog, most: u64) -> Result<Counted, QueryError> {
    let mut counted = Counted::default();
    let numbers = collections(read)?;
    let mut room = most;
    for collection in catalog.iter().filter(|found| !found.is_system()) {
        let Ok(resolver) = query::resolver(registry, collection) else { continue };
        if !resolver.makes_conflicts() {
            continue;
        }
        let any = numbers.binary_search(&collection.id).is_ok();
        let entries = if any { count(read, collection.id, room.saturating_add(1))? } else { 0 };
        let mut open = 0;
        if resolver.indexed() == Indexed::Keys {
            // What the index holds of such a kind is what its resolver says.
            open = entries.min(room);
        } else {
            let (mut left, mut key) = (entries.min(room), next_key(read, collection.id, None)?);
            while let Some(at) = key.filter(|_| left > 0) {
                open += standing(registry, read, collection, &at)?.len() as u64;
                left -= 1;
                key = next_key(read, collection.id, Some(&at))?;
            }
        }
        counted.collections.push(((collection.name.clone(), collection.kind), open));
        counted.more |= entries > room;
        room = room.saturating_sub(entries);
        if counted.more {
            break;
        }
    }
    Ok(counted)
}
