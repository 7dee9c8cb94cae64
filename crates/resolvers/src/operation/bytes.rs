//! The canonical bytes of operations: equal operations have equal bytes, and different ones different bytes.

use super::{
    Booking, MAX_BOOKING_BYTES, MAX_FIELD_BYTES, MAX_FIELDS, MAX_ITEM_BYTES, MAX_MEMBER_BYTES, MAX_MEMBERS,
    MAX_PERSON_BYTES, MAX_TEXT_BYTES, MAX_UPDATE_BYTES, MAX_VALUE_BYTES, Member, Operation, Resolution, Span,
};
use crate::json;
use anabranch_causality::{DecodeError, Reader, Writer};
use serde_json::Value;
use std::collections::BTreeMap;

/// The format version that this build writes.
const VERSION: u8 = 1;

// Numbers of operations. Part of the format: append only.
const PUT: u8 = 1;
const DELETE: u8 = 2;
const ADD: u8 = 3;
const ADD_MEMBERS: u8 = 4;
const REMOVE_MEMBERS: u8 = 5;
const ADD_ITEM: u8 = 6;
const REMOVE_ITEM: u8 = 7;
const CLEAR: u8 = 8;
const SET_FIELDS: u8 = 9;
const REMOVE_FIELDS: u8 = 10;
const BOOK: u8 = 11;
const CANCEL: u8 = 12;
const MOVE: u8 = 13;
const RESOLVE: u8 = 14;
const INSERT_TEXT: u8 = 15;
const DELETE_TEXT: u8 = 16;
const YJS: u8 = 17;

impl Operation {
    /// Appends the operation: format version, number of the operation, its fields. Meant for operations within the
    /// limits ([`Operation::check_limits`]): of others the bytes do not come back.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(VERSION);
        match self {
            Self::Put(value) => writer.u8(PUT).bytes(&json::canonical(value)),
            Self::Delete => writer.u8(DELETE),
            Self::Add(change) => writer.u8(ADD).signed(*change),
            Self::AddMembers(members) => encode_members(writer.u8(ADD_MEMBERS), members),
            Self::RemoveMembers(members) => encode_members(writer.u8(REMOVE_MEMBERS), members),
            Self::AddItem { item, quantity } => writer.u8(ADD_ITEM).bytes(item.as_bytes()).signed(*quantity),
            Self::RemoveItem { item } => writer.u8(REMOVE_ITEM).bytes(item.as_bytes()),
            Self::Clear => writer.u8(CLEAR),
            Self::SetFields(fields) => {
                writer.u8(SET_FIELDS).varint(fields.len() as u64);
                for (field, value) in fields {
                    writer.bytes(field.as_bytes()).bytes(&json::canonical(value));
                }
                writer
            }
            Self::RemoveFields(fields) => {
                writer.u8(REMOVE_FIELDS).varint(fields.len() as u64);
                for field in fields {
                    writer.bytes(field.as_bytes());
                }
                writer
            }
            Self::Book(booking) => {
                booking.encode(writer.u8(BOOK));
                writer
            }
            Self::Cancel { booking, by } => writer.u8(CANCEL).bytes(booking.as_bytes()).bytes(by.as_bytes()),
            Self::Move { booking, span, by } => {
                span.encode(writer.u8(MOVE).bytes(booking.as_bytes()));
                writer.bytes(by.as_bytes())
            }
            Self::Resolve(resolution) => {
                resolution.encode(writer.u8(RESOLVE));
                writer
            }
            Self::InsertText { at, text } => writer.u8(INSERT_TEXT).varint(*at).bytes(text.as_bytes()),
            Self::DeleteText { at, length } => writer.u8(DELETE_TEXT).varint(*at).varint(*length),
            Self::Yjs(update) => writer.u8(YJS).bytes(update),
        };
    }

    /// Reads what [`Operation::encode`] wrote, nothing else.
    ///
    /// # Errors
    /// [`DecodeError`]; also for operations above the limits.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("version")? {
            VERSION => {}
            version => return Err(DecodeError::Version { what: "operation", version }),
        }
        let operation = match reader.u8("operation")? {
            PUT => decode_put(reader)?,
            DELETE => Self::Delete,
            ADD => Self::Add(reader.signed("change")?),
            ADD_MEMBERS => Self::AddMembers(decode_members(reader)?),
            REMOVE_MEMBERS => Self::RemoveMembers(decode_members(reader)?),
            ADD_ITEM => {
                let item = reader.str(MAX_ITEM_BYTES, "item")?.to_owned();
                Self::AddItem { item, quantity: reader.signed("quantity")? }
            }
            REMOVE_ITEM => Self::RemoveItem { item: reader.str(MAX_ITEM_BYTES, "item")?.to_owned() },
            CLEAR => Self::Clear,
            SET_FIELDS => decode_fields(reader)?,
            REMOVE_FIELDS => {
                let count = reader.count(MAX_FIELDS, 2, "fields")?;
                let mut fields = Vec::with_capacity(count);
                for _ in 0..count {
                    fields.push(reader.str(MAX_FIELD_BYTES, "field")?.to_owned());
                }
                Self::RemoveFields(fields)
            }
            BOOK => Self::Book(Booking::decode(reader)?),
            CANCEL => Self::Cancel { booking: decode_booking(reader)?, by: decode_person(reader)? },
            MOVE => {
                let (booking, span) = (decode_booking(reader)?, Span::decode(reader)?);
                Self::Move { booking, span, by: decode_person(reader)? }
            }
            RESOLVE => Self::Resolve(Resolution::decode(reader)?),
            INSERT_TEXT => {
                let at = reader.varint("position")?;
                Self::InsertText { at, text: reader.str(MAX_TEXT_BYTES, "text")?.to_owned() }
            }
            DELETE_TEXT => Self::DeleteText { at: reader.varint("position")?, length: reader.varint("length")? },
            YJS => Self::Yjs(reader.bytes(MAX_UPDATE_BYTES, "update")?.to_vec()),
            _ => return Err(DecodeError::Invalid("operation")),
        };
        operation.check_limits().map_err(|_| DecodeError::Invalid("operation"))?;
        Ok(operation)
    }
}

fn decode_booking(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    reader.str(MAX_BOOKING_BYTES, "booking").map(str::to_owned)
}

fn decode_person(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    reader.str(MAX_PERSON_BYTES, "by").map(str::to_owned)
}

fn encode_members<'a>(writer: &'a mut Writer, members: &[Member]) -> &'a mut Writer {
    writer.varint(members.len() as u64);
    for member in members {
        writer.bytes(&member.to_subkey());
    }
    writer
}

fn decode_members(reader: &mut Reader<'_>) -> Result<Vec<Member>, DecodeError> {
    let count = reader.count(MAX_MEMBERS, 2, "members")?;
    let mut members = Vec::with_capacity(count);
    for _ in 0..count {
        members.push(Member::from_subkey(reader.bytes(MAX_MEMBER_BYTES + 1, "member")?)?);
    }
    Ok(members)
}

fn decode_put(reader: &mut Reader<'_>) -> Result<Operation, DecodeError> {
    decode_value(reader).map(Operation::Put)
}

fn decode_fields(reader: &mut Reader<'_>) -> Result<Operation, DecodeError> {
    let count = reader.count(MAX_FIELDS, 3, "fields")?;
    let mut fields: BTreeMap<String, Value> = BTreeMap::new();
    for _ in 0..count {
        let field = reader.str(MAX_FIELD_BYTES, "field")?;
        // The one form only: in the order of their bytes, each once.
        if fields.last_key_value().is_some_and(|(last, _)| last.as_str() >= field) {
            return Err(DecodeError::Invalid("order of fields"));
        }
        fields.insert(field.to_owned(), decode_value(reader)?);
    }
    Ok(Operation::SetFields(fields))
}

pub(super) fn decode_value(reader: &mut Reader<'_>) -> Result<Value, DecodeError> {
    let text = reader.bytes(MAX_VALUE_BYTES, "value")?;
    let value = json::read_json(text).map_err(|_| DecodeError::Invalid("value"))?;
    // The one form only: the hash of a request is taken over these bytes.
    if json::canonical(&value) != text {
        return Err(DecodeError::Invalid("value"));
    }
    Ok(value)
}

#[cfg(test)]
mod tests;
