//! A transaction's bytes, taken apart without being copied.

use super::lists::Lists;
use crate::bytes::{DecodeError, Reader};
use crate::lineage::Lineage;
use crate::names;
use crate::transaction::{self, MAX_EFFECTS};
use crate::vector::VersionVector;

/// A transaction.
pub(super) struct Parts<'a> {
    pub(super) shard: u64,
    pub(super) origin: u64,
    pub(super) seq: u64,
    pub(super) stamp: u64,
    /// A session's operation id behind the kind of actor; empty for a leader's.
    pub(super) session: &'a [u8],
    /// The vector; empty when it names nothing.
    pub(super) dependencies: &'a [u8],
    pub(super) lineage: &'a [u8],
    pub(super) count: usize,
    effects: Reader<'a>,
}

/// An effect.
pub(super) struct EffectParts<'a> {
    pub(super) name: &'a [u8],
    pub(super) kind: u8,
    pub(super) key: &'a [u8],
    pub(super) lists: Lists<'a>,
}

impl<'a> Parts<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        if bytes.len() > transaction::MAX_BYTES {
            return Err(DecodeError::TooLarge("transaction"));
        }
        let mut reader = Reader::new(bytes);
        if reader.u8("version")? != transaction::VERSION {
            return Err(DecodeError::Invalid("version"));
        }
        let (shard, origin) = (reader.varint("shard")?, reader.u64("origin")?);
        let seq = reader.varint("sequence number")?;
        check_dot((shard, origin, seq))?;
        let stamp = reader.u64("stamp")?;
        let session: &[u8] = match reader.u8("actor kind")? {
            0 => &[],
            1 => session(&mut reader)?,
            _ => return Err(DecodeError::Invalid("actor kind")),
        };
        let dependencies: &[u8] = match reader.rest().first() {
            Some(0) => &reader.raw(1, "dependencies")?[1..],
            _ => dependencies(&mut reader)?,
        };
        let lineage = lineage(&mut reader, seq)?;
        let count = reader.count(MAX_EFFECTS, 6, "effects")?;
        let parts = Self { shard, origin, seq, stamp, session, dependencies, lineage, count, effects: reader };
        let mut reader = parts.effects.clone();
        let mut position = 0;
        for _ in 0..count {
            effect(&mut reader, &mut position)?;
        }
        reader.finish("transaction")?;
        Ok(parts)
    }

    /// The effects, which [`Parts::read`] has gone through.
    pub(super) fn effects(&self) -> impl Iterator<Item = EffectParts<'a>> {
        let (mut reader, mut position) = (self.effects.clone(), 0);
        (0..self.count).map_while(move |_| effect(&mut reader, &mut position).ok())
    }
}

fn effect<'a>(reader: &mut Reader<'a>, position: &mut u64) -> Result<EffectParts<'a>, DecodeError> {
    let (name, kind) = decode_effect_start(reader)?;
    let key = key(reader)?;
    Ok(EffectParts { name, kind, key, lists: Lists::read_whole(reader, position)? })
}

/// What every transaction's dot must be.
pub(super) fn check_dot((shard, _, seq): (u64, u64, u64)) -> Result<(), DecodeError> {
    if shard > u64::from(u16::MAX) || seq == 0 || seq == u64::MAX {
        return Err(DecodeError::Invalid("dot"));
    }
    Ok(())
}

/// A collection's name and kind.
pub(super) fn decode_effect_start<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], u8), DecodeError> {
    Ok((reader.bytes(names::MAX_COLLECTION, "collection")?, reader.u8("kind")?))
}

pub(super) fn key<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    reader.bytes(names::MAX_KEY, "key")
}

/// A session's operation id.
pub(super) fn session<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    passed(reader, |reader| {
        reader.raw(16, "session")?;
        reader.varint("counter")?;
        reader.u64("request hash").map(drop)
    })
}

/// A vector that names something.
pub(super) fn dependencies<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    passed(reader, |reader| {
        let count = reader.count(VersionVector::MAX_ORIGINS, 9, "dependencies")?;
        for _ in 0..count {
            reader.u64("origin")?;
            reader.varint("sequence number")?;
        }
        if count == 0 { Err(DecodeError::Invalid("dependencies")) } else { Ok(()) }
    })
}

/// An origin's first transaction has a lineage, others have none.
pub(super) fn lineage<'a>(reader: &mut Reader<'a>, seq: u64) -> Result<&'a [u8], DecodeError> {
    passed(reader, |reader| if seq == 1 { Lineage::decode(reader).map(drop) } else { Ok(()) })
}

/// The bytes that `read` goes over.
pub(super) fn passed<'a>(
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>) -> Result<(), DecodeError>,
) -> Result<&'a [u8], DecodeError> {
    let before = reader.rest();
    read(reader)?;
    Ok(&before[..before.len() - reader.rest().len()])
}
