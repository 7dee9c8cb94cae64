//! The state as the writer sees it: what is committed, under what the batch in the making changes.

use crate::keys;
use crate::pile;
use crate::rows::{self, Stored};
use crate::store::{Batch, Read, Space, StoreError, Visit, get_by_look};
use anabranch_resolvers::resolver::{VisitPart, VisitRow};
use anabranch_resolvers::{PileHead, ReadFailed, Row, Rows};
use std::cell::RefCell;
use std::ops::Bound;
use std::ops::ControlFlow;

/// Committed state with a batch on top.
pub(crate) struct View<'a> {
    store: &'a dyn Read,
    batch: &'a mut Batch,
    undo: Option<Undo>,
}

/// Where a row is.
pub(crate) type Place = (Space, Vec<u8>);

/// What to restore when a request is refused half way.
#[derive(Default)]
struct Undo {
    rows: Vec<(Place, Option<Option<Vec<u8>>>)>,
}

impl<'a> View<'a> {
    /// The state of `store` with `batch` on top.
    pub(crate) fn new(store: &'a dyn Read, batch: &'a mut Batch) -> Self {
        Self { store, batch, undo: None }
    }

    /// The value under `key`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.reader().get(space, key)
    }

    /// Hands the row at `place` to `see`, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) fn look(&self, place: &Place, see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        self.reader().look_at(place, see)
    }

    /// Puts or deletes a row in the batch.
    pub(crate) fn set(&mut self, space: Space, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.set_at((space, key), value);
    }

    /// As [`View::set`].
    pub(crate) fn set_at(&mut self, place: Place, value: Option<Vec<u8>>) {
        if let Some(undo) = &mut self.undo {
            let before = self.batch.rows.insert(place.clone(), value);
            undo.rows.push((place, before));
        } else {
            self.batch.rows.insert(place, value);
        }
    }

    /// Appends a log record to the batch.
    pub(crate) fn append(&mut self, index: u64, record: Vec<u8>) {
        self.batch.log.push((index, record));
    }

    /// From here on [`View::roll_back`] comes back to the state as it is now.
    pub(crate) fn begin(&mut self) {
        self.undo = Some(Undo::default());
    }

    /// Keeps what was done since [`View::begin`].
    pub(crate) fn keep(&mut self) {
        self.undo = None;
    }

    /// Undoes what was done since [`View::begin`].
    pub(crate) fn roll_back(&mut self) {
        for (key, before) in self.undo.take().unwrap_or_default().rows.into_iter().rev() {
            match before {
                Some(value) => self.batch.rows.insert(key, value),
                None => self.batch.rows.remove(&key),
            };
        }
    }

    /// The state, for reading.
    #[must_use]
    pub(crate) fn reader(&self) -> Layered<'_> {
        Layered { store: self.store, batch: self.batch }
    }
}

/// Committed state with a batch on top, for reading.
#[derive(Clone, Copy)]
pub struct Layered<'a> {
    store: &'a dyn Read,
    batch: &'a Batch,
}

impl<'a> Layered<'a> {
    /// The state of `store` with `batch` on top.
    #[must_use]
    pub fn new(store: &'a dyn Read, batch: &'a Batch) -> Self {
        Self { store, batch }
    }

    /// [`Read::look`] for those who have the place at hand.
    fn look_at(&self, place: &Place, see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        match self.batch.rows.get(place) {
            Some(value) => {
                value.iter().for_each(|value| see(value));
                Ok(())
            }
            None => self.store.look(place.0, &place.1, see),
        }
    }

    fn overlay(&self, space: Space, from: &[u8], to: &[u8]) -> Overlay<'a> {
        let end = if to.is_empty() { next_space(space) } else { Bound::Excluded((space, to.to_vec())) };
        let batch: &'a Batch = self.batch;
        let empty = !to.is_empty() && from >= to;
        let start = if empty { Bound::Excluded((space, to.to_vec())) } else { Bound::Included((space, from.to_vec())) };
        let end = if empty { Bound::Included((space, to.to_vec())) } else { end };
        batch.rows.range((start, end))
    }
}

type Overlay<'a> = std::collections::btree_map::Range<'a, (Space, Vec<u8>), Option<Vec<u8>>>;

fn next_space(space: Space) -> Bound<(Space, Vec<u8>)> {
    match Space::ALL.iter().find(|other| **other > space) {
        Some(next) => Bound::Excluded((*next, Vec::new())),
        None => Bound::Unbounded,
    }
}

impl Read for Layered<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        get_by_look(self, space, key)
    }

    fn look(&self, space: Space, key: &[u8], see: &mut dyn FnMut(&[u8])) -> Result<(), StoreError> {
        self.look_at(&(space, key.to_vec()), see)
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        let mut overlay = self.overlay(space, from, to).peekable();
        let mut flow = ControlFlow::Continue(());
        self.store.scan(space, from, to, &mut |key, value| {
            flow = merge(&mut overlay, key, value, |above, below| above < below, visit);
            flow
        })?;
        rest(flow, overlay, visit);
        Ok(())
    }

    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        let mut overlay = self.overlay(space, from, to).rev().peekable();
        let mut flow = ControlFlow::Continue(());
        self.store.scan_back(space, from, to, &mut |key, value| {
            flow = merge(&mut overlay, key, value, |above, below| above > below, visit);
            flow
        })?;
        rest(flow, overlay, visit);
        Ok(())
    }

    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.store.log(index, visit)
    }
}

type Entry<'a> = (&'a (Space, Vec<u8>), &'a Option<Vec<u8>>);

/// Visits what the overlay has before `key`, then `key` itself, as the overlay has it or as it is below.
fn merge<'a, I: Iterator<Item = Entry<'a>>>(
    overlay: &mut std::iter::Peekable<I>,
    key: &[u8],
    value: &[u8],
    before: fn(&[u8], &[u8]) -> bool,
    visit: Visit<'_>,
) -> ControlFlow<()> {
    while let Some(((_, above), row)) = overlay.next_if(|((_, above), _)| before(above, key)) {
        if let Some(row) = row {
            visit(above, row)?;
        }
    }
    match overlay.next_if(|((_, above), _)| above == key) {
        Some((_, Some(row))) => visit(key, row),
        Some((_, None)) => ControlFlow::Continue(()),
        None => visit(key, value),
    }
}

fn rest<'a>(flow: ControlFlow<()>, overlay: impl Iterator<Item = Entry<'a>>, visit: Visit<'_>) {
    if flow.is_break() {
        return;
    }
    for ((_, key), row) in overlay {
        if let Some(row) = row
            && visit(key, row).is_break()
        {
            return;
        }
    }
}

/// The rows of one key, as resolvers see them. Keeps the cause when reading fails.
pub struct KeyRows<'a> {
    read: &'a dyn Read,
    id: keys::CollectionId,
    key: &'a str,
    failed: RefCell<Option<StoreError>>,
}

impl<'a> KeyRows<'a> {
    /// The rows of `key` in the collection with that number.
    pub fn new(read: &'a dyn Read, id: keys::CollectionId, key: &'a str) -> Self {
        Self { read, id, key, failed: RefCell::new(None) }
    }

    /// The cause of a [`ReadFailed`].
    #[must_use]
    pub fn cause(&self) -> StoreError {
        self.failed.take().unwrap_or_else(|| StoreError::corrupt("rows could not be read"))
    }

    fn keep<T>(&self, result: Result<T, StoreError>) -> Result<T, ReadFailed> {
        result.map_err(|error| {
            self.failed.replace(Some(error));
            ReadFailed
        })
    }
}

impl Rows for KeyRows<'_> {
    fn rows(&self, subkey: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        if let Some(subkey) = subkey {
            let prefix = keys::subkey_prefix(self.id, self.key, subkey);
            let visited = rows::visit_subkey(self.read, &prefix, &mut |tag, row| {
                visit(Row { subkey, tag: *tag, stamp: row.stamp, payload: row.payload })
            });
            return self.keep(visited);
        }
        let prefix = keys::key_prefix(self.id, self.key);
        let mut failed = None;
        let scanned = self.read.scan(Space::Rows, &prefix, &keys::after(&prefix), &mut |key, value| match visit_row(
            key, value, visit,
        ) {
            Ok(flow) => flow,
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        self.keep(scanned.and(failed.map_or(Ok(()), Err)))
    }

    fn sum(&self, subkey: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        self.keep(rows::sum(self.read, &keys::subkey_prefix(self.id, self.key, subkey)))
    }

    fn pile(&self, subkey: &[u8]) -> Result<Option<PileHead>, ReadFailed> {
        self.keep(pile::head(self.read, &keys::subkey_prefix(self.id, self.key, subkey)))
    }

    fn pile_parts(&self, subkey: &[u8], from: Option<u64>, visit: VisitPart<'_>) -> Result<(), ReadFailed> {
        self.keep(pile::visit(self.read, &keys::subkey_prefix(self.id, self.key, subkey), from, visit))
    }
}

fn visit_row(key: &[u8], value: &[u8], visit: VisitRow<'_>) -> Result<ControlFlow<()>, StoreError> {
    let (_, rest) = keys::split_key(key)?;
    match rows::read(rest, value)? {
        (subkey, Stored::Row(tag, row)) => {
            Ok(visit(Row { subkey: &subkey, tag, stamp: row.stamp, payload: &row.payload }))
        }
        (_, Stored::Sum(_) | Stored::Pile) => Ok(ControlFlow::Continue(())),
    }
}
