//! What calendars are asked: bookings and their times.

use super::fields::Fields;
use super::{Operation, OperationError, malformed, resolution};
use crate::moment::Moment;
use anabranch_causality::{DecodeError, Reader, Writer};
use serde_json::{Map, Value};

/// The longest id of a booking, in bytes. The shortest has 1.
pub const MAX_BOOKING_BYTES: usize = 128;
/// The longest title of a booking, in bytes.
pub const MAX_TITLE_BYTES: usize = 1_024;

/// A stretch of time, half open: the end belongs to whoever comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first moment.
    pub start: Moment,
    /// The first moment after it. Always after the start.
    pub end: Moment,
}

/// A booking that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// Its id; without one, it is derived from the operation's.
    pub booking: Option<String>,
    /// When.
    pub span: Span,
    /// What for.
    pub title: String,
    /// Who asks.
    pub by: String,
}

impl Span {
    /// Whether both contain some moment.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    pub(super) fn check_limits(&self) -> Result<(), OperationError> {
        if self.start < self.end { Ok(()) } else { malformed("a booking starts before it ends") }
    }

    pub(crate) fn encode(self, writer: &mut Writer) {
        self.start.encode(writer);
        self.end.encode(writer);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { start: Moment::decode(reader)?, end: Moment::decode(reader)? })
    }
}

impl Booking {
    pub(super) fn check_limits(&self) -> Result<(), OperationError> {
        self.booking.as_deref().map_or(Ok(()), check_id)?;
        self.span.check_limits()?;
        if self.title.len() > MAX_TITLE_BYTES {
            return malformed(format!("a title has at most {MAX_TITLE_BYTES} bytes, not {}", self.title.len()));
        }
        resolution::check_person(&self.by)
    }

    pub(super) fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.booking.as_deref().unwrap_or_default().as_bytes());
        self.span.encode(writer);
        writer.bytes(self.title.as_bytes()).bytes(self.by.as_bytes());
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let booking = reader.str(MAX_BOOKING_BYTES, "booking")?;
        let booking = Some(booking.to_owned()).filter(|booking| !booking.is_empty());
        let span = Span::decode(reader)?;
        let title = reader.str(MAX_TITLE_BYTES, "title")?.to_owned();
        Ok(Self { booking, span, title, by: reader.str(resolution::MAX_PERSON_BYTES, "by")?.to_owned() })
    }
}

/// An id is a word that can be printed; `@` is for the times of options.
pub(crate) fn is_booking_id(id: &str) -> bool {
    let is_word = id.chars().all(|char| !char.is_control() && char != '@');
    (1..=MAX_BOOKING_BYTES).contains(&id.len()) && is_word
}

pub(super) fn check_id(id: &str) -> Result<(), OperationError> {
    if is_booking_id(id) {
        return Ok(());
    }
    malformed(format!("a booking's id has 1 to {MAX_BOOKING_BYTES} bytes without control characters and `@`"))
}

pub(super) fn from_json(content: Value) -> Result<Booking, OperationError> {
    const FORM: &str = r#"{"booking":id?,"start":time,"end":time,"title":string,"by":string}"#;
    let mut fields = Fields::new("book", FORM, content)?;
    let (booking, span) = (fields.optional_text("booking")?, span(&mut fields)?);
    let (title, by) = (fields.text("title")?, fields.text("by")?);
    fields.end()?;
    Ok(Booking { booking, span, title, by })
}

pub(super) fn to_json(booking: &Booking) -> Value {
    let mut fields = Map::new();
    if let Some(id) = &booking.booking {
        fields.insert("booking".to_owned(), id.as_str().into());
    }
    fields.insert("start".to_owned(), booking.span.start.to_string().into());
    fields.insert("end".to_owned(), booking.span.end.to_string().into());
    fields.insert("title".to_owned(), booking.title.as_str().into());
    fields.insert("by".to_owned(), booking.by.as_str().into());
    Value::Object(fields)
}

pub(super) fn cancel_from_json(content: Value) -> Result<Operation, OperationError> {
    let mut fields = Fields::new("cancel", r#"{"booking":id,"by":string}"#, content)?;
    let (booking, by) = (fields.text("booking")?, fields.text("by")?);
    fields.end()?;
    Ok(Operation::Cancel { booking, by })
}

pub(super) fn move_from_json(content: Value) -> Result<Operation, OperationError> {
    const FORM: &str = r#"{"booking":id,"start":time,"end":time,"by":string}"#;
    let mut fields = Fields::new("move", FORM, content)?;
    let (booking, span, by) = (fields.text("booking")?, span(&mut fields)?, fields.text("by")?);
    fields.end()?;
    Ok(Operation::Move { booking, span, by })
}

fn span(fields: &mut Fields) -> Result<Span, OperationError> {
    Ok(Span { start: fields.moment("start")?, end: fields.moment("end")? })
}
