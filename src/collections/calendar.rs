//! Calendars: bookings of one resource per key, contested where they overlap unseen.

use super::Handle;
use crate::error::{ReadError, WriteError};
use crate::transaction::Tx;
use crate::view::View;
use anabranch_engine::Written;
use anabranch_resolvers::calendar::{self, Event};
use anabranch_resolvers::{
    Booking, Conflict, ConflictId, Keep, Moment, Operation, Outcome, Resolution, Resolver, Span,
};
use serde_json::Value;

/// A collection of calendars. A time that is seen to be taken is refused ([`anabranch_resolvers::Rejection::SlotTaken`]); times
/// that were taken without seeing each other are contested, until a person decides.
#[derive(Clone)]
pub struct Calendar {
    handle: Handle,
}

/// A booking as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Its id.
    pub booking: String,
    /// When it is; when it last was, for one that has no time.
    pub span: Span,
    /// What for.
    pub title: String,
    /// Who booked it.
    pub by: String,
    /// Whether it has its time.
    pub status: BookingStatus,
}

/// Whether a booking has its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BookingStatus {
    /// It has.
    Confirmed,
    /// It stands in a conflict; its time is taken until that ends.
    Contested,
    /// A person decided for others. It may be moved.
    Bumped,
    /// Somebody cancelled it. It stays so.
    Cancelled,
}

impl Calendar {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// Books a time, and says under which id: the one that was asked for, or else one made from the operation.
    ///
    /// # Errors
    /// [`WriteError`]; refused when the time is seen to be taken or the id to be in use.
    pub fn book(&self, key: &str, booking: Booking) -> Result<String, WriteError> {
        let id = booking.booking.clone();
        let written = self.handle.apply(key, Operation::Book(booking), None)?;
        Ok(id.unwrap_or_else(|| calendar::booking_id(written.operation, 0)))
    }

    /// Cancels a booking, in whatever state it is.
    ///
    /// # Errors
    /// [`WriteError`]; refused for a booking that is not known here.
    pub fn cancel(&self, key: &str, booking: &str, by: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, cancel(booking, by), None)
    }

    /// Moves a booking to another time, in whatever state it is but cancelled.
    ///
    /// # Errors
    /// [`WriteError`]; refused when the time is seen to be taken by others, and for a booking that is not known here or is
    /// cancelled.
    pub fn move_to(&self, key: &str, booking: &str, span: Span, by: &str) -> Result<Written, WriteError> {
        self.handle.apply(key, move_to(booking, span, by), None)
    }

    /// Ends a conflict as [`Calendar::conflicts`] showed it: those of its options that are kept stay, its other bookings are bumped.
    ///
    /// # Errors
    /// [`WriteError`]; refused when the conflict is no more as it was, was ended before, or when options that are kept overlap.
    pub fn resolve(
        &self,
        key: &str,
        conflict: ConflictId,
        keep: &[&str],
        by: &str,
        note: Option<&str>,
    ) -> Result<Written, WriteError> {
        let keep = Keep::Options(keep.iter().map(|option| (*option).to_owned()).collect());
        let resolution = Resolution { conflict, keep, by: Some(by.to_owned()), note: note.map(str::to_owned) };
        self.handle.apply(key, Operation::Resolve(resolution), None)
    }

    /// All bookings, past and cancelled ones too, by time; one that has several times once for each. Empty for a key that does not
    /// exist.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn bookings(&self, key: &str) -> Result<Vec<Booked>, ReadError> {
        self.bookings_in(&self.handle.database.view(), key)
    }

    /// As [`Calendar::bookings`], in a view.
    ///
    /// # Errors
    /// As [`Calendar::bookings`].
    pub fn bookings_in(&self, view: &View, key: &str) -> Result<Vec<Booked>, ReadError> {
        let outcome: Option<Outcome> = self.handle.outcome(view, key)?;
        let entries = outcome.as_ref().and_then(|outcome| outcome.value["bookings"].as_array()).into_iter().flatten();
        Ok(entries.filter_map(booked).collect())
    }

    /// The conflicts that stand, each with its options and what was decided before.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn conflicts(&self, key: &str) -> Result<Vec<Conflict>, ReadError> {
        let conflicts = self.handle.rows(&self.handle.database.view(), key, |rows| calendar::Calendar.conflicts(rows));
        Ok(conflicts?.unwrap_or_default())
    }

    /// Who did what, when and why, oldest first. Nothing is ever forgotten.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn history(&self, key: &str) -> Result<Vec<Event>, ReadError> {
        Ok(self.handle.rows(&self.handle.database.view(), key, calendar::history)?.unwrap_or_default())
    }

    /// The same calendars, as part of a transaction.
    #[must_use]
    pub fn in_tx<'a>(&'a self, tx: &'a Tx) -> CalendarTx<'a> {
        CalendarTx { handle: &self.handle, tx }
    }
}

/// Calendars as part of a transaction.
pub struct CalendarTx<'a> {
    handle: &'a Handle,
    tx: &'a Tx,
}

impl CalendarTx<'_> {
    /// Books a time, when the transaction is written. Give it an id, to know it.
    ///
    /// # Errors
    /// None now; the transaction's own write says more.
    pub fn book(&self, key: &str, booking: Booking) -> Result<(), WriteError> {
        self.operate(key, Operation::Book(booking))
    }

    /// Cancels a booking, when the transaction is written.
    ///
    /// # Errors
    /// As [`CalendarTx::book`].
    pub fn cancel(&self, key: &str, booking: &str, by: &str) -> Result<(), WriteError> {
        self.operate(key, cancel(booking, by))
    }

    /// Moves a booking, when the transaction is written.
    ///
    /// # Errors
    /// As [`CalendarTx::book`].
    pub fn move_to(&self, key: &str, booking: &str, span: Span, by: &str) -> Result<(), WriteError> {
        self.operate(key, move_to(booking, span, by))
    }

    fn operate(&self, key: &str, operation: Operation) -> Result<(), WriteError> {
        self.tx.operate(&self.handle.name, self.handle.kind, key, operation, None);
        Ok(())
    }
}

fn cancel(booking: &str, by: &str) -> Operation {
    Operation::Cancel { booking: booking.to_owned(), by: by.to_owned() }
}

fn move_to(booking: &str, span: Span, by: &str) -> Operation {
    Operation::Move { booking: booking.to_owned(), span, by: by.to_owned() }
}

/// An entry of a calendar's value; `None` for one whose time no row says.
fn booked(entry: &Value) -> Option<Booked> {
    let text = |name: &str| entry[name].as_str();
    let moment = |name| text(name).and_then(|text| text.parse::<Moment>().ok());
    let status = match text("status")? {
        "confirmed" => BookingStatus::Confirmed,
        "contested" => BookingStatus::Contested,
        "bumped" => BookingStatus::Bumped,
        _ => BookingStatus::Cancelled,
    };
    let span = Span { start: moment("start")?, end: moment("end")? };
    let (booking, title, by) = (text("booking")?.to_owned(), text("title")?.to_owned(), text("by")?.to_owned());
    Some(Booked { booking, span, title, by, status })
}
