//! A calendar's value from its rows, by brute force: every booking is compared with every other.

use super::Rows;
use anabranch_causality::{Actor, DecodeError, Hlc, Reader, Tag};
use anabranch_resolvers::{ConflictId, Moment};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// From when to when, in milliseconds.
type Time = (i64, i64);
/// Title, and who.
type Names = (String, String);

#[derive(Default)]
struct Booking {
    places: Vec<Place>,
    claims: BTreeMap<Tag, Names>,
    /// The times that it was given, and when.
    times: BTreeMap<(Hlc, Tag), Time>,
}

struct Place {
    tag: Tag,
    time: Option<Time>,
    cancelled: bool,
    claim: Option<Tag>,
}

pub(super) fn value(rows: &Rows<'_>) -> Result<Option<Value>, String> {
    let mut bookings: BTreeMap<String, Booking> = BTreeMap::new();
    for (subkey, tag, stamp, payload) in rows {
        take(&mut bookings, subkey, *tag, *stamp, payload).map_err(|error| format!("{subkey:?}: {error}"))?;
    }
    if bookings.is_empty() {
        return Ok(None);
    }
    let groups = groups(&bookings);
    let mut listed: Vec<(Time, &str, Names, &str)> = Vec::new();
    for (id, booking) in &bookings {
        let slots = booking.slots();
        let contested = groups.iter().any(|group| group.contains(id.as_str()));
        let status = if contested { "contested" } else { "confirmed" };
        if slots.is_empty() {
            let last = booking.times.values().next_back().ok_or("a booking that never had a time")?;
            let names = booking.claims.values().next_back().cloned().unwrap_or_default();
            listed.push((*last, id, names, if booking.is_cancelled() { "cancelled" } else { "bumped" }));
        }
        listed.extend(slots.into_iter().map(|(time, names)| {
            let names = names.or_else(|| booking.claims.values().next_back().cloned());
            (time, id.as_str(), names.unwrap_or_default(), status)
        }));
    }
    listed.sort();
    let text = |ms: i64| Moment::from_ms(ms).map(|moment| moment.to_string());
    let entry = |((start, end), id, (title, by), status): (Time, &str, Names, &str)| json!({ "booking": id, "start": text(start), "end": text(end), "title": title, "by": by, "status": status });
    let conflict = |group: &BTreeSet<&str>| {
        let of_group = || group.iter().map(|id| &bookings[*id]);
        let places = of_group().flat_map(|booking| booking.places.iter().map(|place| place.tag));
        let id = ConflictId::of(places.chain(of_group().flat_map(|booking| booking.claims.keys().copied())));
        json!({ "conflict": id.to_string(), "bookings": group })
    };
    let conflicts: Vec<Value> = groups.iter().map(conflict).collect();
    Ok(Some(json!({ "bookings": listed.into_iter().map(entry).collect::<Vec<_>>(), "conflicts": conflicts })))
}

/// Reads a row, as docs/formats.md has it.
fn take(
    bookings: &mut BTreeMap<String, Booking>,
    subkey: &[u8],
    tag: Tag,
    stamp: Hlc,
    payload: &[u8],
) -> Result<(), DecodeError> {
    let (of, id) = subkey.split_first().ok_or(DecodeError::Short("subkey"))?;
    let id = String::from_utf8_lossy(id).into_owned();
    let mut reader = Reader::new(payload);
    reader.u8("version")?;
    match of {
        1 => {
            let place = Place::read(tag, &mut reader)?;
            bookings.entry(id).or_default().places.push(place);
        }
        2 => {
            let time = time(&mut reader)?;
            let names = (reader.str(1_024, "title")?.to_owned(), reader.str(256, "by")?.to_owned());
            let booking = bookings.entry(id).or_default();
            booking.claims.insert(tag, names);
            booking.times.insert((stamp, tag), time);
        }
        3 => {
            let change = Place::read(tag, &mut reader)?;
            let booking = bookings.entry(id).or_default();
            booking.times.extend(change.time.map(|time| ((stamp, tag), time)));
        }
        _ => {
            reader.str(256, "by")?;
            reader.str(4_096, "note")?;
            for _ in 0..reader.count(1_000, 1, "kept")? {
                reader.str(256, "option")?;
                let id = reader.str(128, "booking")?.to_owned();
                bookings.entry(id).or_default().times.insert((stamp, tag), time(&mut reader)?);
            }
        }
    }
    Ok(())
}

fn time(reader: &mut Reader<'_>) -> Result<Time, DecodeError> {
    Ok((reader.signed("start")?, reader.signed("end")?))
}

impl Place {
    fn read(tag: Tag, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let what = reader.u8("place")?;
        if what > 3 {
            reader.raw(16, "conflict")?;
        }
        let time = if [1, 2, 4].contains(&what) { Some(time(reader)?) } else { None };
        let claim = match what {
            1 => tag.position.checked_sub(1).map(|position| Tag { operation: tag.operation, position }),
            4 if reader.u8("claim")? == 1 => Some(Tag::decode(reader)?),
            _ => None,
        };
        Ok(Self { tag, time, cancelled: what == 3 || what == 6, claim })
    }
}

impl Booking {
    /// Without what came after something later of the same session.
    fn counting(&self) -> Vec<&Place> {
        let is_later = |tag: &Tag, other: &Tag| {
            let same = matches!(tag.operation.actor, Actor::Session(_)) && tag.operation.actor == other.operation.actor;
            same && other.operation.counter > tag.operation.counter
        };
        let counts = |place: &&Place| !self.places.iter().any(|other| is_later(&place.tag, &other.tag));
        self.places.iter().filter(counts).collect()
    }

    /// Its times, each with whose it is, as far as that is said.
    fn slots(&self) -> BTreeSet<(Time, Option<Names>)> {
        let all: BTreeSet<&Names> = self.claims.values().collect();
        let whose = |place: &Place| match all.first() {
            Some(only) if all.len() == 1 => Some((*only).clone()),
            _ => place.claim.and_then(|claim| self.claims.get(&claim).cloned()),
        };
        self.counting().into_iter().filter_map(|place| Some((place.time?, whose(place)))).collect()
    }

    fn is_cancelled(&self) -> bool {
        self.counting().iter().any(|place| place.cancelled)
    }

    fn is_at_odds(&self) -> bool {
        let slots = self.slots().len();
        slots > 1 || (slots == 1 && self.counting().iter().any(|place| place.time.is_none()))
    }

    fn meets(&self, other: &Self) -> bool {
        let overlap = |a: Time, b: Time| a.0 < b.1 && b.0 < a.1;
        self.slots().iter().any(|(one, _)| other.slots().iter().any(|(another, _)| overlap(*one, *another)))
    }
}

/// Bookings that reach each other over overlaps; and single ones that are at odds with themselves.
fn groups(bookings: &BTreeMap<String, Booking>) -> Vec<BTreeSet<&str>> {
    let mut groups: Vec<BTreeSet<&str>> = Vec::new();
    for (id, booking) in bookings {
        let (near, far): (Vec<_>, Vec<_>) =
            groups.into_iter().partition(|group| group.iter().any(|other| booking.meets(&bookings[*other])));
        groups = far;
        groups.push(near.into_iter().flatten().chain([id.as_str()]).collect());
    }
    groups.retain(|group| group.len() > 1 || group.iter().any(|id| bookings[*id].is_at_odds()));
    groups.sort();
    groups
}
