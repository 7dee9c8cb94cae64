//! I4: the naive specification. State is a function of the *set* of transactions: the tags that some transaction adds,
//! minus those that some transaction supersedes, each with the lowest stamp of its copies; sums over distinct operation
//! ids. No order occurs in it.

use anabranch_causality::{Effect, Hlc, Kind, OperationId, Reader, Tag, Transaction};
use anabranch_engine::rows::{self, Stored};
use anabranch_engine::store::{Read, Space};
use anabranch_engine::{Catalog, keys};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::ControlFlow;

/// Collection, kind, key, subkey.
pub(crate) type Place = (String, u8, String, Vec<u8>);

/// The logical state of a replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Surviving rows: stamp and payload.
    pub(crate) rows: BTreeMap<(Place, Tag), (Hlc, Vec<u8>)>,
    /// Sums.
    pub(crate) sums: BTreeMap<Place, i128>,
    /// The updates of texts, each with its operation and its place among those that this makes there. Of a store: which texts it
    /// has; what is in them, [`super::texts`] compares.
    pub(crate) texts: BTreeMap<Place, Vec<(Tag, Vec<u8>)>>,
    /// Collections and who named each first.
    pub(crate) collections: BTreeMap<(String, u8), (Hlc, OperationId)>,
}

fn place(effect: &Effect, subkey: &[u8]) -> Place {
    (effect.collection.clone(), effect.kind.0, effect.key.clone(), subkey.to_vec())
}

impl State {
    /// What a set of transactions comes to.
    pub(crate) fn of<'a>(set: impl Iterator<Item = &'a Transaction> + Clone) -> Result<Self, String> {
        let mut state = Self::default();
        let mut counted: BTreeSet<OperationId> = BTreeSet::new();
        for transaction in set.clone() {
            let first = counted.insert(transaction.operation);
            for effect in &transaction.effects {
                state.take_in(transaction, effect, first)?;
            }
        }
        for effect in set.flat_map(|transaction| &transaction.effects) {
            for group in &effect.supersedes {
                for tag in &group.tags {
                    state.rows.remove(&(place(effect, &group.subkey), *tag));
                }
            }
        }
        Ok(state)
    }

    fn take_in(&mut self, transaction: &Transaction, effect: &Effect, first: bool) -> Result<(), String> {
        let by = (transaction.hlc, transaction.operation);
        let created = self.collections.entry((effect.collection.clone(), effect.kind.0)).or_insert(by);
        *created = by.min(*created);
        for add in &effect.adds {
            let tag = Tag { operation: transaction.operation, position: add.position };
            let fresh = || (transaction.hlc, add.payload.clone());
            let row = self.rows.entry((place(effect, &add.subkey), tag)).or_insert_with(fresh);
            row.0 = row.0.min(transaction.hlc);
        }
        for (index, fold) in effect.folds.iter().enumerate().filter(|_| first) {
            if effect.kind == Kind::TEXT {
                let tag = Tag { operation: transaction.operation, position: index as u32 };
                self.texts.entry(place(effect, &fold.subkey)).or_default().push((tag, fold.payload.clone()));
                continue;
            }
            let change = Reader::new(&fold.payload).signed("change").map_err(|error| error.to_string())?;
            *self.sums.entry(place(effect, &fold.subkey)).or_default() += i128::from(change);
        }
        Ok(())
    }

    /// Without the rows of what is parked: those wait in the log.
    pub(crate) fn unparked(&self, catalog: &Catalog) -> Self {
        let parked = catalog.iter().filter(|found| found.parked.is_some());
        let parked: BTreeSet<(String, u8)> = parked.map(|found| (found.name.clone(), found.kind.0)).collect();
        let mut state = self.clone();
        if !parked.is_empty() {
            let stands = |place: &Place| !parked.contains(&(place.0.clone(), place.1));
            state.rows.retain(|(place, _), _| stands(place));
            state.sums.retain(|place, _| stands(place));
            state.texts.retain(|place, _| stands(place));
        }
        state
    }

    /// What a store holds.
    pub(crate) fn stored(catalog: &Catalog, store: &dyn Read) -> Result<Self, String> {
        let mut state = Self::default();
        let mut names = BTreeMap::new();
        for collection in catalog.iter() {
            state.collections.insert((collection.name.clone(), collection.kind.0), collection.created);
            names.insert(collection.id.0, (collection.name.clone(), collection.kind.0));
        }
        let mut outcome = Ok(());
        let scanned = store.scan(Space::Rows, &[], &[], &mut |key, value| {
            outcome = state.read_row(&names, key, value);
            if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        scanned.map_err(|error| error.to_string())?;
        outcome.map(|()| state)
    }

    fn read_row(&mut self, names: &BTreeMap<u32, (String, u8)>, row: &[u8], value: &[u8]) -> Result<(), String> {
        let number = row.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or("a row without collection")?;
        let (collection, kind) = names.get(&number).cloned().ok_or("a row of no collection")?;
        let (key, rest) = keys::split_key(row).map_err(|error| error.to_string())?;
        let (subkey, stored) = rows::read(rest, value).map_err(|error| error.to_string())?;
        let place = (collection, kind, key, subkey);
        match stored {
            Stored::Sum(sum) => {
                let sum = sum.try_into().map(i128::from_le_bytes).map_err(|_| "a sum has 16 bytes")?;
                self.sums.insert(place, sum);
            }
            Stored::Pile => drop(self.texts.entry(place).or_default()),
            Stored::Row(tag, row) => {
                self.rows.insert((place, tag), (row.stamp, row.payload));
            }
        }
        Ok(())
    }

    /// Says where the stored state differs from this one, which is right.
    pub(crate) fn compare(&self, stored: &Self) -> Result<(), String> {
        same("collections", &self.collections, &stored.collections)?;
        same("rows", &self.rows, &stored.rows)?;
        same("sums", &self.sums, &stored.sums)?;
        let places = |state: &Self| state.texts.keys().map(|place| (place.clone(), ())).collect();
        same::<_, ()>("texts", &places(self), &places(stored))
    }
}

fn same<K: Ord + Debug, V: PartialEq + Debug>(
    what: &str,
    right: &BTreeMap<K, V>,
    stored: &BTreeMap<K, V>,
) -> Result<(), String> {
    if right == stored {
        return Ok(());
    }
    let every: BTreeSet<&K> = right.keys().chain(stored.keys()).collect();
    let wrong: Vec<&K> = every.into_iter().filter(|key| right.get(key) != stored.get(key)).collect();
    let shown = wrong
        .first()
        .map(|key| format!("first at {key:?}: specified {:?}, stored {:?}", right.get(key), stored.get(key)));
    Err(format!("{} of the {what} differ from the specification, {}", wrong.len(), shown.unwrap_or_default()))
}
