//! `calendar`: the bookings of one resource.

mod groups;
mod history;
mod prepare;
mod rows;
mod state;

pub use history::{Event, Happened, history};
pub use prepare::{MAX_BOOKINGS, MAX_CHANGES, booking_id};

use crate::conflict::{Conflict, Indexed};
use crate::json;
use crate::operation::{Operation, Span};
use crate::register::check_limits;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind};
use rows::{Claim, Decision, Place, Subkey, What};
use serde_json::{Value, json};
use state::{Booking, Read, Slot};
use std::collections::BTreeSet;

/// Bookings of one resource per key. Who sees that a time is taken is refused; times that were taken without seeing each other
/// are a conflict, whose bookings are contested until a person keeps some of them and bumps the others.
///
/// Its rows are the surviving versions of where each booking is, and what is never superseded: who booked, moved, cancelled and
/// decided what, and why. See `docs/calendar.md`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calendar;

impl Resolver for Calendar {
    fn name(&self) -> &'static str {
        "calendar"
    }

    fn kind(&self) -> Kind {
        Kind::CALENDAR
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        check_limits(operation)?;
        match operation {
            Operation::Book(booking) => prepare::book(booking, prepare),
            Operation::Cancel { booking, by } => prepare::cancel(booking, by, prepare),
            Operation::Move { booking, span, by } => prepare::move_to(booking, *span, by, prepare),
            Operation::Resolve(resolution) => prepare::resolve(resolution, prepare),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        if effect.kind != Kind::CALENDAR {
            return Err(Malformed("not a calendar's effect"));
        }
        if !effect.folds.is_empty() {
            return Err(Malformed("a calendar keeps no sums"));
        }
        let is_place = |subkey: &[u8]| matches!(Subkey::from_bytes(subkey), Some(Subkey::Place(_)));
        if !effect.supersedes.iter().all(|group| is_place(&group.subkey)) {
            return Err(Malformed("of a calendar, only where bookings are is ever superseded"));
        }
        if effect.adds.iter().all(|add| is_row(&add.subkey, &add.payload)) {
            Ok(())
        } else {
            Err(Malformed("no row of a calendar"))
        }
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let calendar = state::Calendar::read(rows, Read::Everything)?;
        if calendar.bookings.is_empty() && calendar.decisions.is_empty() {
            return Ok(None);
        }
        let groups = calendar.groups();
        let reason = if groups.is_empty() {
            "no two bookings overlap"
        } else {
            "what overlaps or contradicts itself is contested, until a person decides"
        };
        let shown = shown(&calendar, &groups, most_bytes);
        let (truncated, value) = (shown.is_none(), shown.unwrap_or_default());
        Ok(Some(Outcome { conflicts: groups.len() as u64, truncated, ..Outcome::plain(value, reason) }))
    }

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        let calendar = state::Calendar::read(rows, Read::Everything)?;
        Ok(calendar.groups().iter().map(|group| calendar.conflict(group)).collect())
    }

    fn indexed(&self) -> Indexed {
        Indexed::Keys
    }

    fn show(&self, subkey: &[u8], payload: &[u8]) -> Value {
        show(subkey, payload).unwrap_or_default()
    }
}

fn is_row(subkey: &[u8], payload: &[u8]) -> bool {
    match Subkey::from_bytes(subkey) {
        Some(Subkey::Place(_)) => Place::decode(payload).is_ok(),
        Some(Subkey::Claim(_)) => Claim::decode(payload).is_ok(),
        Some(Subkey::Change(_)) => Place::decode_change(payload).is_ok(),
        Some(Subkey::Resolution(_)) => Decision::decode(payload).is_ok(),
        None => false,
    }
}

/// The value; `None` when it is too long.
fn shown(calendar: &state::Calendar, groups: &[groups::Group<'_>], most_bytes: usize) -> Option<Value> {
    let contested: BTreeSet<&str> = groups.iter().flat_map(|group| &group.members).map(|member| member.id).collect();
    let mut used = Room(most_bytes.checked_sub(r#"{"bookings":[],"conflicts":[]}"#.len())?);
    let last = calendar.last_spans();
    let mut bookings = Vec::new();
    for (id, booking) in &calendar.bookings {
        for entry in entries(id, booking, last.get(id.as_str()).copied(), contested.contains(id.as_str())) {
            let value = entry.to_json();
            used.take(&value, bookings.is_empty())?;
            bookings.push((entry, value));
        }
    }
    bookings.sort_by(|(a, _), (b, _)| a.order().cmp(&b.order()));
    let bookings: Vec<Value> = bookings.into_iter().map(|(_, value)| value).collect();
    let mut conflicts = Vec::new();
    for group in groups {
        let members: Vec<&str> = group.members.iter().map(|member| member.id).collect();
        let value = json!({ "conflict": group.id.to_string(), "bookings": members });
        used.take(&value, conflicts.is_empty())?;
        conflicts.push(value);
    }
    Some(json!({ "bookings": bookings, "conflicts": conflicts }))
}

/// How many bytes of JSON are left.
struct Room(usize);

impl Room {
    /// An item of a list, with a comma before all but the first.
    fn take(&mut self, item: &Value, is_first: bool) -> Option<()> {
        let length = json::length(item, self.0)? + usize::from(!is_first);
        self.0 = self.0.checked_sub(length)?;
        Some(())
    }
}

/// A booking as it is listed.
struct Entry {
    id: String,
    /// `None` when no row says: nothing that this build wrote.
    span: Option<Span>,
    title: String,
    by: String,
    status: &'static str,
}

/// One per time that the booking has; one with the last time that it had when it has none.
fn entries(id: &str, booking: &Booking, last: Option<Span>, is_contested: bool) -> Vec<Entry> {
    let slots = booking.slots();
    if slots.is_empty() {
        let (title, by) = booking.names(None);
        let status = if booking.has_cancelled() { "cancelled" } else { "bumped" };
        return vec![Entry { id: id.to_owned(), span: last, title, by, status }];
    }
    let status = if is_contested { "contested" } else { "confirmed" };
    let entry = |slot: Slot| Entry { id: id.to_owned(), span: Some(slot.span), title: slot.title, by: slot.by, status };
    slots.into_iter().map(entry).collect()
}

impl Entry {
    fn order(&self) -> (Option<Span>, &str, &str, &str) {
        (self.span, &self.id, &self.title, &self.by)
    }

    fn to_json(&self) -> Value {
        let (start, end) = (self.span.map(|span| span.start.to_string()), self.span.map(|span| span.end.to_string()));
        json!({ "booking": self.id, "start": start, "end": end, "title": self.title, "by": self.by, "status": self.status })
    }
}

/// A row for people.
fn show(subkey: &[u8], payload: &[u8]) -> Option<Value> {
    match Subkey::from_bytes(subkey)? {
        Subkey::Place(booking) => Some(show_place(booking, &Place::decode(payload).ok()?, false)),
        Subkey::Change(booking) => Some(show_place(booking, &Place::decode_change(payload).ok()?, true)),
        Subkey::Claim(booking) => {
            let Claim { span, title, by } = Claim::decode(payload).ok()?;
            let (start, end) = (span.start.to_string(), span.end.to_string());
            Some(
                json!({ "history": "booked", "booking": booking, "start": start, "end": end, "title": title, "by": by }),
            )
        }
        Subkey::Resolution(conflict) => {
            let decision = Decision::decode(payload).ok()?;
            let kept: Vec<&str> = decision.kept.iter().map(|kept| kept.option.as_str()).collect();
            Some(json!({
                "history": "resolved", "conflict": conflict.to_string(), "kept": kept, "bumped": decision.bumped,
                "cancelled": decision.cancelled, "by": decision.by, "note": decision.note,
            }))
        }
    }
}

fn show_place(booking: &str, place: &Place, is_history: bool) -> Value {
    let what = match place.what {
        What::Booked(_) => "booked",
        What::Moved(_) => "moved",
        What::Cancelled => "cancelled",
        What::Kept { .. } => "kept",
        What::Bumped { .. } => "bumped",
        What::StaysCancelled { .. } => "stays cancelled",
    };
    let mut shown = json!({ "booking": booking, "by": place.by });
    shown[if is_history { "history" } else { "place" }] = what.into();
    if let Some(span) = place.what.span() {
        shown["start"] = span.start.to_string().into();
        shown["end"] = span.end.to_string().into();
    }
    if let Some(conflict) = place.what.conflict() {
        shown["conflict"] = conflict.to_string().into();
    }
    shown
}
