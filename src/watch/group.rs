//! One group: all that changed between two cuts, read from the log and told in parts.
//!
//! Everything is told from one state, so that each key is told once however often it changed. Of the keys that changed, only
//! so many are held; when there are more, the log is read again for those that come after.

use super::{Change, Cut, Filter};
use crate::error::ReadError;
use crate::view::{SHARD, View};
use anabranch_causality::{Kind, Token, Transaction, VersionVector};
use anabranch_engine::record::Record;
use anabranch_engine::store::StoreError;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// How many log records one step reads at most.
const STEP: u64 = 4_096;
/// How many keys are held at most.
const MOST_KEYS: usize = 65_536;
/// A part ends when it has that many changes, or its values about that many bytes.
const PART: usize = 1_000;
const PART_BYTES: usize = 256 << 10;

/// Collection, kind and key.
type Place = (String, Kind, String);

/// What one step came to.
pub(super) enum Step {
    /// There is nothing to tell.
    Idle,
    /// There may be; not all of the log has been read.
    Reading,
    Told(Cut),
}

/// A group that is being told.
pub(super) struct Group {
    view: Arc<View>,
    /// What was told before, whole.
    told: VersionVector,
    wanted: Option<(String, Kind)>,
    from: u64,
    /// Up to where the log has been read this time.
    at: u64,
    /// What changed and is not told yet, with the region of its last write.
    found: BTreeMap<Place, Option<String>>,
    /// The last that was told.
    last: Option<Place>,
    /// Whether more changed than is held.
    more: bool,
}

impl Group {
    /// All that changed between the log index `from`, or what `since` names, and that state.
    pub(super) fn new(view: Arc<View>, filter: &Filter, from: u64, since: &Token) -> Self {
        let wanted = filter.collection.as_ref().and_then(|path| view.catalog().find(path));
        let wanted = wanted.map(|collection| (collection.name.clone(), collection.kind));
        let told = view.lineages.expand(&since.vector(SHARD).cloned().unwrap_or_default());
        Self { view, told, wanted, from, at: from, found: BTreeMap::new(), last: None, more: false }
    }

    /// The log index after it.
    pub(super) fn end(&self) -> u64 {
        self.view.index
    }

    /// Reads on, or tells a part.
    pub(super) fn step(&mut self, filter: &Filter, since: &Token) -> Result<Step, ReadError> {
        if self.at < self.view.index {
            self.read(filter)?;
            if self.at < self.view.index {
                return Ok(Step::Reading);
            }
        }
        let changes = self.tell()?;
        let whole = self.found.is_empty() && !self.more;
        if self.found.is_empty() && self.more {
            (self.at, self.more) = (self.from, false);
        }
        let shown = self.view.token();
        let mut token = if whole { shown.clone() } else { since.clone() };
        if whole && self.view.satisfies(since).is_err() {
            // The watch was begun ahead of this replica.
            token.join(since);
        }
        Ok(Step::Told(Cut { changes, token, shown, whole }))
    }

    fn read(&mut self, filter: &Filter) -> Result<(), StoreError> {
        let (view, end) = (self.view.clone(), self.view.index.min(self.at + STEP));
        let mut failed = None;
        view.read.log(self.at, &mut |index, bytes| {
            if index >= end {
                return ControlFlow::Break(());
            }
            match Record::decode(bytes).and_then(|record| record.decode_transaction()) {
                Ok(transaction) => self.note(transaction, filter),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        self.at = end;
        failed.map_or(Ok(()), Err)
    }

    /// Notes the keys that it touches.
    fn note(&mut self, transaction: Transaction, filter: &Filter) {
        let dot = transaction.dot;
        if self.told.get(dot.origin) >= dot.seq {
            return;
        }
        let region = self.view.lineages.get(dot.origin).map(|lineage| &lineage.region);
        for effect in transaction.effects {
            let asked = match (&filter.collection, &self.wanted) {
                (None, _) => !effect.collection.starts_with('_'),
                (Some(_), Some((name, kind))) => *name == effect.collection && *kind == effect.kind,
                (Some(_), None) => false,
            };
            if !asked || effect.key.is_empty() || !effect.key.starts_with(&filter.prefix) {
                continue;
            }
            let place = (effect.collection, effect.kind, effect.key);
            if self.last.as_ref().is_some_and(|last| place <= *last) {
                continue;
            }
            self.found.insert(place, region.cloned());
            if self.found.len() > MOST_KEYS {
                self.found.pop_last();
                self.more = true;
            }
        }
    }

    /// The values of the next keys.
    fn tell(&mut self) -> Result<Vec<Change>, ReadError> {
        let (mut changes, mut bytes) = (Vec::new(), 0);
        while changes.len() < PART && bytes < PART_BYTES {
            let Some((place, region)) = self.found.pop_first() else { break };
            let change = self.change(&place, region)?;
            self.last = Some(place);
            let Some(change) = change else { continue };
            bytes += change.outcome.as_ref().map_or(0, |outcome| size(&outcome.value));
            changes.push(change);
        }
        Ok(changes)
    }

    /// `None` for what is parked.
    fn change(&self, place: &Place, region: Option<String>) -> Result<Option<Change>, ReadError> {
        let (name, kind, key) = place;
        let Some(collection) = self.view.catalog().get(name, *kind) else { return Ok(None) };
        let path = self.view.catalog().path(collection);
        let outcome = match self.view.get(&path, key) {
            Err(ReadError::Parked { .. }) => return Ok(None),
            outcome => outcome?,
        };
        Ok(Some(Change { collection: path, key: key.clone(), outcome, region }))
    }
}

/// About how many bytes of JSON.
fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(items) => 2 + items.iter().map(|item| size(item) + 1).sum::<usize>(),
        Value::Object(fields) => 2 + fields.iter().map(|(name, value)| name.len() + size(value) + 4).sum::<usize>(),
    }
}
