//! What a calendar is asked for, as changes to its rows. What is added depends on the operation alone: a resolution names by its
//! conflict's id all that it copies.

use super::groups::{Group, Member, NamedSlot};
use super::rows::{Claim, Decision, KeptOption, MAX_DECIDED, Place, Subkey, What};
use super::state::{Booking, Calendar, Read};
use crate::conflict::ConflictId;
use crate::operation::{self, Keep, Resolution, Span};
use crate::resolver::{Prepare, ReadFailed, Rejection};
use anabranch_causality::{OperationId, Tag, Writer, hash64};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// The most bookings of one key.
pub const MAX_BOOKINGS: usize = 10_000;
/// How often one booking can be moved or cancelled. Past it, it can still be cancelled once, or decided about.
pub const MAX_CHANGES: usize = 1_000;
/// How many bookings in the way an error names.
const NAMED: usize = 100;

/// The id of a booking that was booked without one: by which operation, and where in its request.
#[must_use]
pub fn booking_id(operation: OperationId, position: u32) -> String {
    let mut writer = Writer::new();
    Tag { operation, position }.encode(&mut writer);
    format!("{:016x}", hash64("anabranch booking 1", &[writer.as_bytes()]))
}

pub(super) fn book(booking: &operation::Booking, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let derived = || booking_id(prepare.operation(), prepare.position());
    let id = booking.booking.clone().unwrap_or_else(derived);
    let calendar = Calendar::read(prepare.rows(), Read::Places)?;
    if calendar.bookings.contains_key(&id) || claims(prepare, &id)? > 0 {
        return rejected(format!("there is a booking {id} already: move it, or book under another id"));
    }
    if calendar.bookings.len() >= MAX_BOOKINGS {
        return rejected(format!(
            "this calendar has {MAX_BOOKINGS} bookings, and that is the limit: use another key, such as one per year"
        ));
    }
    free(&calendar, &id, booking.span)?;
    let claim = Claim { span: booking.span, title: booking.title.clone(), by: booking.by.clone() };
    prepare.add(Subkey::Claim(&id).to_bytes(), claim.encode());
    let place = Place { what: What::Booked(booking.span), by: Some(booking.by.clone()) };
    prepare.add(Subkey::Place(&id).to_bytes(), place.encode());
    Ok(())
}

pub(super) fn move_to(id: &str, span: Span, by: &str, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let calendar = Calendar::read(prepare.rows(), Read::Places)?;
    known(&calendar, id, prepare)?;
    if calendar.bookings.get(id).is_some_and(Booking::is_cancelled) {
        return rejected(format!("booking {id} is cancelled: book it anew, under another id"));
    }
    if changes(prepare, id)? >= MAX_CHANGES {
        return rejected(format!(
            "booking {id} was changed {MAX_CHANGES} times, and that is the limit: cancel it and book anew"
        ));
    }
    free(&calendar, id, span)?;
    change(id, Place { what: What::Moved(span), by: Some(by.to_owned()) }, prepare)
}

pub(super) fn cancel(id: &str, by: &str, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let calendar = Calendar::read(prepare.rows(), Read::Places)?;
    known(&calendar, id, prepare)?;
    if calendar.bookings.get(id).is_some_and(Booking::is_cancelled) && changes(prepare, id)? >= MAX_CHANGES {
        return rejected(format!("booking {id} is cancelled, and was changed {MAX_CHANGES} times, which is the limit"));
    }
    change(id, Place { what: What::Cancelled, by: Some(by.to_owned()) }, prepare)
}

pub(super) fn resolve(resolution: &Resolution, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let Keep::Options(names) = &resolution.keep else {
        return rejected("a calendar's conflict is ended by keeping some of its options, or none; it takes no value");
    };
    let calendar = Calendar::read(prepare.rows(), Read::Everything)?;
    let groups = calendar.groups();
    let Some(group) = groups.iter().find(|group| group.id == resolution.conflict) else {
        return Err(gone(&calendar, &groups, resolution.conflict, names));
    };
    if group.members.len() > MAX_DECIDED {
        let count = group.members.len();
        return rejected(format!(
            "{count} bookings stand in this conflict, and one resolution decides about {MAX_DECIDED}: move or cancel some first"
        ));
    }
    let kept = chosen(group, names)?;
    for member in &group.members {
        prepare.supersede_all(Some(&Subkey::Place(member.id).to_bytes()))?;
    }
    if prepare.is_incomplete() {
        return rejected("too many versions stand in this conflict for one resolution: move or cancel some first");
    }
    decide(resolution, group, &kept, prepare);
    Ok(())
}

/// Each booking's new place, in the order of their ids, then who decided and why.
fn decide(resolution: &Resolution, group: &Group<'_>, kept: &[(&Member<'_>, &NamedSlot)], prepare: &mut Prepare<'_>) {
    let conflict = group.id;
    let (by, note) = (resolution.by.clone(), resolution.note.clone());
    let mut decision = Decision { by: by.clone(), note, ..Decision::default() };
    for member in &group.members {
        let booking = member.id.to_owned();
        let what = match kept.iter().find(|(other, _)| other.id == member.id) {
            Some((_, NamedSlot { option, slot })) => {
                decision.kept.push(KeptOption { option: option.clone(), booking, span: slot.span });
                What::Kept { span: slot.span, claim: slot.claim, conflict }
            }
            None if member.booking.has_cancelled() => {
                decision.cancelled.push(booking);
                What::StaysCancelled { conflict }
            }
            None => {
                decision.bumped.push(booking);
                What::Bumped { conflict }
            }
        };
        prepare.add(Subkey::Place(member.id).to_bytes(), Place { what, by: by.clone() }.encode());
    }
    prepare.add(Subkey::Resolution(conflict).to_bytes(), decision.encode());
}

/// The options of those names, if they can be kept together.
fn chosen<'g>(group: &'g Group<'g>, names: &[String]) -> Result<Vec<(&'g Member<'g>, &'g NamedSlot)>, Rejection> {
    let names: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    if let Some(unknown) = names.iter().find(|name| group.options().all(|(_, option)| option.option != **name)) {
        let known: Vec<&str> = group.options().map(|(_, option)| option.option.as_str()).take(NAMED).collect();
        return rejected(format!("there is no option {unknown:?}; there are {}", known.join(", ")));
    }
    let mut kept: Vec<_> = group.options().filter(|(_, option)| names.contains(option.option.as_str())).collect();
    if let Some(two) = kept.windows(2).find(|two| two[0].0.id == two[1].0.id) {
        let (one, other) = (&two[0].1.option, &two[1].1.option);
        return rejected(format!("{one} and {other} are one booking, which takes place once: keep one of them"));
    }
    kept.sort_by_key(|(_, option)| option.slot.span);
    if let Some(two) = kept.windows(2).find(|two| two[0].1.slot.span.overlaps(&two[1].1.slot.span)) {
        let (one, other) = (&two[0].1.option, &two[1].1.option);
        return rejected(format!("{one} and {other} overlap: keep one of them"));
    }
    Ok(kept)
}

/// Why there is no such conflict.
fn gone(calendar: &Calendar, groups: &[Group<'_>], wanted: ConflictId, names: &[String]) -> Rejection {
    let ended = calendar.decisions.iter().find(|((conflict, _), _)| *conflict == wanted);
    if let Some((_, (_, decision))) = ended {
        let by = decision.by.as_deref().map_or(String::new(), |by| format!(" by {by}"));
        let kept: Vec<&str> = decision.kept.iter().map(|kept| kept.option.as_str()).take(NAMED).collect();
        let kept = if kept.is_empty() { "none of them".to_owned() } else { kept.join(", ") };
        return Rejection::AlreadyResolved(format!("conflict {wanted} was ended before{by}, keeping {kept}"));
    }
    let bookings: BTreeSet<&str> = names.iter().filter_map(|name| name.split('@').next()).collect();
    match groups.iter().find(|group| group.members.iter().any(|member| bookings.contains(member.id))) {
        Some(group) => Rejection::ConflictChanged {
            detail: format!("conflict {wanted} is no more as it was: now it is {}", group.id),
            now: Some(group.id),
        },
        None => Rejection::NoSuchConflict(format!("there is no conflict {wanted} here")),
    }
}

/// The booking's new place, instead of all that is seen of it, and what is remembered of the change.
fn change(id: &str, place: Place, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let at = Subkey::Place(id).to_bytes();
    prepare.supersede_all(Some(&at))?;
    let payload = place.encode();
    prepare.add(at, payload.clone());
    prepare.add(Subkey::Change(id).to_bytes(), payload);
    Ok(())
}

/// That no other booking has that time.
fn free(calendar: &Calendar, id: &str, span: Span) -> Result<(), Rejection> {
    let mut taken: Vec<(Span, &str)> = Vec::new();
    for (other, booking) in calendar.bookings.iter().filter(|(other, _)| *other != id) {
        taken.extend(booking.spans().find(|taken| taken.overlaps(&span)).map(|span| (span, other.as_str())));
    }
    taken.sort_unstable();
    let Some((first, booking)) = taken.first() else { return Ok(()) };
    let more = if taken.len() > 1 { format!(", and {} more", taken.len() - 1) } else { String::new() };
    let detail = format!(
        "{} to {} is taken: booking {booking} has {} to {}{more}",
        span.start, span.end, first.start, first.end
    );
    let bookings = taken.iter().take(NAMED).map(|(_, id)| (*id).to_owned()).collect();
    Err(Rejection::SlotTaken { detail, bookings })
}

fn known(calendar: &Calendar, id: &str, prepare: &Prepare<'_>) -> Result<(), Rejection> {
    if calendar.bookings.contains_key(id) || claims(prepare, id)? > 0 {
        return Ok(());
    }
    rejected(format!("there is no booking {id} here"))
}

fn claims(prepare: &Prepare<'_>, id: &str) -> Result<usize, ReadFailed> {
    count(prepare, Subkey::Claim(id))
}

fn changes(prepare: &Prepare<'_>, id: &str) -> Result<usize, ReadFailed> {
    count(prepare, Subkey::Change(id))
}

fn count(prepare: &Prepare<'_>, of: Subkey<'_>) -> Result<usize, ReadFailed> {
    let mut count = 0;
    prepare.rows().rows(Some(&of.to_bytes()), &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    })?;
    Ok(count)
}

fn rejected<T>(why: impl Into<String>) -> Result<T, Rejection> {
    Err(Rejection::Rejected(why.into()))
}
