//! Transactions of one message, packed: each says only what the one before it does not say already.
//!
//! Works on the bytes of [`Transaction::encode`](crate::Transaction::encode) and gives back the same, to the byte: what is
//! logged, hashed and compared is never the packed form. Bytes that are no transaction of this build's version go through
//! as they are. As everywhere, a value has one form only.

mod lists;
mod parts;

use crate::bytes::{DecodeError, Reader, Writer};
use crate::ids::{Actor, OperationId, Tag};
use crate::transaction::{self, MAX_EFFECTS};
use lists::Lists;
use parts::{EffectParts, Parts, decode_effect_start, dependencies, lineage, session};

/// The stamp is not one more than the last.
const STAMP: u8 = 1;
/// The dot does not follow the last.
const DOT: u8 = 2;
/// Another byte of these follows.
const MORE: u8 = 4;
/// Not packed.
const RAW: u8 = 8;
/// The first effect's collection is not the last one's.
const NAME: u8 = 16;
/// Where the form of the first effect's lists stands.
const FORM: u32 = 5;

/// In the other byte: the operation is a session's.
const SESSION: u8 = 1;
/// There are dependencies.
const DEPENDENCIES: u8 = 2;
/// There is not exactly one effect.
const COUNT: u8 = 4;

/// Forms of tags; larger numbers count back from the transaction's own number.
const TAG_WHOLE: u64 = 0;
const TAG_OF_LAST_ORIGIN: u64 = 1;

/// What the transactions before said.
#[derive(Clone, Copy, Debug, Default)]
struct Context<'a> {
    /// Shard, origin and number.
    dot: Option<(u64, u64, u64)>,
    stamp: u64,
    collection: Option<(&'a [u8], u8)>,
    /// The origin of the last tag that was written whole.
    tag_origin: Option<u64>,
}

impl Context<'_> {
    fn next_dot(&self) -> Option<(u64, u64, u64)> {
        self.dot.map(|(shard, origin, seq)| (shard, origin, seq.wrapping_add(1)))
    }

    fn next_stamp(&self) -> u64 {
        self.dot.map_or(0, |_| self.stamp.wrapping_add(1))
    }
}

/// Packs transactions one behind another.
#[derive(Debug, Default)]
pub struct Packer<'a> {
    context: Context<'a>,
}

impl<'a> Packer<'a> {
    /// Appends a transaction.
    pub fn pack(&mut self, transaction: &'a [u8], writer: &mut Writer) {
        match Parts::read(transaction) {
            Ok(parts) => self.write(&parts, writer),
            Err(_) => drop(writer.u8(RAW).bytes(transaction)),
        }
    }

    fn write(&mut self, parts: &Parts<'a>, writer: &mut Writer) {
        let before = self.context;
        let (stamp, dot) = (parts.stamp.wrapping_sub(before.next_stamp()), (parts.shard, parts.origin, parts.seq));
        let mut effects = parts.effects();
        let first = effects.next();
        let mut head = first.as_ref().map_or(0, |effect| self.effect_head(effect));
        head |= if stamp == 0 { 0 } else { STAMP };
        head |= if before.next_dot() == Some(dot) { 0 } else { DOT };
        let mut more = if parts.session.is_empty() { 0 } else { SESSION };
        more |= if parts.dependencies.is_empty() { 0 } else { DEPENDENCIES };
        more |= if parts.count == 1 { 0 } else { COUNT };
        head |= if more == 0 { 0 } else { MORE };
        writer.u8(head);
        if more != 0 {
            writer.u8(more);
        }
        if head & DOT != 0 {
            writer.varint(parts.shard).u64(parts.origin).varint(parts.seq);
        }
        if stamp != 0 {
            writer.signed(stamp as i64);
        }
        writer.raw(parts.session).raw(parts.dependencies).raw(parts.lineage);
        if more & COUNT != 0 {
            writer.varint(parts.count as u64);
        }
        (self.context.dot, self.context.stamp) = (Some(dot), parts.stamp);
        if let Some(effect) = first {
            self.write_effect(&effect, head & NAME != 0, writer);
        }
        for effect in effects {
            let head = self.effect_head(&effect);
            writer.u8(head);
            self.write_effect(&effect, head & NAME != 0, writer);
        }
    }

    fn effect_head(&self, effect: &EffectParts<'_>) -> u8 {
        let known = self.context.collection == Some((effect.name, effect.kind));
        effect.lists.form() << FORM | if known { 0 } else { NAME }
    }

    fn write_effect(&mut self, effect: &EffectParts<'a>, named: bool, writer: &mut Writer) {
        if named {
            writer.bytes(effect.name).u8(effect.kind);
            self.context.collection = Some((effect.name, effect.kind));
        }
        writer.bytes(effect.key);
        let context = &mut self.context;
        effect.lists.write(writer, &mut |tag, writer| write_tag(context, tag, writer));
    }
}

fn own_seq(context: &Context<'_>) -> (u64, u64) {
    context.dot.map_or((0, 0), |(_, origin, seq)| (origin, seq))
}

/// How many numbers a row of this transaction's own origin lies back, if its tag is one.
fn back(context: &Context<'_>, tag: &Tag) -> Option<u64> {
    let (origin, seq) = own_seq(context);
    match tag.operation.actor {
        Actor::Leader(of) if of.0 == origin && tag.position == 0 => {
            seq.checked_sub(tag.operation.counter).filter(|back| *back > 0)
        }
        _ => None,
    }
}

fn write_tag(context: &mut Context<'_>, tag: &Tag, writer: &mut Writer) {
    if let Some(back) = back(context, tag) {
        writer.varint(back + TAG_OF_LAST_ORIGIN);
        return;
    }
    match tag.operation.actor {
        Actor::Leader(origin) if context.tag_origin == Some(origin.0) => {
            writer.varint(TAG_OF_LAST_ORIGIN).varint(tag.operation.counter).varint(u64::from(tag.position));
        }
        actor => {
            writer.varint(TAG_WHOLE);
            tag.encode(writer);
            if let Actor::Leader(origin) = actor {
                context.tag_origin = Some(origin.0);
            }
        }
    }
}

fn read_tag(context: &mut Context<'_>, reader: &mut Reader<'_>) -> Result<Tag, DecodeError> {
    const WHAT: &str = "packed tag";
    let (origin, seq) = own_seq(context);
    let at_least_one = |counter| if counter == 0 { Err(DecodeError::Invalid(WHAT)) } else { Ok(counter) };
    let leader = |origin: u64, counter: u64, position: u32| Tag {
        operation: OperationId::numbered(crate::ids::Origin(origin), counter),
        position,
    };
    let tag = match reader.varint(WHAT)? {
        TAG_WHOLE => {
            let tag = Tag::decode(reader)?;
            if let Actor::Leader(origin) = tag.operation.actor
                && context.tag_origin.replace(origin.0) == Some(origin.0)
            {
                return Err(DecodeError::Invalid(WHAT));
            }
            tag
        }
        TAG_OF_LAST_ORIGIN => {
            let origin = context.tag_origin.ok_or(DecodeError::Invalid(WHAT))?;
            let counter = at_least_one(reader.varint(WHAT)?)?;
            let position = u32::try_from(reader.varint(WHAT)?).map_err(|_| DecodeError::TooLarge(WHAT))?;
            leader(origin, counter, position)
        }
        back => {
            let counter = seq.saturating_sub(back - TAG_OF_LAST_ORIGIN);
            return Ok(leader(origin, at_least_one(counter)?, 0));
        }
    };
    if back(context, &tag).is_some() { Err(DecodeError::Invalid(WHAT)) } else { Ok(tag) }
}

/// Unpacks what a [`Packer`] packed.
#[derive(Debug, Default)]
pub struct Unpacker<'a> {
    context: Context<'a>,
    buffer: Vec<u8>,
}

impl<'a> Unpacker<'a> {
    /// The next transaction's bytes. They may be many times as long as what is read: whoever unpacks several bounds their sum.
    ///
    /// # Errors
    /// [`DecodeError`]: no [`Packer`] wrote this.
    pub fn unpack(&mut self, reader: &mut Reader<'a>) -> Result<Vec<u8>, DecodeError> {
        let head = reader.u8("packed transaction")?;
        if head == RAW {
            let bytes = reader.bytes(transaction::MAX_BYTES, "transaction")?;
            let packable = Parts::read(bytes).is_ok();
            return if packable { Err(DecodeError::Invalid("packed transaction")) } else { Ok(bytes.to_vec()) };
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        let mut writer = Writer::append_to(buffer);
        self.read(head, reader, &mut writer)?;
        self.buffer = writer.into_bytes();
        if self.buffer.len() > transaction::MAX_BYTES {
            return Err(DecodeError::TooLarge("transaction"));
        }
        // As long as it is: many of them may wait.
        Ok(self.buffer.clone())
    }

    fn read(&mut self, head: u8, reader: &mut Reader<'a>, writer: &mut Writer) -> Result<(), DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("packed transaction");
        let more = if head & MORE == 0 { 0 } else { reader.u8("packed transaction")? };
        if head & RAW != 0 || (head & MORE != 0) != (more != 0) || more > (SESSION | DEPENDENCIES | COUNT) {
            return Err(INVALID);
        }
        let next = self.context.next_dot();
        let dot = match (head & DOT != 0, next) {
            (true, _) => (reader.varint("shard")?, reader.u64("origin")?, reader.varint("sequence number")?),
            (false, next) => next.ok_or(INVALID)?,
        };
        let stamp = if head & STAMP == 0 { 0 } else { reader.signed("stamp")? };
        if (head & DOT != 0 && next == Some(dot)) || (head & STAMP != 0) != (stamp != 0) {
            return Err(INVALID);
        }
        let stamp = self.context.next_stamp().wrapping_add(stamp as u64);
        (self.context.dot, self.context.stamp) = (Some(dot), stamp);
        parts::check_dot(dot)?;
        writer.u8(transaction::VERSION).varint(dot.0).u64(dot.1).varint(dot.2).u64(stamp);
        match more & SESSION {
            0 => writer.u8(0),
            _ => writer.u8(1).raw(session(reader)?),
        };
        match more & DEPENDENCIES {
            0 => writer.varint(0),
            _ => writer.raw(dependencies(reader)?),
        };
        writer.raw(lineage(reader, dot.2)?);
        let count = if more & COUNT == 0 { 1 } else { reader.count(MAX_EFFECTS, 2, "effects")? };
        if (more & COUNT != 0 && count == 1) || (count == 0 && head >= NAME) {
            return Err(INVALID);
        }
        writer.varint(count as u64);
        let mut position = 0;
        for number in 0..count {
            let head = if number == 0 { head & !(NAME - 1) } else { reader.u8("packed effect")? };
            if head & (NAME - 1) != 0 {
                return Err(INVALID);
            }
            self.read_effect(head, &mut position, reader, writer)?;
        }
        Ok(())
    }

    fn read_effect(
        &mut self,
        head: u8,
        position: &mut u64,
        reader: &mut Reader<'a>,
        writer: &mut Writer,
    ) -> Result<(), DecodeError> {
        const INVALID: DecodeError = DecodeError::Invalid("packed effect");
        if head & NAME != 0 {
            let named = Some(decode_effect_start(reader)?);
            if std::mem::replace(&mut self.context.collection, named) == named {
                return Err(INVALID);
            }
        }
        let (name, kind) = self.context.collection.ok_or(INVALID)?;
        let key = parts::key(reader)?;
        let context = &mut self.context;
        let lists = Lists::read(head >> FORM, *position, reader, &mut |reader| read_tag(context, reader))?;
        writer.bytes(name).u8(kind).bytes(key);
        lists.write_whole(writer, position);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
