//! How piles lie in the store.
//!
//! Under the subkey's own key lies the *head*: what is known of the pile without reading it. After it come, at most, one
//! *snapshot* of what was merged, and the changes since, each under its number: so a change costs a small row and the
//! head, and all parts of a pile are one scan.

use crate::keys;
use crate::rows::PILE;
use crate::store::{Read, Space, StoreError};
use crate::view::View;
use anabranch_causality::{DecodeError, Reader, Writer};
use anabranch_resolvers::resolver::VisitPart;
use anabranch_resolvers::{Pile, PileHead, PilePart};
use std::ops::ControlFlow;

/// The head of the pile under `key`, if anything was ever piled up there.
pub(crate) fn head(read: &dyn Read, key: &[u8]) -> Result<Option<PileHead>, StoreError> {
    let bytes = read.get(Space::Rows, key)?;
    let head = bytes.map(|bytes| decode(&bytes)).transpose();
    head.map_err(|error| StoreError::corrupt(format!("a pile: {error}")))
}

/// Visits the snapshot and the changes; or only the changes from a number on.
pub(crate) fn visit(read: &dyn Read, key: &[u8], from: Option<u64>, visit: VisitPart<'_>) -> Result<(), StoreError> {
    let snapshot = keys::snapshot_key(key);
    let start = from.map_or_else(|| snapshot.clone(), |number| keys::change_key(key, number));
    read.scan(Space::Rows, &start, &keys::after(key), &mut |row, value| {
        visit(if row == snapshot { PilePart::Snapshot(value) } else { PilePart::Change(value) })
    })
}

/// Piles up one more change, and merges the pile if it is time.
pub(crate) fn push(view: &mut View<'_>, key: Vec<u8>, pile: &dyn Pile, change: &[u8]) -> Result<(), StoreError> {
    let mut now = head(&view.reader(), &key)?.unwrap_or_default();
    view.set(Space::Rows, keys::change_key(&key, now.next), Some(change.to_vec()));
    now.push(change);
    if pile.is_due(&now) {
        merge(view, &key, pile, &mut now)?;
    }
    view.set(Space::Rows, key, Some(encode(&now)));
    Ok(())
}

/// A pile that cannot be merged stays as it is: whoever reads it will say so, and nothing is lost.
fn merge(view: &mut View<'_>, key: &[u8], pile: &dyn Pile, head: &mut PileHead) -> Result<(), StoreError> {
    let (mut before, mut changes) = (None, Vec::new());
    visit(&view.reader(), key, None, &mut |part| {
        match part {
            PilePart::Snapshot(snapshot) => before = Some(snapshot.to_vec()),
            PilePart::Change(change) => changes.push(change.to_vec()),
        }
        ControlFlow::Continue(())
    })?;
    let Ok(snapshot) = pile.merge(before.as_deref(), &changes) else { return Ok(()) };
    for number in head.next - changes.len() as u64..head.next {
        view.set(Space::Rows, keys::change_key(key, number), None);
    }
    (head.changes, head.bytes, head.snapshot) = (0, 0, snapshot.len() as u64);
    view.set(Space::Rows, keys::snapshot_key(key), Some(snapshot));
    Ok(())
}

fn encode(head: &PileHead) -> Vec<u8> {
    let mut writer = Writer::with_capacity(24);
    writer.u8(PILE).varint(head.next).u64(head.mark);
    writer.varint(head.changes).varint(head.bytes).varint(head.snapshot);
    writer.into_bytes()
}

fn decode(bytes: &[u8]) -> Result<PileHead, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.u8("pile")? != PILE {
        return Err(DecodeError::Invalid("pile"));
    }
    let (next, mark) = (reader.varint("number")?, reader.u64("mark")?);
    let (changes, bytes) = (reader.varint("changes")?, reader.varint("bytes")?);
    let snapshot = reader.varint("snapshot")?;
    reader.finish("pile")?;
    Ok(PileHead { next, mark, changes, bytes, snapshot })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_have_these_bytes() {
        let head = PileHead { next: 300, mark: 0x0807_0605_0403_0201, changes: 2, bytes: 77, snapshot: 128 };
        let bytes = [2, 0xac, 2, 1, 2, 3, 4, 5, 6, 7, 8, 2, 77, 0x80, 1];
        assert_eq!(encode(&head), bytes);
        assert_eq!(decode(&bytes), Ok(head));
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(decode(&[&bytes[..], &[0]].concat()).is_err());
    }
}
