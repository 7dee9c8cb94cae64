//! The rows of a calendar and their bytes.

use crate::conflict::ConflictId;
use crate::operation::{MAX_BOOKING_BYTES, MAX_NOTE_BYTES, MAX_OPTION_BYTES, MAX_PERSON_BYTES, MAX_TITLE_BYTES};
use crate::operation::{Span, is_booking_id};
use anabranch_causality::{DecodeError, Reader, Tag, Writer};

/// The format version that this build writes, of each payload.
const VERSION: u8 = 1;
/// The most bookings that one resolution decides about.
pub(super) const MAX_DECIDED: usize = 1_000;

/// What a row is about. Places come first: who only asks what is taken stops behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subkey<'a> {
    /// Where a booking is: one row per surviving version.
    Place(&'a str),
    /// Who booked it and what for. Never superseded.
    Claim(&'a str),
    /// That it was moved or cancelled. Never superseded.
    Change(&'a str),
    /// That a conflict was ended. Never superseded.
    Resolution(ConflictId),
}

const PLACE: u8 = 1;
const CLAIM: u8 = 2;
const CHANGE: u8 = 3;
const RESOLUTION: u8 = 4;

impl<'a> Subkey<'a> {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let (of, rest) = match self {
            Self::Place(booking) => (PLACE, booking.as_bytes()),
            Self::Claim(booking) => (CLAIM, booking.as_bytes()),
            Self::Change(booking) => (CHANGE, booking.as_bytes()),
            Self::Resolution(conflict) => return [&[RESOLUTION], &conflict.0[..]].concat(),
        };
        [&[of], rest].concat()
    }

    pub(super) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let (of, rest) = bytes.split_first()?;
        if *of == RESOLUTION {
            return rest.try_into().ok().map(|conflict| Self::Resolution(ConflictId(conflict)));
        }
        let booking = std::str::from_utf8(rest).ok().filter(|booking| is_booking_id(booking))?;
        match *of {
            PLACE => Some(Self::Place(booking)),
            CLAIM => Some(Self::Claim(booking)),
            CHANGE => Some(Self::Change(booking)),
            _ => None,
        }
    }
}

/// One version of where a booking is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) what: What,
    /// Who says so; resolutions need not tell.
    pub(super) by: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Booked(Span),
    Moved(Span),
    Cancelled,
    /// A person kept it there.
    Kept {
        span: Span,
        claim: Option<Tag>,
        conflict: ConflictId,
    },
    /// A person decided for others.
    Bumped {
        conflict: ConflictId,
    },
    /// A person did not keep it, and somebody had cancelled it.
    StaysCancelled {
        conflict: ConflictId,
    },
}

const BOOKED: u8 = 1;
const MOVED: u8 = 2;
const CANCELLED: u8 = 3;
const KEPT: u8 = 4;
const BUMPED: u8 = 5;
const STAYS_CANCELLED: u8 = 6;

impl What {
    /// When it takes place, if it does.
    pub(super) fn span(&self) -> Option<Span> {
        match self {
            Self::Booked(span) | Self::Moved(span) | Self::Kept { span, .. } => Some(*span),
            Self::Cancelled | Self::Bumped { .. } | Self::StaysCancelled { .. } => None,
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled | Self::StaysCancelled { .. })
    }

    /// The conflict whose resolution made this version.
    pub(super) fn conflict(&self) -> Option<ConflictId> {
        match self {
            Self::Kept { conflict, .. } | Self::Bumped { conflict } | Self::StaysCancelled { conflict } => {
                Some(*conflict)
            }
            Self::Booked(_) | Self::Moved(_) | Self::Cancelled => None,
        }
    }
}

impl Place {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        match &self.what {
            What::Booked(span) => span.encode(writer.u8(BOOKED)),
            What::Moved(span) => span.encode(writer.u8(MOVED)),
            What::Cancelled => drop(writer.u8(CANCELLED)),
            What::Kept { span, claim, conflict } => {
                span.encode(writer.u8(KEPT).raw(&conflict.0));
                match claim {
                    None => drop(writer.u8(0)),
                    Some(tag) => tag.encode(writer.u8(1)),
                }
            }
            What::Bumped { conflict } => drop(writer.u8(BUMPED).raw(&conflict.0)),
            What::StaysCancelled { conflict } => drop(writer.u8(STAYS_CANCELLED).raw(&conflict.0)),
        }
        writer.bytes(self.by.as_deref().unwrap_or_default().as_bytes());
        writer.into_bytes()
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = versioned(payload)?;
        let what = match reader.u8("place")? {
            BOOKED => What::Booked(span(&mut reader)?),
            MOVED => What::Moved(span(&mut reader)?),
            CANCELLED => What::Cancelled,
            KEPT => {
                let (conflict, span) = (conflict(&mut reader)?, span(&mut reader)?);
                let claim = match reader.u8("claim")? {
                    0 => None,
                    1 => Some(Tag::decode(&mut reader)?),
                    _ => return Err(DecodeError::Invalid("claim")),
                };
                What::Kept { span, claim, conflict }
            }
            BUMPED => What::Bumped { conflict: conflict(&mut reader)? },
            STAYS_CANCELLED => What::StaysCancelled { conflict: conflict(&mut reader)? },
            _ => return Err(DecodeError::Invalid("place")),
        };
        let by = optional(reader.str(MAX_PERSON_BYTES, "by")?);
        reader.finish("place")?;
        // Whoever books, moves or cancels says who they are.
        if by.is_none() && what.conflict().is_none() {
            return Err(DecodeError::Invalid("by"));
        }
        Ok(Self { what, by })
    }

    /// As [`Place::decode`], of a change: nothing but a move or a cancellation.
    pub(super) fn decode_change(payload: &[u8]) -> Result<Self, DecodeError> {
        let place = Self::decode(payload)?;
        match place.what {
            What::Moved(_) | What::Cancelled => Ok(place),
            _ => Err(DecodeError::Invalid("change")),
        }
    }
}

/// What somebody booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) span: Span,
    pub(super) title: String,
    pub(super) by: String,
}

impl Claim {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.span.encode(writer.u8(VERSION));
        writer.bytes(self.title.as_bytes()).bytes(self.by.as_bytes());
        writer.into_bytes()
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = versioned(payload)?;
        let (span, title) = (span(&mut reader)?, reader.str(MAX_TITLE_BYTES, "title")?.to_owned());
        let by = optional(reader.str(MAX_PERSON_BYTES, "by")?).ok_or(DecodeError::Invalid("by"))?;
        reader.finish("claim")?;
        Ok(Self { span, title, by })
    }
}

/// What somebody decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) by: Option<String>,
    pub(super) note: Option<String>,
    pub(super) kept: Vec<KeptOption>,
    /// Bookings that were not kept.
    pub(super) bumped: Vec<String>,
    /// Bookings that were not kept and that somebody had cancelled.
    pub(super) cancelled: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptOption {
    /// The option's name in its conflict.
    pub(super) option: String,
    pub(super) booking: String,
    pub(super) span: Span,
}

impl Decision {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(VERSION);
        for text in [&self.by, &self.note] {
            writer.bytes(text.as_deref().unwrap_or_default().as_bytes());
        }
        writer.varint(self.kept.len() as u64);
        for kept in &self.kept {
            kept.span.encode(writer.bytes(kept.option.as_bytes()).bytes(kept.booking.as_bytes()));
        }
        for bookings in [&self.bumped, &self.cancelled] {
            writer.varint(bookings.len() as u64);
            for booking in bookings {
                writer.bytes(booking.as_bytes());
            }
        }
        writer.into_bytes()
    }

    pub(super) fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = versioned(payload)?;
        let by = optional(reader.str(MAX_PERSON_BYTES, "by")?);
        let note = optional(reader.str(MAX_NOTE_BYTES, "note")?);
        let count = reader.count(MAX_DECIDED, 6, "kept")?;
        let mut kept = Vec::with_capacity(count);
        for _ in 0..count {
            let option = reader.str(MAX_OPTION_BYTES, "option")?.to_owned();
            kept.push(KeptOption { option, booking: booking(&mut reader)?, span: span(&mut reader)? });
        }
        let (bumped, cancelled) = (bookings(&mut reader)?, bookings(&mut reader)?);
        reader.finish("resolution")?;
        Ok(Self { by, note, kept, bumped, cancelled })
    }
}

fn versioned(payload: &[u8]) -> Result<Reader<'_>, DecodeError> {
    let mut reader = Reader::new(payload);
    match reader.u8("version")? {
        VERSION => Ok(reader),
        version => Err(DecodeError::Version { what: "calendar row", version }),
    }
}

fn span(reader: &mut Reader<'_>) -> Result<Span, DecodeError> {
    let span = Span::decode(reader)?;
    if span.start < span.end { Ok(span) } else { Err(DecodeError::Invalid("span")) }
}

fn conflict(reader: &mut Reader<'_>) -> Result<ConflictId, DecodeError> {
    reader.array("conflict id").map(ConflictId)
}

fn booking(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let id = reader.str(MAX_BOOKING_BYTES, "booking")?;
    if is_booking_id(id) { Ok(id.to_owned()) } else { Err(DecodeError::Invalid("booking")) }
}

fn bookings(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let count = reader.count(MAX_DECIDED, 2, "bookings")?;
    let mut bookings = Vec::with_capacity(count);
    for _ in 0..count {
        bookings.push(booking(reader)?);
    }
    Ok(bookings)
}

/// Neither people nor notes are ever empty when they are there.
fn optional(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
