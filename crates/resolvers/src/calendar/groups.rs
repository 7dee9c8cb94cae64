//! What stands in conflict: bookings whose times overlap, and bookings that contradict themselves.

use super::state::{Booking, Calendar, Slot};
use crate::conflict::{Choice, Conflict, ConflictId, Decided};
use crate::operation::Span;
use anabranch_causality::{Hlc, Tag, hash64};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Bookings that only a person can tell apart: connected by overlaps, directly or through others.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) id: ConflictId,
    /// In the order of their ids.
    pub(super) members: Vec<Member<'a>>,
}

#[derive(Debug)]
pub(super) struct Member<'a> {
    pub(super) id: &'a str,
    pub(super) booking: &'a Booking,
    pub(super) options: Vec<NamedSlot>,
}

/// A time that can be kept, and its name in the conflict.
#[derive(Debug)]
pub(super) struct NamedSlot {
    pub(super) option: String,
    pub(super) slot: Slot,
}

impl Calendar {
    /// The groups, in the order of their first members.
    pub(super) fn groups(&self) -> Vec<Group<'_>> {
        let all: Vec<(&str, &Booking, Vec<Slot>)> =
            self.bookings.iter().map(|(id, booking)| (id.as_str(), booking, booking.slots())).collect();
        let mut roots = Roots::overlapping(&all);
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in 0..all.len() {
            groups.entry(roots.of(index)).or_default().push(index);
        }
        let is_contested = |members: &Vec<usize>| match members[..] {
            [only] => all[only].1.contradicts_itself(&all[only].2),
            _ => true,
        };
        let member = |index: usize| {
            let (id, booking, slots) = &all[index];
            Member { id, booking, options: named(id, slots) }
        };
        // A root is the lowest of its members, so the groups come in order.
        let contested = groups.into_values().filter(is_contested);
        contested.map(|members| Group::of(members.into_iter().map(member).collect())).collect()
    }

    /// A group as the conflict that people see.
    pub(super) fn conflict(&self, group: &Group<'_>) -> Conflict {
        let mut ages: Vec<(Hlc, Tag)> = group.versions().map(|(tag, stamp)| (stamp, tag)).collect();
        ages.sort_unstable();
        let since = ages.get(1).or(ages.first()).map(|(stamp, _)| *stamp).unwrap_or_default();
        let mut options: Vec<(Option<(Hlc, Tag)>, Choice)> = Vec::new();
        for member in &group.members {
            options.extend(
                member.options.iter().map(|option| (option.slot.versions.first().copied(), choice(member.id, option))),
            );
        }
        options.sort_by(|(a, one), (b, other)| (a, &one.id).cmp(&(b, &other.id)));
        let options = options.into_iter().map(|(_, choice)| choice).collect();
        Conflict { id: group.id, subkey: Vec::new(), since, options, outcomes: self.outcomes(group) }
    }

    /// The former resolutions that some standing version comes from, oldest first.
    fn outcomes(&self, group: &Group<'_>) -> Vec<Decided> {
        let mut former = BTreeSet::new();
        for member in &group.members {
            for (tag, version) in member.booking.standing() {
                former.extend(version.place.what.conflict().map(|conflict| (conflict, tag.operation)));
            }
        }
        let of_group = |((conflict, tag), _): &(&(ConflictId, Tag), _)| former.contains(&(*conflict, tag.operation));
        let mut outcomes: Vec<_> = self.decisions.iter().filter(of_group).collect();
        outcomes.sort_by_key(|((_, tag), (stamp, _))| (*stamp, *tag));
        let decided = |(_, (stamp, decision)): (_, &(Hlc, super::rows::Decision))| Decided {
            keep: decision.kept.iter().map(|kept| kept.option.clone()).collect(),
            by: decision.by.clone(),
            note: decision.note.clone(),
            stamp: *stamp,
        };
        outcomes.into_iter().map(decided).collect()
    }
}

impl<'a> Group<'a> {
    /// Its id names all that its options show: where each booking is, and who booked it.
    fn of(members: Vec<Member<'a>>) -> Self {
        let tags = members.iter().flat_map(|member| member.booking.places.keys().chain(member.booking.claims.keys()));
        Self { id: ConflictId::of(tags.copied()), members }
    }

    fn versions(&self) -> impl Iterator<Item = (Tag, Hlc)> {
        self.members.iter().flat_map(|member| member.booking.standing().map(|(tag, version)| (*tag, version.stamp)))
    }

    pub(super) fn options(&self) -> impl Iterator<Item = (&Member<'a>, &NamedSlot)> {
        self.members.iter().flat_map(|member| member.options.iter().map(move |option| (member, option)))
    }
}

fn choice(booking: &str, option: &NamedSlot) -> Choice {
    let NamedSlot { option: id, slot } = option;
    let (start, end) = (slot.span.start.to_string(), slot.span.end.to_string());
    Choice {
        id: id.clone(),
        value: json!({ "booking": booking, "start": start, "end": end, "title": slot.title, "by": slot.by }),
        tags: slot.versions.iter().map(|(_, tag)| *tag).collect(),
        stamp: slot.versions.first().map(|(stamp, _)| *stamp).unwrap_or_default(),
        by: slot.set_by.clone(),
    }
}

/// An option is named after its booking; after its time, too, where the booking has several; and after who booked it, where
/// several did, for the same time.
fn named(booking: &str, slots: &[Slot]) -> Vec<NamedSlot> {
    let name = |slot: &Slot| {
        if slots.len() == 1 {
            return booking.to_owned();
        }
        let name = format!("{booking}@{}/{}", slot.span.start, slot.span.end);
        if slots.iter().filter(|other| other.span == slot.span).count() == 1 {
            return name;
        }
        let whose = [u8::from(slot.claim.is_some())];
        let hash = hash64(
            "anabranch claim 1",
            &[&whose, &(slot.title.len() as u64).to_le_bytes(), slot.title.as_bytes(), slot.by.as_bytes()],
        );
        format!("{name}/{hash:016x}")
    };
    slots.iter().map(|slot| NamedSlot { option: name(slot), slot: slot.clone() }).collect()
}

/// Which bookings belong together: each points at one before it, the first of a group at itself.
struct Roots(Vec<usize>);

impl Roots {
    /// Bookings whose times overlap belong together. In the order of their starts, whatever begins before all so far have ended
    /// overlaps the one that ends last.
    fn overlapping(all: &[(&str, &Booking, Vec<Slot>)]) -> Self {
        let slots =
            all.iter().enumerate().flat_map(|(index, (_, _, slots))| slots.iter().map(move |slot| (slot.span, index)));
        let mut slots: Vec<(Span, usize)> = slots.collect();
        slots.sort_unstable();
        let mut roots = Self((0..all.len()).collect());
        let mut last: Option<(Span, usize)> = None;
        for (span, index) in slots {
            if let Some((longest, other)) = last
                && span.overlaps(&longest)
            {
                roots.join(index, other);
            }
            if last.is_none_or(|(longest, _)| longest.end < span.end) {
                last = Some((span, index));
            }
        }
        roots
    }

    fn of(&mut self, mut index: usize) -> usize {
        while self.0[index] != index {
            self.0[index] = self.0[self.0[index]];
            index = self.0[index];
        }
        index
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.of(one), self.of(other));
        self.0[one.max(other)] = one.min(other);
    }
}
