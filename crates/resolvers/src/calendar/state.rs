//! A calendar as its rows say it is.

use super::rows::{Claim, Decision, Place, Subkey};
use crate::conflict::ConflictId;
use crate::operation::Span;
use crate::resolver::{ReadFailed, Row, Rows};
use anabranch_causality::{Actor, Hlc, SessionId, Tag};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// A key's bookings.
#[derive(Debug, Default)]
pub(super) struct Calendar {
    pub(super) bookings: BTreeMap<String, Booking>,
    pub(super) decisions: BTreeMap<(ConflictId, Tag), (Hlc, Decision)>,
}

/// One booking.
#[derive(Debug, Default)]
pub(super) struct Booking {
    /// The surviving versions of where it is, in the order of their tags.
    pub(super) places: BTreeMap<Tag, Version>,
    /// Who booked it: several did when they used one id without seeing each other.
    pub(super) claims: BTreeMap<Tag, (Hlc, Claim)>,
    /// Moves and cancellations.
    pub(super) changes: BTreeMap<Tag, (Hlc, Place)>,
}

#[derive(Debug)]
pub(super) struct Version {
    pub(super) stamp: Hlc,
    pub(super) place: Place,
}

/// A time that a booking has: versions that say the same of the same claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) span: Span,
    /// Whose booking it is, as far as that can be told.
    pub(super) claim: Option<Tag>,
    pub(super) title: String,
    pub(super) by: String,
    /// The versions, by age.
    pub(super) versions: Vec<(Hlc, Tag)>,
    /// Who made the version whose tag is lowest.
    pub(super) set_by: Option<String>,
}

/// Which rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// What is taken: the first part of a key's rows.
    Places,
    Everything,
}

impl Calendar {
    pub(super) fn read(rows: &dyn Rows, what: Read) -> Result<Self, ReadFailed> {
        let (mut calendar, mut bad) = (Self::default(), false);
        rows.rows(None, &mut |row| match calendar.take(&row, what) {
            Some(flow) => flow,
            None => {
                bad = true;
                ControlFlow::Break(())
            }
        })?;
        if bad { Err(ReadFailed) } else { Ok(calendar) }
    }

    /// `None` for a row that no calendar has.
    fn take(&mut self, row: &Row<'_>, what: Read) -> Option<ControlFlow<()>> {
        match Subkey::from_bytes(row.subkey)? {
            Subkey::Place(id) => {
                let place = Place::decode(row.payload).ok()?;
                self.booking(id).places.insert(row.tag, Version { stamp: row.stamp, place });
            }
            _ if what == Read::Places => return Some(ControlFlow::Break(())),
            Subkey::Claim(id) => {
                let claim = Claim::decode(row.payload).ok()?;
                self.booking(id).claims.insert(row.tag, (row.stamp, claim));
            }
            Subkey::Change(id) => {
                let change = Place::decode_change(row.payload).ok()?;
                self.booking(id).changes.insert(row.tag, (row.stamp, change));
            }
            Subkey::Resolution(conflict) => {
                let decision = Decision::decode(row.payload).ok()?;
                self.decisions.insert((conflict, row.tag), (row.stamp, decision));
            }
        }
        Some(ControlFlow::Continue(()))
    }

    fn booking(&mut self, id: &str) -> &mut Booking {
        self.bookings.entry(id.to_owned()).or_default()
    }

    /// The last time that each booking was given, for those that have none now.
    pub(super) fn last_spans(&self) -> BTreeMap<&str, Span> {
        let mut last: BTreeMap<&str, ((Hlc, Tag), Span)> = BTreeMap::new();
        let mut note = |id, age: (Hlc, Tag), span: Span| {
            let known = last.entry(id).or_insert((age, span));
            if known.0 <= age {
                *known = (age, span);
            }
        };
        for (id, booking) in &self.bookings {
            booking.claims.iter().for_each(|(tag, (stamp, claim))| note(id, (*stamp, *tag), claim.span));
            let moves =
                booking.changes.iter().filter_map(|(tag, (stamp, place))| Some((tag, stamp, place.what.span()?)));
            moves.for_each(|(tag, stamp, span)| note(id, (*stamp, *tag), span));
        }
        for ((_, tag), (stamp, decision)) in &self.decisions {
            decision.kept.iter().for_each(|kept| note(&kept.booking, (*stamp, *tag), kept.span));
        }
        last.into_iter().map(|(id, (_, span))| (id, span)).collect()
    }
}

impl Booking {
    /// The versions that count, in the order of their tags: a version that another one of the same session with a higher counter
    /// stands beside came late, and undoes nothing.
    pub(super) fn standing(&self) -> impl Iterator<Item = (&Tag, &Version)> {
        let mut last: BTreeMap<SessionId, u64> = BTreeMap::new();
        for tag in self.places.keys() {
            if let Actor::Session(session) = tag.operation.actor {
                let counter = last.entry(session).or_insert(0);
                *counter = tag.operation.counter.max(*counter);
            }
        }
        let is_outranked = move |tag: &Tag| match tag.operation.actor {
            Actor::Session(session) => last.get(&session).is_some_and(|counter| tag.operation.counter < *counter),
            Actor::Leader(_) => false,
        };
        self.places.iter().filter(move |(tag, _)| !is_outranked(tag))
    }

    /// The times that are taken by it.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        self.standing().filter_map(|(_, version)| version.place.what.span())
    }

    /// Whether somebody cancelled it, as far as that stands.
    pub(super) fn has_cancelled(&self) -> bool {
        self.standing().any(|(_, version)| version.place.what.is_cancelled())
    }

    /// Whether it has no time any more, because somebody cancelled it.
    pub(super) fn is_cancelled(&self) -> bool {
        self.spans().next().is_none() && self.has_cancelled()
    }

    /// Its times, each once, in their order.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::new();
        for (tag, version) in self.standing() {
            let Some(span) = version.place.what.span() else { continue };
            let claim = self.claim_of(tag, &version.place);
            let content =
                |claim: Option<Tag>| claim.and_then(|tag| self.claims.get(&tag)).map(|(_, claim)| claim.names());
            let age = (version.stamp, *tag);
            match slots.iter_mut().find(|slot| slot.span == span && content(slot.claim) == content(claim)) {
                Some(slot) => {
                    slot.claim = slot.claim.min(claim);
                    slot.versions.push(age);
                }
                None => {
                    let (title, by) = self.names(claim);
                    let set_by = version.place.by.clone();
                    slots.push(Slot { span, claim, title, by, versions: vec![age], set_by });
                }
            }
        }
        slots.iter_mut().for_each(|slot| slot.versions.sort_unstable());
        slots.sort_by(|a, b| (a.span, &a.title, &a.by, a.claim).cmp(&(b.span, &b.title, &b.by, b.claim)));
        slots
    }

    /// Whether its own versions contradict each other: it has a time, and something else, too.
    pub(super) fn contradicts_itself(&self, slots: &[Slot]) -> bool {
        let is_free = |(_, version): (&Tag, &Version)| version.place.what.span().is_none();
        slots.len() > 1 || (slots.len() == 1 && self.standing().any(is_free))
    }

    /// Title and booker of a claim; of one that cannot be told, those of the claim whose tag is highest.
    pub(super) fn names(&self, claim: Option<Tag>) -> (String, String) {
        let claim = claim.and_then(|tag| self.claims.get(&tag)).or_else(|| self.claims.values().next_back());
        claim.map(|(_, claim)| (claim.title.clone(), claim.by.clone())).unwrap_or_default()
    }

    /// The claim that a version belongs to: what is booked says so, what was kept says so, and a moved one belongs to the only
    /// one there is, if all say the same.
    fn claim_of(&self, tag: &Tag, place: &Place) -> Option<Tag> {
        let mut claims = self.claims.iter();
        let first = claims.next();
        let only = first.filter(|(_, (_, first))| claims.all(|(_, (_, claim))| claim.names() == first.names()));
        if let Some((tag, _)) = only {
            return Some(*tag);
        }
        let claim = match &place.what {
            // A booking's claim comes right before its place.
            super::rows::What::Booked(_) => {
                let position = tag.position.checked_sub(1)?;
                Some(Tag { operation: tag.operation, position })
            }
            super::rows::What::Kept { claim, .. } => *claim,
            _ => None,
        };
        claim.filter(|tag| self.claims.contains_key(tag))
    }
}

impl Claim {
    fn names(&self) -> (&str, &str) {
        (&self.title, &self.by)
    }
}
