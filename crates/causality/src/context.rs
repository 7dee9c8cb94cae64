//! Contexts: the versions of one key that an answer showed, as opaque text.

use crate::bytes::{DecodeError, Reader, Writer};
use crate::ids::Tag;
use crate::text;

const VERSION: u8 = 1;
const CHECKSUM: usize = 4;

/// What a client saw of one key: the tags of the versions that an answer listed. A write that carries it supersedes
/// exactly these, as far as its leader has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    tags: Vec<Tag>,
}

/// Why a text is not a context that can be used for this key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Not a context, or damaged on the way.
    #[error("this is not a context: {0}")]
    Bad(&'static str),
    /// A context of another key or collection.
    #[error("this context belongs to another key")]
    WrongKey,
}

impl Context {
    /// The most versions that a context names.
    pub const MAX_TAGS: usize = 256;
    /// The longest text that is looked at, in characters.
    pub const MAX_TEXT: usize = 16_384;

    /// A context of these versions. Beyond [`Context::MAX_TAGS`] the rest is left out: what is not named is not
    /// superseded, so list the most important first.
    #[must_use]
    pub fn new(tags: impl IntoIterator<Item = Tag>) -> Self {
        let mut tags: Vec<Tag> = tags.into_iter().take(Self::MAX_TAGS).collect();
        tags.sort_unstable();
        tags.dedup();
        Self { tags }
    }

    /// The versions, in ascending order.
    #[must_use]
    pub fn tags(&self) -> &[Tag] {
        &self.tags
    }

    /// Whether that version was seen.
    #[must_use]
    pub fn contains(&self, tag: &Tag) -> bool {
        self.tags.binary_search(tag).is_ok()
    }

    /// The text, bound to the key it is about.
    #[must_use]
    pub fn encode(&self, collection: &str, key: &str) -> String {
        let mut body = Writer::new();
        body.u8(VERSION).raw(&key_tag(collection, key)).varint(self.tags.len() as u64);
        for tag in &self.tags {
            tag.encode(&mut body);
        }
        let sum = checksum(body.as_bytes());
        body.raw(&sum);
        text::encode(body.as_bytes())
    }

    /// Reads a text that [`Context::encode`] made for that key.
    ///
    /// # Errors
    /// [`ContextError::WrongKey`] for a sound context of another key, [`ContextError::Bad`] for anything else.
    pub fn decode(text: &str, collection: &str, key: &str) -> Result<Self, ContextError> {
        let bytes = text::decode(text, Self::MAX_TEXT).ok_or(ContextError::Bad("not base64url, or too long"))?;
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(ContextError::Bad("too short"))?;
        if *sum != checksum(body) {
            return Err(ContextError::Bad("its checksum does not match"));
        }
        let (tag, tags) = decode_body(body).map_err(|_| ContextError::Bad("its content is malformed"))?;
        if tag == key_tag(collection, key) { Ok(Self { tags }) } else { Err(ContextError::WrongKey) }
    }
}

fn decode_body(body: &[u8]) -> Result<([u8; 8], Vec<Tag>), DecodeError> {
    let mut reader = Reader::new(body);
    match reader.u8("version")? {
        VERSION => {}
        version => return Err(DecodeError::Version { what: "context", version }),
    }
    let key = reader.array("key tag")?;
    let count = reader.count(Context::MAX_TAGS, Tag::MIN_BYTES, "versions")?;
    let mut tags: Vec<Tag> = Vec::with_capacity(count);
    for _ in 0..count {
        let tag = Tag::decode(&mut reader)?;
        if tags.last().is_some_and(|last| *last >= tag) {
            return Err(DecodeError::Invalid("order of versions"));
        }
        tags.push(tag);
    }
    reader.finish("context")?;
    Ok((key, tags))
}

fn key_tag(collection: &str, key: &str) -> [u8; 8] {
    text::hash("anabranch context key 1", &[collection.as_bytes(), key.as_bytes()])
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    text::hash("anabranch context checksum 1", &[body])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Actor, OperationId, Origin};

    fn tag(counter: u64) -> Tag {
        Tag { operation: OperationId { actor: Actor::Leader(Origin(9)), counter, hash: 0 }, position: 0 }
    }

    #[test]
    fn contexts_come_back_for_their_key_only() {
        let context = Context::new([tag(2), tag(1), tag(2)]);
        let text = context.encode("c", "k");
        assert_eq!(Context::decode(&text, "c", "k"), Ok(context));
        assert_eq!(Context::decode(&text, "c", "l"), Err(ContextError::WrongKey));
        assert!(matches!(Context::decode(&text[1..], "c", "k"), Err(ContextError::Bad(_))));
        assert!(matches!(Context::decode("", "c", "k"), Err(ContextError::Bad(_))));
    }

    #[test]
    fn golden_bytes() {
        assert_eq!(Context::new([tag(1)]).encode("c", "k"), GOLDEN);
    }
    const GOLDEN: &str = "Ac3sAFpeM5dbAQAJAAAAAAAAAAEA-Ngiyw";
}
