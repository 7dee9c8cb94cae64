//! What a client asks for.

use crate::json;
use anabranch_causality::Kind;
use serde_json::Value;
use std::collections::BTreeMap;

mod booking;
mod bytes;
mod fields;
mod form;
mod member;
mod resolution;
mod text;

pub(crate) use booking::is_booking_id;
pub use booking::{Booking, MAX_BOOKING_BYTES, MAX_TITLE_BYTES, Span};
pub use member::Member;
pub use resolution::{Keep, MAX_KEPT, MAX_NOTE_BYTES, MAX_OPTION_BYTES, MAX_PERSON_BYTES, Resolution};
pub use text::{MAX_TEXT_BYTES, MAX_UPDATE_BYTES, from_base64, to_base64};

/// The most members that one operation names.
pub const MAX_MEMBERS: usize = 1_000;
/// The longest string that is a set's member, in bytes.
pub const MAX_MEMBER_BYTES: usize = 1_024;
/// The longest name of a cart's item, in bytes. The shortest has 1.
pub const MAX_ITEM_BYTES: usize = 512;
/// The most fields that one operation names.
pub const MAX_FIELDS: usize = 1_000;
/// The longest name of a map's field, in bytes. The shortest has 1.
pub const MAX_FIELD_BYTES: usize = 512;
/// The largest value of a register or of a map's field, in bytes of compact JSON.
pub const MAX_VALUE_BYTES: usize = 1 << 20;
/// How deep lists and objects may be nested in a register's value.
pub const MAX_VALUE_DEPTH: usize = 64;

/// One operation on one key.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Registers: the value becomes this.
    Put(Value),
    /// Everything seen goes: registers, sets, maps, carts.
    Delete,
    /// Counters: the sum changes by this.
    Add(i64),
    /// Sets: these members come.
    AddMembers(Vec<Member>),
    /// Sets: these members go, as far as they are seen.
    RemoveMembers(Vec<Member>),
    /// Maps: these fields become these values.
    SetFields(BTreeMap<String, Value>),
    /// Maps: these fields go, as far as they are seen.
    RemoveFields(Vec<String>),
    /// Carts: more (or less) of an item. Never 0.
    AddItem {
        /// The item.
        item: String,
        /// How many more; negative for fewer.
        quantity: i64,
    },
    /// Carts: an item goes, as far as it is seen.
    RemoveItem {
        /// The item.
        item: String,
    },
    /// Carts: all items go, as far as they are seen.
    Clear,
    /// Calendars: a booking comes.
    Book(Booking),
    /// Calendars: a booking is cancelled.
    Cancel {
        /// The booking.
        booking: String,
        /// Who says so.
        by: String,
    },
    /// Calendars: a booking goes to another time.
    Move {
        /// The booking.
        booking: String,
        /// The new time.
        span: Span,
        /// Who says so.
        by: String,
    },
    /// Registers, maps, calendars: a person ends a conflict.
    Resolve(Resolution),
    /// Texts: characters come. Only without a counter: where they come depends on the leader's state.
    InsertText {
        /// Before which character, counted in Unicode scalar values.
        at: u64,
        /// What comes.
        text: String,
    },
    /// Texts: characters go. Only without a counter.
    DeleteText {
        /// The first one, counted in Unicode scalar values.
        at: u64,
        /// How many.
        length: u64,
    },
    /// Texts: a Yjs update, as an editor made it.
    Yjs(Vec<u8>),
}

/// Why JSON is not an operation of a kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    /// Another kind's operation, or none at all: the collection has no such operation.
    #[error("{0}")]
    NotSupported(String),
    /// The right operation with wrong content.
    #[error("{0}")]
    Malformed(String),
}

impl Operation {
    /// Whether the operation only takes away: done twice, it does no more than done once.
    #[must_use]
    pub fn only_removes(&self) -> bool {
        match self {
            Self::Delete | Self::RemoveMembers(_) | Self::RemoveFields(_) | Self::RemoveItem { .. } | Self::Clear => {
                true
            }
            Self::Put(_) | Self::Add(_) | Self::AddMembers(_) | Self::SetFields(_) | Self::AddItem { .. } => false,
            Self::Book(_) | Self::Cancel { .. } | Self::Move { .. } | Self::Resolve(_) => false,
            Self::InsertText { .. } | Self::DeleteText { .. } | Self::Yjs(_) => false,
        }
    }

    /// Whether it keeps the limits above. [`Operation::from_json`], [`Operation::decode`] and every built-in's `prepare`
    /// ask; a resolver of your own should too, for operations are also made by hand.
    ///
    /// # Errors
    /// [`OperationError::Malformed`], saying which limit.
    pub fn check_limits(&self) -> Result<(), OperationError> {
        match self {
            Self::Put(value) => check_value(value),
            Self::AddMembers(members) => check_members("add", members),
            Self::RemoveMembers(members) => check_members("remove", members),
            Self::SetFields(fields) => {
                check_fields("set", fields.len(), fields.keys())?;
                fields.values().try_for_each(check_value)
            }
            Self::RemoveFields(fields) => check_fields("remove", fields.len(), fields.iter()),
            Self::AddItem { quantity: 0, .. } => malformed("quantity must not be 0"),
            Self::AddItem { item, .. } | Self::RemoveItem { item } => check_item(item),
            Self::Book(booking) => booking.check_limits(),
            Self::Cancel { booking, by } => {
                booking::check_id(booking)?;
                resolution::check_person(by)
            }
            Self::Move { booking, span, by } => {
                booking::check_id(booking)?;
                span.check_limits()?;
                resolution::check_person(by)
            }
            Self::Resolve(resolution) => resolution.check_limits(),
            Self::InsertText { text, .. } => text::check_text(text),
            Self::DeleteText { length, .. } => text::check_length(*length),
            Self::Yjs(update) => text::check_update(update),
            Self::Delete | Self::Add(_) | Self::Clear => Ok(()),
        }
    }

    /// What it is, for people.
    fn title(&self) -> &'static str {
        match self {
            Self::Put(_) => "put",
            Self::Delete => "delete",
            Self::Add(_) => "add of a number",
            Self::AddMembers(_) => "add of members",
            Self::RemoveMembers(_) => "remove of members",
            Self::SetFields(_) => "set of fields",
            Self::RemoveFields(_) => "remove of fields",
            Self::AddItem { .. } => "add of an item",
            Self::RemoveItem { .. } => "remove of an item",
            Self::Clear => "clear",
            Self::Book(_) => "book",
            Self::Cancel { .. } => "cancel",
            Self::Move { .. } => "move",
            Self::Resolve(_) => "resolve",
            Self::InsertText { .. } => "insert of text",
            Self::DeleteText { .. } => "delete of text",
            Self::Yjs(_) => "yjs",
        }
    }

    /// Says that this operation does not exist for a kind, and which do.
    pub(crate) fn unsupported(&self, kind: Kind) -> String {
        unsupported(self.title(), kind)
    }
}

fn malformed<T>(why: impl Into<String>) -> Result<T, OperationError> {
    Err(OperationError::Malformed(why.into()))
}

fn unsupported(title: &str, kind: Kind) -> String {
    let forms = match kind {
        Kind::REGISTER => r#"it takes {"put":value} and {"delete":true}"#,
        Kind::G_COUNTER | Kind::PN_COUNTER => r#"it takes {"add":n}"#,
        Kind::OR_SET => r#"it takes {"add":[members]}, {"remove":[members]} and {"delete":true}"#,
        Kind::MAP => r#"it takes {"set":{field:value}}, {"remove":[fields]} and {"delete":true}"#,
        Kind::CART => {
            r#"it takes {"add":{"item":string,"quantity":n}}, {"remove":{"item":string}}, {"clear":true} and {"delete":true}"#
        }
        Kind::CALENDAR => {
            r#"it takes {"book":{"booking":id?,"start":time,"end":time,"title":string,"by":string}}, {"cancel":{"booking":id,"by":string}}, {"move":{"booking":id,"start":time,"end":time,"by":string}} and {"resolve":{"conflict":id,"keep":[ids],"by":string,"note":string}}"#
        }
        Kind::TEXT => {
            r#"it takes {"insert":{"at":n,"text":string}}, {"delete":{"at":n,"length":n}}, {"yjs":base64} and {"delete":true}"#
        }
        _ => "this build has no operations for it",
    };
    format!("{title} is not supported by {kind}; {forms}")
}

fn check_value(value: &Value) -> Result<(), OperationError> {
    // Depth first: what follows recurses.
    if !json::is_within_depth(value, MAX_VALUE_DEPTH) {
        return malformed(format!("the value is nested more than {MAX_VALUE_DEPTH} deep"));
    }
    match json::length(value, MAX_VALUE_BYTES) {
        Some(_) => Ok(()),
        None => malformed(format!("the value is above {MAX_VALUE_BYTES} bytes of JSON")),
    }
}

fn check_members(operation: &str, members: &[Member]) -> Result<(), OperationError> {
    match members.len() {
        0 => malformed(format!("{operation} expects at least one member")),
        1..=MAX_MEMBERS => members.iter().try_for_each(Member::check_limits),
        more => malformed(format!("{operation} takes at most {MAX_MEMBERS} members, not {more}")),
    }
}

fn check_fields<'a>(
    operation: &str,
    count: usize,
    mut names: impl Iterator<Item = &'a String>,
) -> Result<(), OperationError> {
    if !(1..=MAX_FIELDS).contains(&count) {
        return malformed(format!("{operation} takes 1 to {MAX_FIELDS} fields, not {count}"));
    }
    match names.find(|name| !(1..=MAX_FIELD_BYTES).contains(&name.len())) {
        Some(name) => malformed(format!("a field's name must have 1 to {MAX_FIELD_BYTES} bytes, not {}", name.len())),
        None => Ok(()),
    }
}

fn check_item(item: &str) -> Result<(), OperationError> {
    match item.len() {
        1..=MAX_ITEM_BYTES => Ok(()),
        length => malformed(format!("item must have 1 to {MAX_ITEM_BYTES} bytes, not {length}")),
    }
}
