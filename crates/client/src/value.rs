//! What answers show.

use crate::error::ClientError;
use anabranch_causality::{Context, Dot};
use anabranch_protocol::Shown;
use anabranch_resolvers::read_json;
use serde::de::DeserializeOwned;

/// A value, as a replica shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The value; `null` when `truncated`.
    pub value: serde_json::Value,
    /// How many versions stand in conflict; 0 where the resolver makes none.
    pub conflicts: u64,
    /// The true sum is outside 64 bits and shown clamped.
    pub overflow: bool,
    /// The value was left out for its size: only after a write; read the key to see it.
    pub truncated: bool,
    /// Registers: what was seen. A write that carries it supersedes exactly these versions.
    pub context: Option<Context>,
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Its value.
    pub found: Found,
}

/// Some keys of a collection, at one causal cut, in the order of their bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The keys and values.
    pub entries: Vec<Entry>,
    /// The last key of this page, when there are more after it.
    pub next: Option<String>,
}

/// A write that took effect and is as durable as was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// Where it was sequenced: the first copy known there.
    pub dot: Dot,
    /// It had taken effect before; nothing was done now.
    pub repeated: bool,
    /// There was more to clear than one transaction may name: write the same again, as a new write, for the rest.
    pub incomplete: bool,
    /// The node that answered.
    pub replica: String,
    /// The value of the first change's key after the write, if that was asked for and the key exists.
    pub value: Option<Found>,
}

impl Found {
    /// The value as a type of one's own.
    ///
    /// # Errors
    /// [`ClientError::Type`], naming the key.
    pub fn parse<T: DeserializeOwned>(self, key: &str) -> Result<T, ClientError> {
        serde_json::from_value(self.value)
            .map_err(|error| ClientError::Type { key: key.to_owned(), error: error.to_string() })
    }

    /// What a replica showed of that key; `None` when it is malformed. `path` is the collection's name or `name~kind`.
    pub(crate) fn from_shown(shown: Shown, path: &str, key: &str) -> Option<Self> {
        let value = if shown.truncated { serde_json::Value::Null } else { read_json(shown.json.as_bytes()).ok()? };
        // A context names the collection without its kind.
        let collection = path.split('~').next().unwrap_or(path);
        let context = shown.context.map(|text| Context::decode(&text, collection, key)).transpose().ok()?;
        let Shown { conflicts, overflow, truncated, .. } = shown;
        Some(Self { value, conflicts, overflow, truncated, context })
    }
}

impl Page {
    pub(crate) fn from_answer(page: anabranch_protocol::Page, path: &str) -> Option<Self> {
        let entry = |(key, shown): (String, Shown)| {
            let found = Found::from_shown(shown, path, &key)?;
            Some(Entry { key, found })
        };
        let entries = page.items.into_iter().map(entry).collect::<Option<_>>()?;
        Some(Self { entries, next: page.next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str, context: Option<String>) -> Shown {
        Shown { json: json.into(), conflicts: 2, overflow: false, truncated: false, context }
    }

    #[test]
    fn values_and_contexts_are_read() {
        let context = Context::default();
        let shown = shown("[1,2]", Some(context.encode("c", "k")));
        let found = Found::from_shown(shown.clone(), "c~register", "k").expect("sound");
        assert_eq!((found.context.as_ref(), found.conflicts), (Some(&context), 2));
        assert_eq!(found.clone().parse::<Vec<i64>>("k"), Ok(vec![1, 2]));
        assert!(matches!(found.parse::<String>("k"), Err(ClientError::Type { .. })));
        assert_eq!(Found::from_shown(shown, "c", "other"), None, "another key's context");
    }

    #[test]
    fn what_is_malformed_is_noticed() {
        assert_eq!(Found::from_shown(shown("{", None), "c", "k"), None);
        assert_eq!(Found::from_shown(shown("1", Some("x".into())), "c", "k"), None);
        let left_out = Shown { truncated: true, ..shown("", None) };
        assert!(Found::from_shown(left_out, "c", "k").is_some_and(|found| found.value.is_null()));
    }
}
