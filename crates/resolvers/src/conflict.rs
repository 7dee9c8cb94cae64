//! Conflicts: what only a person can decide, with the options side by side.

use anabranch_causality::{DecodeError, Hlc, Tag, Writer, hash64};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// Names a conflict: a hash of its options' tags. When the options change, it is another conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConflictId(pub [u8; Self::BYTES]);

impl ConflictId {
    /// How many bytes it has; its text has twice as many hexadecimal digits.
    pub const BYTES: usize = 16;

    /// The id of the conflict between these versions, in any order.
    #[must_use]
    pub fn of(tags: impl IntoIterator<Item = Tag>) -> Self {
        let mut tags: Vec<Tag> = tags.into_iter().collect();
        tags.sort_unstable();
        tags.dedup();
        let mut writer = Writer::new();
        for tag in &tags {
            tag.encode(&mut writer);
        }
        let mut id = [0; Self::BYTES];
        id[..8].copy_from_slice(&hash64("anabranch conflict 1", &[writer.as_bytes()]).to_be_bytes());
        id[8..].copy_from_slice(&hash64("anabranch conflict 2", &[writer.as_bytes()]).to_be_bytes());
        Self(id)
    }
}

impl fmt::Display for ConflictId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for ConflictId {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let invalid = DecodeError::Invalid("conflict id");
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() != 2 * Self::BYTES || !text.bytes().all(is_hex) {
            return Err(invalid);
        }
        u128::from_str_radix(text, 16).map(|number| Self(number.to_be_bytes())).map_err(|_| invalid)
    }
}

/// What stands in conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// Its id.
    pub id: ConflictId,
    /// Which part of the key: a map's field; empty for the whole key.
    pub subkey: Vec<u8>,
    /// From when on there was something to decide: the stamp of the second version of those that stand.
    pub since: Hlc,
    /// What can be chosen, each value once, oldest first.
    pub options: Vec<Choice>,
    /// Former resolutions that contradict each other or what came beside them, oldest first: what each keeps, who and why.
    pub outcomes: Vec<Decided>,
}

/// One option of a conflict: versions of one value.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its name, unique in the conflict.
    pub id: String,
    /// What would be.
    pub value: Value,
    /// The versions that say so, oldest first.
    pub tags: Vec<Tag>,
    /// The stamp of the oldest of them.
    pub stamp: Hlc,
    /// Who wrote it, when the kind's operations say.
    pub by: Option<String>,
}

/// What somebody decided before.
#[derive(Clone, Debug, PartialEq)]
pub struct Decided {
    /// The options that were kept.
    pub keep: Vec<String>,
    /// Who.
    pub by: Option<String>,
    /// Why.
    pub note: Option<String>,
    /// When.
    pub stamp: Hlc,
}

/// What the index of open conflicts holds for a kind. The index is derived from rows alone, for a collection's resolver can
/// change at any time without touching them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Indexed {
    /// Nothing: the kind makes no conflicts.
    #[default]
    Never,
    /// Each subkey under which several versions survive: one conflict each, of all of them.
    Subkeys,
    /// What [`crate::Resolver::conflicts`] says of a key.
    Keys,
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Actor, OperationId, Origin};

    fn tag(counter: u64) -> Tag {
        Tag { operation: OperationId { actor: Actor::Leader(Origin(9)), counter, hash: 0 }, position: 0 }
    }

    #[test]
    fn an_id_depends_on_the_versions_alone() {
        let id = ConflictId::of([tag(1), tag(2)]);
        assert_eq!(ConflictId::of([tag(2), tag(1), tag(2)]), id);
        assert_ne!(ConflictId::of([tag(1), tag(3)]), id);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string(), "14f481d75efc2df6b2e97383166a8fae");
        for text in ["", "0", &"g".repeat(32), &"A".repeat(32), &"+".repeat(32)] {
            assert!(text.parse::<ConflictId>().is_err(), "{text}");
        }
    }
}
