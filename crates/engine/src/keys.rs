//! How state is laid out in the store's spaces. The bytes are written down in `docs/formats.md`.

use crate::store::StoreError;
use anabranch_causality::{Origin, Reader, SessionId, Tag};

/// A collection's number in this replica's store. Another replica numbers its collections differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CollectionId(pub u32);

/// The prefix of all rows of a collection.
#[must_use]
pub fn collection_prefix(id: CollectionId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

/// The prefix of all rows of a key.
#[must_use]
pub fn key_prefix(id: CollectionId, key: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + key.len() + 48);
    bytes.extend_from_slice(&id.0.to_be_bytes());
    escape(&mut bytes, key.as_bytes());
    bytes
}

/// The prefix of all rows under a subkey; the key of its sum.
#[must_use]
pub fn subkey_prefix(id: CollectionId, key: &str, subkey: &[u8]) -> Vec<u8> {
    let mut bytes = key_prefix(id, key);
    escape(&mut bytes, subkey);
    bytes
}

/// The first key after all that start with `prefix`; empty when there is none.
#[must_use]
pub fn after(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// 0x00 becomes 0x00 0xff; 0x00 0x01 ends. Keeps the order of the bytes, and no text's end is inside another.
pub(crate) fn escape(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while rest.contains(&0) {
        let plain = rest.iter().take_while(|byte| **byte != 0).count();
        out.extend_from_slice(&rest[..plain]);
        out.extend_from_slice(&[0, 0xff]);
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
    out.extend_from_slice(&[0, 1]);
}

fn unescape<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], StoreError> {
    let mut at = 0;
    loop {
        let plain = bytes[at..].iter().take_while(|byte| **byte != 0).count();
        out.extend_from_slice(&bytes[at..at + plain]);
        at += plain;
        match bytes.get(at + 1) {
            Some(1) => return Ok(&bytes[at + 2..]),
            Some(0xff) => out.push(0),
            _ => return Err(StoreError::corrupt("a row's key has no end")),
        }
        at += 2;
    }
}

// A tag begins with 0 or 1.
const SNAPSHOT: u8 = 2;
const CHANGE: u8 = 3;

/// The key and the rest (subkey and tag) of a row's key.
///
/// # Errors
/// [`StoreError`] when the bytes cannot be a row's key.
pub fn split_key(bytes: &[u8]) -> Result<(String, &[u8]), StoreError> {
    let rest = bytes.get(4..).ok_or_else(|| StoreError::corrupt("a row's key is too short"))?;
    let mut key = Vec::new();
    let rest = unescape(rest, &mut key)?;
    let key = String::from_utf8(key).map_err(|_| StoreError::corrupt("a row's key is not UTF-8"))?;
    Ok((key, rest))
}

/// How long the part of a row's key is that all rows of its key begin with: [`key_prefix`].
///
/// # Errors
/// [`StoreError`] when the bytes cannot be a row's key.
pub(crate) fn key_length(bytes: &[u8]) -> Result<usize, StoreError> {
    let mut at = 4;
    while let Some(zero) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0)) {
        at += zero + 2;
        if bytes.get(at - 1) == Some(&1) {
            return Ok(at);
        }
    }
    Err(StoreError::corrupt("a row's key has no end"))
}

/// The subkey and what follows it from what [`split_key`] left.
pub(crate) fn split_rest(rest: &[u8]) -> Result<(Vec<u8>, &[u8]), StoreError> {
    let mut subkey = Vec::new();
    let rest = unescape(rest, &mut subkey)?;
    Ok((subkey, rest))
}

/// The subkey and the tag from what [`split_key`] left; no tag for a slot or a sum.
///
/// # Errors
/// [`StoreError`] when the bytes cannot be that.
pub fn split_subkey(rest: &[u8]) -> Result<(Vec<u8>, Option<Tag>), StoreError> {
    let (subkey, rest) = split_rest(rest)?;
    if rest.is_empty() {
        return Ok((subkey, None));
    }
    let mut reader = Reader::new(rest);
    let tag = Tag::decode(&mut reader).and_then(|tag| reader.finish("tag").map(|()| tag));
    Ok((subkey, Some(tag.map_err(|error| StoreError::corrupt(error.to_string()))?)))
}

/// The row of what a pile was merged to; its other rows start with the pile's own key, too.
#[must_use]
pub(crate) fn snapshot_key(pile: &[u8]) -> Vec<u8> {
    [pile, &[SNAPSHOT]].concat()
}

/// The row of a pile's change with that number.
#[must_use]
pub(crate) fn change_key(pile: &[u8], number: u64) -> Vec<u8> {
    [pile, &[CHANGE], &number.to_be_bytes()].concat()
}

/// Whether what follows a subkey in a row's key is a pile's, rather than a tag.
#[must_use]
pub(crate) fn is_of_pile(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(&(SNAPSHOT | CHANGE)))
}

/// The row of a session: the highest counter seen of it, now and then.
#[must_use]
pub fn session_key(session: &SessionId) -> Vec<u8> {
    session.0.to_vec()
}

/// The row of a session's operations with one counter: nearly always one.
#[must_use]
pub fn actor_key(session: &SessionId, counter: u64) -> Vec<u8> {
    [session.0.as_slice(), &counter.to_be_bytes()].concat()
}

/// The row that says where in the log an origin's transaction with that number (and some after it) is.
#[must_use]
pub fn index_key(origin: Origin, seq: u64) -> Vec<u8> {
    [origin.0.to_be_bytes(), seq.to_be_bytes()].concat()
}

/// Names of the rows in the meta space.
pub mod meta {
    /// Version vector, clock, log position, own origin: rewritten with every batch.
    pub const CLOCKS: &[u8] = b"clocks";
    /// Cluster and node that the data directory belongs to.
    pub const IDENTITY: &[u8] = b"identity";
    /// Digest buckets as of some log position.
    pub const DIGEST: &[u8] = b"digest";
    /// Prefix of a row per collection.
    pub const COLLECTION: &[u8] = b"collection/";
    /// Prefix of a row per origin: its lineage.
    pub const ORIGIN: &[u8] = b"origin/";
    /// Prefix of a row per parked collection.
    pub const PARKED: &[u8] = b"parked/";
    /// How far the index of conflicts covers the rows.
    pub const CONFLICTS: &[u8] = b"conflicts";
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Actor, OperationId, Writer};

    #[test]
    fn row_keys_come_apart_again_and_keep_their_order() {
        let operation = OperationId { actor: Actor::Leader(Origin(3)), counter: 4, hash: 0 };
        let tag = Tag { operation, position: 1 };
        let mut last = Vec::new();
        for (key, subkey) in [("a", &b""[..]), ("a", b"\0"), ("a", b"\0\x01x"), ("a", b"\x01"), ("a!", b""), ("b", b"")]
        {
            let mut writer = Writer::append_to(subkey_prefix(CollectionId(7), key, subkey));
            tag.encode(&mut writer);
            let bytes = writer.into_bytes();
            assert!(bytes > last);
            assert!(bytes.starts_with(&key_prefix(CollectionId(7), key)));
            let (found, rest) = split_key(&bytes).expect("a key");
            assert_eq!(key_length(&bytes), Ok(key_prefix(CollectionId(7), key).len()));
            assert_eq!((found.as_str(), split_subkey(rest)), (key, Ok((subkey.to_vec(), Some(tag)))));
            last = bytes;
        }
    }

    #[test]
    fn the_end_of_a_prefix_is_after_all_that_start_with_it() {
        assert_eq!(after(b"ab"), b"ac");
        assert_eq!(after(b"a\xff"), b"b");
        assert_eq!(after(b"\xff"), b"");
    }
}
