//! The index of a data directory that is older than the index.
//!
//! Made when the directory is opened, some rows at a time: what is held in memory does not grow with what exists. Each entry
//! is computed from all rows of its place, so it does not matter what was written in between.

use super::{history, of_key, of_subkey};
use crate::engine::Engine;
use crate::keys::{self, CollectionId, meta};
use crate::resolutions::RESOLUTIONS;
use crate::rows::{self, Stored};
use crate::store::{Read, Space, StoreError};
use crate::view::View;
use anabranch_causality::Kind;
use anabranch_resolvers::{Indexed, Resolver};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

const DONE: u8 = 1;
const UNDER_WAY: u8 = 0;
/// How many rows are looked at in one step.
const ROWS: usize = 50_000;
/// How many places one step takes note of.
const PLACES: usize = 2_000;

impl Engine {
    /// Whether the index of conflicts covers all rows. Until then, [`Engine::committed`] goes on with it, each time a little.
    #[must_use]
    pub fn is_indexed(&self) -> bool {
        self.indexing.is_none()
    }

    /// Finds out whether the index has yet to be made.
    pub(crate) fn load_index(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        let marker = store.get(Space::Meta, meta::CONFLICTS)?;
        match marker.as_deref().map(<[u8]>::split_first) {
            Some(Some((&DONE, []))) => {}
            Some(Some((&UNDER_WAY, from))) => self.indexing = Some(from.to_vec()),
            Some(_) => return Err(StoreError::corrupt("the marker of the index of conflicts")),
            None if self.state.next_index > 0 => self.indexing = Some(Vec::new()),
            None => drop(self.batch.rows.insert((Space::Meta, meta::CONFLICTS.to_vec()), Some(vec![DONE]))),
        }
        Ok(())
    }

    /// Goes on with the index, if it has yet to be made.
    pub(crate) fn index_more(&mut self, store: &dyn Read) -> Result<(), StoreError> {
        let Some(from) = self.indexing.take() else { return Ok(()) };
        let mut kinds: Vec<_> =
            self.state.catalog.iter().map(|found| (found.id, found.name.clone(), found.kind)).collect();
        kinds.sort_unstable();
        let mut step = Step { view: View::new(store, &mut self.batch), rows: 0, places: 0 };
        for (id, name, kind) in kinds {
            let prefix = keys::collection_prefix(id);
            let Some(resolver) = self.registry.default_for(kind).filter(|_| from < keys::after(&prefix)) else {
                continue;
            };
            let records = name == RESOLUTIONS && kind == Kind::MAP;
            if resolver.indexed() != Indexed::Never
                && let Some(next) = step.collection(store, id, from.clone().max(prefix), &resolver, records)?
            {
                self.indexing = Some(next);
                break;
            }
        }
        let marker = self.indexing.as_ref().map_or_else(|| vec![DONE], |next| [&[UNDER_WAY], next.as_slice()].concat());
        step.view.set(Space::Meta, meta::CONFLICTS.to_vec(), Some(marker));
        Ok(())
    }
}

/// Some rows of a step, and what is to be noted of them.
struct Step<'a> {
    view: View<'a>,
    rows: usize,
    places: usize,
}

impl Step<'_> {
    /// Goes through a collection's rows. Returns the row to go on from when that was enough for one step.
    fn collection(
        &mut self,
        store: &dyn Read,
        id: CollectionId,
        from: Vec<u8>,
        resolver: &Arc<dyn Resolver>,
        records: bool,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let by_key = resolver.indexed() == Indexed::Keys;
        let (mut keys_seen, mut subkeys, mut failed, mut next) = (BTreeSet::new(), BTreeSet::new(), None, None);
        let (view, count) = (&mut self.view, &mut self.rows);
        let room = PLACES.saturating_sub(self.places);
        store.scan(Space::Rows, &from, &keys::after(&keys::collection_prefix(id)), &mut |row_key, value| {
            *count += 1;
            if *count > ROWS || keys_seen.len() + subkeys.len() >= room {
                next = Some(row_key.to_vec());
                return ControlFlow::Break(());
            }
            let seen = keys::split_key(row_key).and_then(|(key, rest)| {
                let (subkey, stored) = rows::read(rest, value)?;
                let Stored::Row(tag, row) = stored else { return Ok(()) };
                if records {
                    history::note(view, (id, &key), &subkey, (&tag, row.stamp, &row.payload), true);
                }
                if by_key {
                    keys_seen.insert(key);
                } else if keys::split_subkey(rest)?.1.is_some() {
                    // A row beside the slot: there are several.
                    subkeys.insert(keys::subkey_prefix(id, &key, &subkey));
                }
                Ok(())
            });
            failed = seen.err();
            if failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        self.places += keys_seen.len() + subkeys.len();
        subkeys.iter().try_for_each(|prefix| of_subkey(&mut self.view, prefix))?;
        keys_seen.iter().try_for_each(|key| of_key(&mut self.view, id, key, &**resolver))?;
        Ok(next)
    }
}
