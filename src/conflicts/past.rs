//! Who decided what.

use super::place;
use crate::error::ReadError;
use crate::view::View;
use anabranch_causality::{Hlc, Kind, text};
use anabranch_engine::conflicts::{self, Filter};
use anabranch_resolvers::{ConflictId, Keep};
use serde_json::Value;

/// The longest text of where to go on, in characters.
const MAX_CURSOR: usize = 8 << 10;
/// Of one conflict, so many resolutions are shown at most.
const MOST_OF_ONE: usize = 1_000;

/// A decision that ended a conflict. Two people who decided at once each left one.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The conflict that it ended.
    pub conflict: ConflictId,
    /// The path of the collection.
    pub collection: String,
    /// The key.
    pub key: String,
    /// What there was to choose from, as far as it was recorded: at most 64 options, and no values above 4 KiB (then `null`).
    pub options: Vec<(String, Value)>,
    /// What was kept.
    pub keep: Keep,
    /// Who decided.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub at: Hlc,
    /// The region in which it was decided, when known.
    pub region: Option<String>,
    /// The node, when known.
    pub node: Option<String>,
}

/// Some decisions, by collection and key; of one key, oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PastPage {
    /// The decisions.
    pub decisions: Vec<Past>,
    /// Where to go on, when there may be more: opaque text.
    pub next: Option<String>,
}

impl View {
    /// Up to `limit` decisions about a key, a collection or anything, after a place that [`PastPage::next`] named.
    ///
    /// # Errors
    /// [`ReadError`]; [`ReadError::Cursor`] when `after` is no such place.
    pub fn resolutions(
        &self,
        collection: Option<&str>,
        key: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PastPage, ReadError> {
        let filter = match collection.map(|path| self.collection(path)).transpose()? {
            None => Filter::All,
            Some(found) => match key {
                None => Filter::Collection(found.name.clone(), found.kind),
                Some(key) => Filter::Key(found.name.clone(), found.kind, key.to_owned()),
            },
        };
        let after = after.map(|after| text::decode(after, MAX_CURSOR).ok_or(ReadError::Cursor)).transpose()?;
        let mut found = conflicts::history(&*self.read, &filter, after.as_deref(), limit.saturating_add(1))?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| text::encode(&last.cursor));
        Ok(PastPage { decisions: found.into_iter().filter_map(|past| self.past(past)).collect(), next })
    }

    /// The decisions that ended a conflict, oldest first, at most 1,000.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn ended(&self, conflict: ConflictId) -> Result<Vec<Past>, ReadError> {
        let found = conflicts::past(&*self.read, &self.catalog, conflict, MOST_OF_ONE)?;
        Ok(found.into_iter().filter_map(|past| self.past(past)).collect())
    }

    /// `None` for a record that this version would not write.
    fn past(&self, past: conflicts::Past) -> Option<Past> {
        let text = |name: &str| past.record.get(name).and_then(Value::as_str).map(str::to_owned);
        let (name, kind) = (text("collection")?, Kind::from_name(&text("kind")?)?);
        let path = self.catalog.get(&name, kind).map(|collection| self.catalog.path(collection));
        let options = past.record.get("options").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let option = |option: &Value| Some((option.get("option")?.as_str()?.to_owned(), option.get("value")?.clone()));
        let keep = match (past.record.get("keep").and_then(Value::as_array), past.record.get("value")) {
            (Some(names), _) => Keep::Options(names.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
            (None, value) => Keep::Value(value?.clone()),
        };
        let (region, node) = place(self, Some(past.origin));
        Some(Past {
            conflict: past.conflict,
            collection: path.unwrap_or(name),
            key: text("key")?,
            options: options.iter().filter_map(option).collect(),
            keep,
            by: text("by"),
            note: text("note"),
            at: past.stamp,
            region,
            node,
        })
    }
}
