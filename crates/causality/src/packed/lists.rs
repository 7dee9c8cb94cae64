//! What an effect does: nearly always one of a few things, each of which is shorter to say than three lists.

use super::parts::passed;
use crate::bytes::{DecodeError, Reader, Writer};
use crate::ids::Tag;
use crate::transaction::{MAX_ADDS, MAX_PAYLOAD, MAX_SUBKEY, MAX_TAGS};

/// The lists of superseded tags, added rows and changes to sums. Added rows have the next position.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lists<'a> {
    /// Anything else, as it is, and the position after its last row.
    Whole(&'a [u8], u64),
    /// A row comes.
    Put { subkey: &'a [u8], payload: &'a [u8] },
    /// A row comes, another with its subkey goes.
    Replace { subkey: &'a [u8], tag: Tag, payload: &'a [u8] },
    /// A row goes.
    Take { subkey: &'a [u8], tag: Tag },
    /// The sum without a subkey changes.
    Fold { payload: &'a [u8] },
}

const WHOLE: u8 = 0;
const PUT: u8 = 1;
const REPLACE: u8 = 2;
const TAKE: u8 = 3;
const FOLD: u8 = 4;
/// More than these three for the same with a subkey, which otherwise is empty.
const WITH_SUBKEY: u8 = 4;

impl<'a> Lists<'a> {
    pub(super) fn form(&self) -> u8 {
        let with = |form: u8, subkey: &[u8]| if subkey.is_empty() { form } else { form + WITH_SUBKEY };
        match self {
            Self::Whole(..) => WHOLE,
            Self::Put { subkey, .. } => with(PUT, subkey),
            Self::Replace { subkey, .. } => with(REPLACE, subkey),
            Self::Take { subkey, .. } => with(TAKE, subkey),
            Self::Fold { .. } => FOLD,
        }
    }

    /// Appends them in their form.
    pub(super) fn write(&self, writer: &mut Writer, write_tag: &mut dyn FnMut(&Tag, &mut Writer)) {
        let (Self::Put { subkey, .. } | Self::Replace { subkey, .. } | Self::Take { subkey, .. }) = self else {
            match self {
                Self::Fold { payload } => writer.bytes(payload),
                Self::Whole(bytes, _) => writer.raw(bytes),
                _ => writer,
            };
            return;
        };
        if !subkey.is_empty() {
            writer.bytes(subkey);
        }
        if let Self::Replace { tag, .. } | Self::Take { tag, .. } = self {
            write_tag(tag, writer);
        }
        if let Self::Put { payload, .. } | Self::Replace { payload, .. } = self {
            writer.bytes(payload);
        }
    }

    /// Reads what [`Lists::write`] wrote.
    pub(super) fn read(
        form: u8,
        position: u64,
        reader: &mut Reader<'a>,
        read_tag: &mut dyn FnMut(&mut Reader<'a>) -> Result<Tag, DecodeError>,
    ) -> Result<Self, DecodeError> {
        if form == WHOLE {
            let lists = Self::read_whole(reader, &mut { position })?;
            let whole = matches!(lists, Self::Whole(..));
            return if whole { Ok(lists) } else { Err(DecodeError::Invalid("form of an effect")) };
        }
        if form == FOLD {
            return Ok(Self::Fold { payload: reader.bytes(MAX_PAYLOAD, "payload")? });
        }
        let subkey = if form > WITH_SUBKEY { reader.bytes(MAX_SUBKEY, "subkey")? } else { &[] };
        if form > WITH_SUBKEY && subkey.is_empty() {
            return Err(DecodeError::Invalid("subkey"));
        }
        let last = position <= u64::from(u32::MAX);
        let payload = |reader: &mut Reader<'a>| reader.bytes(MAX_PAYLOAD, "payload");
        match if form > WITH_SUBKEY { form - WITH_SUBKEY } else { form } {
            PUT | REPLACE if !last => Err(DecodeError::TooLarge("position")),
            PUT => Ok(Self::Put { subkey, payload: payload(reader)? }),
            REPLACE => Ok(Self::Replace { subkey, tag: read_tag(reader)?, payload: payload(reader)? }),
            _ => Ok(Self::Take { subkey, tag: read_tag(reader)? }),
        }
    }

    /// Appends them as a transaction has them, and moves the position behind their last row.
    pub(super) fn write_whole(&self, writer: &mut Writer, position: &mut u64) {
        if let Self::Whole(bytes, next) = self {
            writer.raw(bytes);
            *position = *next;
            return;
        }
        match self {
            Self::Replace { subkey, tag, .. } | Self::Take { subkey, tag } => {
                writer.varint(1).bytes(subkey).varint(1);
                tag.encode(writer);
            }
            _ => drop(writer.varint(0)),
        }
        match self {
            Self::Put { subkey, payload } | Self::Replace { subkey, payload, .. } => {
                writer.varint(1).varint(*position).bytes(subkey).bytes(payload);
                *position += 1;
            }
            _ => drop(writer.varint(0)),
        }
        match self {
            Self::Fold { payload } => writer.varint(1).bytes(&[]).bytes(payload),
            _ => writer.varint(0),
        };
    }

    /// Reads them as a transaction has them.
    pub(super) fn read_whole(reader: &mut Reader<'a>, position: &mut u64) -> Result<Self, DecodeError> {
        let (expected, mut found) = (*position, Found::default());
        let bytes = passed(reader, |reader| found.read(reader, position))?;
        let Found { tags, tag, adds, added, folds, fold } = found;
        let in_turn = added.filter(|(at, _, _)| *at == expected);
        Ok(match (tags, adds, folds) {
            (0, 1, 0) => in_turn.map(|(_, subkey, payload)| Self::Put { subkey, payload }),
            (1, 1, 0) => in_turn
                .zip(tag)
                .filter(|((_, subkey, _), (of, _))| subkey == of)
                .map(|((_, subkey, payload), (_, tag))| Self::Replace { subkey, tag, payload }),
            (1, 0, 0) => tag.map(|(subkey, tag)| Self::Take { subkey, tag }),
            (0, 0, 1) => fold.filter(|(subkey, _)| subkey.is_empty()).map(|(_, payload)| Self::Fold { payload }),
            _ => None,
        }
        .unwrap_or(Self::Whole(bytes, *position)))
    }
}

/// How many there are of each, and the last.
#[derive(Default)]
struct Found<'a> {
    tags: usize,
    tag: Option<(&'a [u8], Tag)>,
    adds: usize,
    added: Option<(u64, &'a [u8], &'a [u8])>,
    folds: usize,
    fold: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> Found<'a> {
    fn read(&mut self, reader: &mut Reader<'a>, position: &mut u64) -> Result<(), DecodeError> {
        for _ in 0..reader.count(MAX_TAGS, 2 + Tag::MIN_BYTES, "superseded subkeys")? {
            let subkey = reader.bytes(MAX_SUBKEY, "subkey")?;
            let count = reader.count(MAX_TAGS, Tag::MIN_BYTES, "superseded tags")?;
            if count == 0 {
                return Err(DecodeError::Invalid("superseded tags"));
            }
            for _ in 0..count {
                self.tag = Some((subkey, Tag::decode(reader)?));
            }
            self.tags += count;
        }
        self.adds = reader.count(MAX_ADDS, 3, "adds")?;
        for _ in 0..self.adds {
            let at = reader.varint("position")?;
            if at < *position || at > u64::from(u32::MAX) {
                return Err(DecodeError::Invalid("order of positions"));
            }
            *position = at + 1;
            let subkey = reader.bytes(MAX_SUBKEY, "subkey")?;
            self.added = Some((at, subkey, reader.bytes(MAX_PAYLOAD, "payload")?));
        }
        self.folds = reader.count(MAX_ADDS, 2, "folds")?;
        for _ in 0..self.folds {
            let subkey = reader.bytes(MAX_SUBKEY, "subkey")?;
            self.fold = Some((subkey, reader.bytes(MAX_PAYLOAD, "payload")?));
        }
        Ok(())
    }
}
