//! How rows lie in the store.
//!
//! Nearly always one row survives under a subkey: the value of a register, a member of a set. That row lies in a *slot*,
//! under a key without its tag: reading it is one look-up, and superseding it with another overwrites the slot instead
//! of leaving a deletion beside an insertion. Further rows under the same subkey lie beside the slot, each under its
//! tag, and the slot counts them. Which row has the slot depends on the order of arrival; what the rows *are* does not.

use crate::keys;
use crate::store::{Read, Space, StoreError};
use crate::view::{Place, View};
use anabranch_causality::{DecodeError, Hlc, OperationId, Origin, Reader, Tag, Writer};
use std::borrow::Cow;
use std::ops::ControlFlow;

const SUM: u8 = 0;
const SLOT: u8 = 1;
/// The head of a pile: see [`crate::pile`].
pub(crate) const PILE: u8 = 2;
/// A slot whose row stands where its operation was numbered: the tag says nothing more than the dot.
const OWN_SLOT: u8 = 3;

/// A row's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowValue {
    /// The lowest stamp among the operation's copies.
    pub stamp: Hlc,
    /// Where the copy with that stamp was sequenced.
    pub origin: Origin,
    /// Its sequence number there.
    pub seq: u64,
    /// What the row holds.
    pub payload: Vec<u8>,
}

/// What lies under a key of the rows space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// A sum.
    Sum(Vec<u8>),
    /// A part of a pile.
    Pile,
    /// A row and its tag.
    Row(Tag, RowValue),
}

/// The subkey and what lies there, from what [`keys::split_key`] left of a key, and its value.
///
/// # Errors
/// [`StoreError`] when the bytes cannot be that.
pub fn read(rest: &[u8], value: &[u8]) -> Result<(Vec<u8>, Stored), StoreError> {
    let (subkey, of_subkey) = keys::split_rest(rest)?;
    if keys::is_of_pile(of_subkey) || (of_subkey.is_empty() && value.first() == Some(&PILE)) {
        return Ok((subkey, Stored::Pile));
    }
    let (subkey, tag) = keys::split_subkey(rest)?;
    let stored = match (tag, value.split_first()) {
        (Some(tag), _) => Stored::Row(tag, RowRef::decode(value)?.into()),
        (None, Some((&SUM, sum))) => Stored::Sum(sum.to_vec()),
        (None, _) => {
            let slot = SlotRef::decode(value)?;
            Stored::Row(slot.tag, slot.row.into())
        }
    };
    Ok((subkey, stored))
}

/// The sum under a subkey.
pub(crate) fn sum(read: &dyn Read, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    match read.get(Space::Rows, key)? {
        None => Ok(None),
        Some(bytes) if bytes.first() == Some(&SUM) => Ok(Some(bytes[1..].to_vec())),
        Some(_) => Err(StoreError::corrupt("a row where a sum should be")),
    }
}

/// The bytes of a sum.
pub(crate) fn encode_sum(sum: &[u8]) -> Vec<u8> {
    [&[SUM], sum].concat()
}

/// Visits the rows under one subkey.
pub(crate) fn visit_subkey(
    read: &dyn Read,
    prefix: &[u8],
    visit: &mut dyn FnMut(&Tag, RowRef<'_>) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut more = Ok(0);
    read.look(Space::Rows, prefix, &mut |bytes| {
        more = SlotRef::decode(bytes).map(|slot| match visit(&slot.tag, slot.row) {
            ControlFlow::Continue(()) => slot.more,
            ControlFlow::Break(()) => 0,
        });
    })?;
    if more? == 0 {
        return Ok(());
    }
    let mut failed = None;
    read.scan(Space::Rows, prefix, &keys::after(prefix), &mut |key, value| match read_beside(prefix, key, value) {
        Ok(Some((tag, row))) => visit(&tag, row),
        Ok(None) => ControlFlow::Continue(()),
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(()), Err)
}

/// A row beside its slot; `None` for the slot itself.
fn read_beside<'a>(prefix: &[u8], key: &[u8], value: &'a [u8]) -> Result<Option<(Tag, RowRef<'a>)>, StoreError> {
    let rest = key.strip_prefix(prefix).ok_or_else(|| StoreError::corrupt("a row out of place"))?;
    if rest.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader::new(rest);
    let tag = Tag::decode(&mut reader).map_err(|error| StoreError::corrupt(format!("a row's tag: {error}")))?;
    Ok(Some((tag, RowRef::decode(value)?)))
}

/// The rows under one subkey, for changing. Its slot is read once, and written once by [`Subkey::close`]; until then
/// nobody else may look at these rows.
pub(crate) struct Subkey<'a> {
    /// Where the slot is: with this key begin those of all these rows.
    place: Place,
    slot: Option<Slot<'a>>,
    /// The slot is not what lies in the store.
    changed: bool,
    /// Which rows there are has changed while there were several.
    shared: bool,
}

impl<'a> Subkey<'a> {
    /// Opens the rows under that prefix.
    pub(crate) fn open(view: &View<'_>, prefix: Vec<u8>) -> Result<Self, StoreError> {
        let (place, mut slot) = ((Space::Rows, prefix), Ok(None));
        view.look(&place, &mut |bytes| {
            slot = SlotRef::decode(bytes).map(|slot| Some(slot.into()));
        })?;
        Ok(Self { slot: slot?, place, changed: false, shared: false })
    }

    /// Writes what has changed. The prefix comes back when which rows there are has changed while there were several,
    /// before or after: the index of conflicts wants to know.
    pub(crate) fn close(self, view: &mut View<'_>) -> Option<Vec<u8>> {
        let shared = self.shared.then(|| self.place.1.clone());
        if self.changed {
            view.set_at(self.place, self.slot.as_ref().map(Slot::encode));
        }
        shared
    }

    fn beside(&self, tag: &Tag) -> Vec<u8> {
        let mut writer = Writer::append_to(self.place.1.clone());
        tag.encode(&mut writer);
        writer.into_bytes()
    }

    /// The row with that tag.
    pub(crate) fn get(&self, view: &View<'_>, tag: &Tag) -> Result<Option<RowValue>, StoreError> {
        match &self.slot {
            None => Ok(None),
            Some(slot) if slot.tag == *tag => Ok(Some(slot.row.clone().into())),
            Some(slot) if slot.more == 0 => Ok(None),
            Some(_) => {
                let found = view.get(Space::Rows, &self.beside(tag))?;
                found.map(|bytes| RowRef::decode(&bytes).map(RowValue::from)).transpose()
            }
        }
    }

    /// Puts a row, in place of the one with that tag if there is one.
    pub(crate) fn put(&mut self, view: &mut View<'_>, tag: &Tag, row: Row<'a>) -> Result<(), StoreError> {
        match &mut self.slot {
            None => {
                self.slot = Some(Slot { more: 0, tag: *tag, row });
                self.changed = true;
            }
            Some(slot) if slot.tag == *tag => {
                slot.row = row;
                self.changed = true;
            }
            Some(Slot { more, .. }) => {
                let more = *more;
                let key = self.beside(tag);
                self.shared = true;
                if more == 0 || view.get(Space::Rows, &key)?.is_none() {
                    self.count(more + 1);
                }
                view.set(Space::Rows, key, Some(row.encode()));
            }
        }
        Ok(())
    }

    /// Removes the row with that tag, and says what it was.
    pub(crate) fn remove(&mut self, view: &mut View<'_>, tag: &Tag) -> Result<Option<RowValue>, StoreError> {
        let Some(slot) = &self.slot else { return Ok(None) };
        let more = slot.more;
        self.shared |= more > 0;
        if slot.tag == *tag {
            let next = if more == 0 { None } else { self.take_beside(view, more)? };
            self.changed = true;
            return Ok(std::mem::replace(&mut self.slot, next).map(|slot| slot.row.into()));
        }
        if more == 0 {
            return Ok(None);
        }
        let key = self.beside(tag);
        let Some(bytes) = view.get(Space::Rows, &key)? else { return Ok(None) };
        view.set(Space::Rows, key, None);
        self.count(more - 1);
        Ok(Some(RowRef::decode(&bytes)?.into()))
    }

    /// So many rows lie beside the slot.
    fn count(&mut self, more: u64) {
        if let Some(slot) = &mut self.slot {
            slot.more = more;
            self.changed = true;
        }
    }

    /// Takes the first row beside the slot: it gets the slot, when `more` were counted.
    fn take_beside(&self, view: &mut View<'_>, more: u64) -> Result<Option<Slot<'a>>, StoreError> {
        let (prefix, mut first) = (&self.place.1, Ok(None));
        view.reader().scan(Space::Rows, prefix, &keys::after(prefix), &mut |key, value| {
            first = read_beside(prefix, key, value).map(|found| found.map(|(tag, row)| (tag, row.into())));
            if first == Ok(None) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        let (tag, row) = first?.ok_or_else(|| StoreError::corrupt("a slot counts rows that are not there"))?;
        view.set(Space::Rows, self.beside(&tag), None);
        Ok(Some(Slot { more: more - 1, tag, row }))
    }
}

/// The first row under a subkey, and how many lie beside it.
struct Slot<'a> {
    more: u64,
    tag: Tag,
    row: Row<'a>,
}

/// A [`RowValue`] whose payload is that of an effect, where it comes from one.
#[derive(Clone, PartialEq)]
pub(crate) struct Row<'a> {
    pub(crate) stamp: Hlc,
    pub(crate) origin: Origin,
    pub(crate) seq: u64,
    pub(crate) payload: Cow<'a, [u8]>,
}

/// The same as it lies in the store.
struct SlotRef<'a> {
    more: u64,
    tag: Tag,
    row: RowRef<'a>,
}

/// A [`RowValue`] as it lies in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowRef<'a> {
    pub(crate) stamp: Hlc,
    pub(crate) origin: Origin,
    seq: u64,
    pub(crate) payload: &'a [u8],
}

impl From<SlotRef<'_>> for Slot<'_> {
    fn from(SlotRef { more, tag, row }: SlotRef<'_>) -> Self {
        Self { more, tag, row: row.into() }
    }
}

impl From<RowRef<'_>> for Row<'_> {
    fn from(RowRef { stamp, origin, seq, payload }: RowRef<'_>) -> Self {
        Self { stamp, origin, seq, payload: Cow::Owned(payload.to_vec()) }
    }
}

impl From<Row<'_>> for RowValue {
    fn from(Row { stamp, origin, seq, payload }: Row<'_>) -> Self {
        Self { stamp, origin, seq, payload: payload.into_owned() }
    }
}

impl From<RowRef<'_>> for RowValue {
    fn from(RowRef { stamp, origin, seq, payload }: RowRef<'_>) -> Self {
        Self { stamp, origin, seq, payload: payload.to_vec() }
    }
}

impl<'a> From<&'a RowValue> for RowRef<'a> {
    fn from(row: &'a RowValue) -> Self {
        Self { stamp: row.stamp, origin: row.origin, seq: row.seq, payload: &row.payload }
    }
}

impl Slot<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(64 + self.row.payload.len());
        if self.tag.operation == OperationId::numbered(self.row.origin, self.row.seq) {
            writer.u8(OWN_SLOT).varint(self.more).varint(u64::from(self.tag.position));
        } else {
            writer.u8(SLOT).varint(self.more);
            self.tag.encode(&mut writer);
        }
        self.row.write(&mut writer);
        writer.into_bytes()
    }
}

impl<'a> SlotRef<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let read = || -> Result<Self, DecodeError> {
            let mut reader = Reader::new(bytes);
            let form = reader.u8("slot")?;
            let more = reader.varint("rows beside")?;
            match form {
                SLOT => {
                    let tag = Tag::decode(&mut reader)?;
                    Ok(Self { more, tag, row: RowRef::read(reader)? })
                }
                OWN_SLOT => {
                    let position = reader.varint("position")?;
                    let position = u32::try_from(position).map_err(|_| DecodeError::TooLarge("position"))?;
                    let row = RowRef::read(reader)?;
                    let operation = OperationId::numbered(row.origin, row.seq);
                    Ok(Self { more, tag: Tag { operation, position }, row })
                }
                _ => Err(DecodeError::Invalid("slot")),
            }
        };
        read().map_err(|error| StoreError::corrupt(format!("a row: {error}")))
    }
}

impl Row<'_> {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(26 + self.payload.len());
        self.write(&mut writer);
        writer.into_bytes()
    }

    fn write(&self, writer: &mut Writer) {
        writer.u64(self.stamp.0).u64(self.origin.0).varint(self.seq).raw(&self.payload);
    }
}

impl<'a> RowRef<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, StoreError> {
        Self::read(Reader::new(bytes)).map_err(|error| StoreError::corrupt(format!("a row: {error}")))
    }

    fn read(mut reader: Reader<'a>) -> Result<Self, DecodeError> {
        let (stamp, origin) = (Hlc(reader.u64("stamp")?), Origin(reader.u64("origin")?));
        let seq = reader.varint("sequence number")?;
        Ok(Self { stamp, origin, seq, payload: reader.rest() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::CollectionId;
    use crate::store::{Batch, Visit};
    use anabranch_causality::Actor;

    /// A store with nothing in it: all that the tests write stays in the batch.
    struct Empty;

    impl Read for Empty {
        fn get(&self, _: Space, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(None)
        }
        fn scan(&self, _: Space, _: &[u8], _: &[u8], _: Visit<'_>) -> Result<(), StoreError> {
            Ok(())
        }
        fn scan_back(&self, _: Space, _: &[u8], _: &[u8], _: Visit<'_>) -> Result<(), StoreError> {
            Ok(())
        }
        fn log(&self, _: u64, _: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
            Ok(())
        }
    }

    fn tag(counter: u64) -> Tag {
        let operation = OperationId { actor: Actor::Leader(Origin(1)), counter, hash: 0 };
        Tag { operation, position: 0 }
    }

    fn row(seq: u64) -> RowValue {
        RowValue { stamp: Hlc(seq), origin: Origin(1), seq, payload: vec![seq as u8] }
    }

    fn put_row(subkey: &mut Subkey<'_>, view: &mut View<'_>, seq: u64) {
        let RowValue { stamp, origin, seq, payload } = row(seq);
        let row = Row { stamp, origin, seq, payload: payload.into() };
        subkey.put(view, &tag(seq), row).expect("put");
    }

    fn all(view: &View<'_>) -> Vec<(Tag, RowValue)> {
        let mut found = Vec::new();
        let prefix = keys::subkey_prefix(CollectionId(1), "k", b"s");
        visit_subkey(&view.reader(), &prefix, &mut |tag, row| {
            found.push((*tag, RowValue::from(row)));
            ControlFlow::Continue(())
        })
        .expect("rows");
        found.sort_by_key(|(tag, _)| *tag);
        found
    }

    #[test]
    fn slots_have_these_bytes() {
        let (origin, dot) = (Origin(0x0102), [0x02, 0x01, 0, 0, 0, 0, 0, 0, 0xac, 0x02]);
        let row = || Row { stamp: Hlc(7), origin, seq: 300, payload: b"p".into() };
        let operation = |counter| OperationId { actor: Actor::Leader(origin), counter, hash: 0 };
        let bytes =
            |counter| Slot { more: 5, tag: Tag { operation: operation(counter), position: 1 }, row: row() }.encode();
        assert_eq!(bytes(300), [&[3, 5, 1, 7, 0, 0, 0, 0, 0, 0, 0][..], &dot, b"p"].concat(), "its own number");
        let mut other = Writer::new();
        Tag { operation: operation(299), position: 1 }.encode(&mut other);
        let expected = [&[1, 5][..], other.as_bytes(), &[7, 0, 0, 0, 0, 0, 0, 0], &dot, b"p"].concat();
        assert_eq!(bytes(299), expected, "a copy was sequenced earlier, elsewhere");
        for counter in [299, 300] {
            let bytes = bytes(counter);
            let back = SlotRef::decode(&bytes).expect("a slot");
            assert_eq!((back.more, back.tag.operation, back.tag.position), (5, operation(counter), 1));
            assert_eq!(RowValue::from(back.row), row().into());
        }
    }

    /// Every order of putting and removing three rows leaves what a plain map would hold.
    #[test]
    fn slots_and_rows_beside_act_like_a_map() {
        for code in 0..6u32.pow(5) {
            let mut batch = Batch::default();
            let mut view = View::new(&Empty, &mut batch);
            let mut model = std::collections::BTreeMap::new();
            let mut rest = code;
            for _ in 0..5 {
                let (which, put) = (u64::from(rest % 3) + 1, rest % 6 >= 3);
                rest /= 6;
                let prefix = keys::subkey_prefix(CollectionId(1), "k", b"s");
                let mut subkey = Subkey::open(&view, prefix).expect("a slot");
                assert_eq!(subkey.get(&view, &tag(which)), Ok(model.get(&tag(which)).cloned()));
                if put {
                    put_row(&mut subkey, &mut view, which);
                    model.insert(tag(which), row(which));
                } else {
                    assert_eq!(subkey.remove(&mut view, &tag(which)), Ok(model.remove(&tag(which))));
                }
                subkey.close(&mut view);
                assert_eq!(all(&view), model.clone().into_iter().collect::<Vec<_>>());
            }
        }
    }
}
