//! I4 for texts: a text is what an empty document makes of the set of all its updates, whatever the order in which they come.
//! What it shows is compared with plain Yjs, what it holds with one merge of all, in an order of their bytes.

use super::spec::{Place, State};
use anabranch_causality::Kind;
use anabranch_engine::store::Read;
use anabranch_engine::{Catalog, KeyRows, query};
use anabranch_resolvers::{Pile as _, PilePart, Registry, Rows as _, Text};
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;
use xxhash_rust::xxh3::xxh3_128;
use yrs::updates::decoder::Decode as _;
use yrs::{Doc, GetString as _, OffsetKind, ReadTxn as _, Transact as _, Update};

const MOST_BYTES: usize = 1 << 20;

/// What sets of updates come to, by a hash of the set: all replicas hold the same in the end.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    known: BTreeMap<u128, Right>,
}

/// What a set of updates comes to.
#[derive(Clone, Debug)]
struct Right {
    /// What Yjs shows; `None` when some updates need what is not there.
    shown: Option<String>,
    /// What a document holds, as the resolver says.
    canonical: Vec<u8>,
}

/// What a check came across.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) compared: u64,
    pub(crate) lacking: u64,
}

impl Texts {
    /// Compares every text of a store with the specified state.
    pub(crate) fn check(
        &mut self,
        right: &State,
        registry: &Registry,
        catalog: &Catalog,
        store: &dyn Read,
    ) -> Result<Found, String> {
        let mut found = Found::default();
        for (place, updates) in &right.texts {
            let (name, _, key, _): &Place = place;
            let collection = catalog.get(name, Kind::TEXT).ok_or_else(|| format!("there is no collection {name}"))?;
            let right = self.of(updates.iter().map(|(_, update)| update.as_slice()))?;
            let answer = query::value(registry, store, collection, key, None, MOST_BYTES);
            let answer = answer.map_err(|error| error.to_string())?.map(|outcome| outcome.value);
            let specified =
                right.shown.as_ref().map(|text| Some(Value::from(text.as_str())).filter(|_| !text.is_empty()));
            if specified.as_ref().is_some_and(|specified| *specified != answer) {
                return Err(format!("text {name}/{key} reads {answer:?}, all its updates are {specified:?}"));
            }
            if stored(&KeyRows::new(store, collection.id, key))? != right.canonical {
                return Err(format!(
                    "text {name}/{key} holds something else than all its updates, and reads {answer:?}"
                ));
            }
            found.compared += 1;
            found.lacking += u64::from(specified.is_none());
        }
        Ok(found)
    }

    fn of<'a>(&mut self, updates: impl Iterator<Item = &'a [u8]>) -> Result<&Right, String> {
        let mut updates: Vec<(u128, &[u8])> = updates.map(|update| (xxh3_128(update), update)).collect();
        updates.sort_unstable();
        let hashes: Vec<u8> = updates.iter().flat_map(|(hash, _)| hash.to_le_bytes()).collect();
        let set = xxh3_128(&hashes);
        Ok(match self.known.entry(set) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let changes: Vec<Vec<u8>> = updates.iter().map(|(_, update)| update.to_vec()).collect();
                let merged = Text.merge(None, &changes).and_then(|merged| Text.canonical(&merged));
                let canonical = merged.map_err(|error| format!("updates cannot be merged: {error}"))?;
                place.insert(Right { shown: at_once(&changes)?, canonical })
            }
        })
    }
}

/// What a store holds of a text, merged or not.
fn stored(rows: &KeyRows<'_>) -> Result<Vec<u8>, String> {
    let (mut snapshot, mut changes) = (None, Vec::new());
    let visited = rows.pile_parts(&[], None, &mut |part| {
        match part {
            PilePart::Snapshot(bytes) => snapshot = Some(bytes.to_vec()),
            PilePart::Change(change) => changes.push(change.to_vec()),
        }
        ControlFlow::Continue(())
    });
    visited.map_err(|error| error.to_string())?;
    let merged = Text.merge(snapshot.as_deref(), &changes).and_then(|merged| Text.canonical(&merged));
    merged.map_err(|error| format!("what is stored cannot be merged: {error}"))
}

/// What Yjs shows of all updates; `None` when some of them need what is not there.
fn at_once(changes: &[Vec<u8>]) -> Result<Option<String>, String> {
    let options = yrs::Options {
        client_id: yrs::ClientID::new(1),
        guid: "".into(),
        offset_kind: OffsetKind::Utf16,
        ..yrs::Options::default()
    };
    let doc = Doc::with_options(options);
    let text = doc.get_or_insert_text("text");
    for change in changes {
        let update = Update::decode_v1(change).map_err(|error| error.to_string())?;
        doc.transact_mut().apply_update(update).map_err(|error| error.to_string())?;
    }
    let all = doc.transact().encode_diff_v1(&Default::default());
    let all = Update::decode_v1(&all).map_err(|error| error.to_string())?;
    let has_gaps = all.insertions(true).iter().any(|(_, ranges)| ranges.iter().any(|range| range.start > 0));
    let is_whole = !doc.transact().has_missing_updates() && !has_gaps;
    Ok(is_whole.then(|| text.get_string(&doc.transact())))
}
