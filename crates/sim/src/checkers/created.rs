//! What a leader makes of a request: it adds what was asked and nothing else, and supersedes only what it saw.

use crate::ledger::Ledger;
use anabranch_causality::{Actor, Effect, Kind, Tag, Transaction, Writer};
use anabranch_engine::resolutions::RESOLUTIONS;
use anabranch_engine::{Change, Write};
use anabranch_resolvers::{Booking, Operation, Resolution};
use std::collections::BTreeSet;

/// Checks a transaction that a leader, having applied `ledger`, made of `write`.
pub(crate) fn check(write: &Write, transaction: &Transaction, ledger: &Ledger) -> Result<(), String> {
    let dot = transaction.dot;
    if let Some((session, counter)) = write.key {
        let operation = transaction.operation;
        if (operation.actor, operation.counter, operation.hash) != (Actor::Session(session), counter, write.hash()) {
            return Err(format!("{dot} is named {operation}, asked was {session}/{counter}"));
        }
    }
    let mut effects = transaction.effects.iter();
    let mut own = Own::default();
    for change in &write.changes {
        let mut next = || effects.next().ok_or_else(|| format!("{dot} lacks effects of {change:?}"));
        match change {
            Change::Operate { collection, kind, key, operation, context } => {
                let effect = next()?;
                if (&effect.collection, effect.kind, &effect.key) != (collection, *kind, key) {
                    return Err(format!(
                        "{dot} has an effect on {}/{}, asked: {change:?}",
                        effect.collection, effect.key
                    ));
                }
                check_additions(effect, operation).map_err(|what| format!("{dot}: {what}; asked: {change:?}"))?;
                let seen = |tag: &Tag| {
                    let own = tag.operation == transaction.operation;
                    own || context.as_ref().is_none_or(|context| context.contains(tag))
                };
                if let Some(tag) = superseded(effect).find(|tag| !seen(tag)) {
                    return Err(format!("{dot} supersedes {tag}, which its context does not name"));
                }
                own.check(transaction, effect, operation, context.is_some())?;
                if let Operation::Resolve(resolution) = operation {
                    check_record(next()?, resolution).map_err(|what| format!("{dot}: {what}; asked: {change:?}"))?;
                }
            }
            Change::Field { .. } => {
                next()?;
                next()?;
            }
            Change::Declare { .. } => {
                next()?;
                if matches!(change, Change::Declare { kind, .. } if *kind == anabranch_causality::Kind::REGISTER) {
                    next()?;
                }
            }
        }
    }
    if effects.next().is_some() {
        return Err(format!("{dot} has more effects than were asked for"));
    }
    check_seen(transaction, ledger)
}

/// The rows that the request itself has made so far, by place.
#[derive(Default)]
struct Own {
    rows: BTreeSet<(String, u8, String, Vec<u8>, Tag)>,
}

impl Own {
    /// Each operation of a request sees what the former left: what supersedes all that it sees supersedes that, too.
    fn check(
        &mut self,
        transaction: &Transaction,
        effect: &Effect,
        operation: &Operation,
        context: bool,
    ) -> Result<(), String> {
        let place = |subkey: &[u8], tag: Tag| {
            (effect.collection.clone(), effect.kind.0, effect.key.clone(), subkey.to_vec(), tag)
        };
        for group in &effect.supersedes {
            for tag in &group.tags {
                self.rows.remove(&place(&group.subkey, *tag));
            }
        }
        let clears = |subkey: &[u8]| match operation {
            Operation::Put(_) | Operation::Delete | Operation::Clear => !context,
            Operation::AddMembers(members) | Operation::RemoveMembers(members) => {
                members.iter().any(|member| member.to_subkey() == subkey)
            }
            Operation::SetFields(fields) => fields.keys().any(|field| field.as_bytes() == subkey),
            Operation::RemoveFields(fields) => fields.iter().any(|field| field.as_bytes() == subkey),
            Operation::RemoveItem { item } => item.as_bytes() == subkey,
            // Of a calendar, the places of the conflict's bookings, which its id says.
            Operation::Resolve(_) => effect.kind == Kind::REGISTER,
            Operation::Cancel { booking, .. } | Operation::Move { booking, .. } => subkey == of_booking(1, booking),
            Operation::Book(_) => false,
            Operation::InsertText { .. } | Operation::DeleteText { .. } | Operation::Yjs(_) => false,
            Operation::Add(_) | Operation::AddItem { .. } => false,
        };
        let of_key = |row: &&(String, u8, String, Vec<u8>, Tag)| {
            row.0 == effect.collection && row.1 == effect.kind.0 && row.2 == effect.key
        };
        if let Some(left) = self.rows.iter().filter(of_key).find(|row| clears(&row.3)) {
            return Err(format!("{}: an operation does not see {} of the same request", transaction.dot, left.4));
        }
        for add in &effect.adds {
            let tag = Tag { operation: transaction.operation, position: add.position };
            self.rows.insert(place(&add.subkey, tag));
        }
        Ok(())
    }
}

/// A resolution leaves a record, under the id of the conflict that it ends.
fn check_record(effect: &Effect, resolution: &Resolution) -> Result<(), String> {
    let is_record = effect.collection == RESOLUTIONS && effect.kind == Kind::MAP && effect.adds.len() == 1;
    if is_record && effect.key == resolution.conflict.to_string() {
        return Ok(());
    }
    Err(format!("it leaves no record of the resolution, but {}/{}", effect.collection, effect.key))
}

/// Where the rows of a booking are: 1 its places, 2 who booked it, 3 its changes.
fn of_booking(what: u8, id: &str) -> Vec<u8> {
    [&[what], id.as_bytes()].concat()
}

fn subkeys(adds: &[(&[u8], &[u8])]) -> Vec<Vec<u8>> {
    adds.iter().map(|(subkey, _)| subkey.to_vec()).collect()
}

fn superseded(effect: &Effect) -> impl Iterator<Item = &Tag> {
    effect.supersedes.iter().flat_map(|group| &group.tags)
}

/// A write is superseded only by a write that saw it; and a late one undoes nothing of its own session.
fn check_seen(transaction: &Transaction, ledger: &Ledger) -> Result<(), String> {
    let by = transaction.operation;
    for tag in transaction.effects.iter().flat_map(superseded) {
        if tag.operation != by && !ledger.operations.contains(&tag.operation) {
            return Err(format!("{} supersedes {tag}, which its leader has not applied", transaction.dot));
        }
        let later = tag.operation.actor == by.actor && tag.operation.counter > by.counter;
        if later && matches!(by.actor, Actor::Session(_)) {
            return Err(format!("{} supersedes {tag}, a later operation of its own session", transaction.dot));
        }
    }
    Ok(())
}

fn check_additions(effect: &Effect, operation: &Operation) -> Result<(), String> {
    let adds: Vec<(&[u8], &[u8])> = effect.adds.iter().map(|add| (&add.subkey[..], &add.payload[..])).collect();
    let folds: Vec<&[u8]> = effect.folds.iter().map(|fold| &fold.payload[..]).collect();
    let signed = |number: i64| {
        let mut writer = Writer::new();
        writer.signed(number);
        writer.into_bytes()
    };
    let right = match operation {
        Operation::Put(value) => adds == [(&b""[..], value.to_string().as_bytes())] && folds.is_empty(),
        Operation::Add(change) => adds.is_empty() && folds == [&signed(*change)[..]],
        Operation::AddMembers(members) => {
            let asked: BTreeSet<Vec<u8>> = members.iter().map(anabranch_resolvers::Member::to_subkey).collect();
            let added: BTreeSet<Vec<u8>> = adds.iter().map(|(subkey, _)| subkey.to_vec()).collect();
            asked == added && adds.len() == asked.len() && folds.is_empty()
        }
        Operation::SetFields(fields) => {
            let asked = fields.iter().map(|(field, value)| (field.as_bytes(), value.to_string()));
            let added = adds.iter().map(|(subkey, payload)| (*subkey, String::from_utf8_lossy(payload).into_owned()));
            asked.eq(added) && folds.is_empty()
        }
        Operation::AddItem { item, quantity } => {
            adds == [(item.as_bytes(), &signed(*quantity)[..])] && folds.is_empty()
        }
        Operation::Book(Booking { booking: Some(id), .. }) => {
            subkeys(&adds) == [of_booking(2, id), of_booking(1, id)] && folds.is_empty()
        }
        Operation::Book(_) => adds.len() == 2 && adds[0].0[1..] == adds[1].0[1..] && folds.is_empty(),
        Operation::Cancel { booking, .. } | Operation::Move { booking, .. } => {
            let same = adds.len() == 2 && adds[0].1 == adds[1].1;
            same && subkeys(&adds) == [of_booking(1, booking), of_booking(3, booking)] && folds.is_empty()
        }
        Operation::Resolve(resolution) if effect.kind == Kind::CALENDAR => {
            // Each booking of the conflict has a new place, and what was decided is remembered.
            let (last, places) = adds.split_last().ok_or("a resolution adds something")?;
            let decided = last.0 == [&[4], &resolution.conflict.0[..]].concat();
            let superseded: Vec<&[u8]> = effect.supersedes.iter().map(|group| &group.subkey[..]).collect();
            let are_places = places.iter().all(|(subkey, _)| subkey.first() == Some(&1));
            // All but those whose places are later ones of the same session.
            let all = superseded.iter().all(|subkey| places.iter().any(|(place, _)| place == subkey));
            decided && are_places && all && !places.is_empty() && folds.is_empty()
        }
        Operation::Resolve(_) => !adds.is_empty() && folds.is_empty(),
        Operation::Yjs(update) => adds.is_empty() && folds == [&update[..]],
        Operation::InsertText { .. } | Operation::DeleteText { .. } => adds.is_empty() && folds.len() == 1,
        Operation::Delete if effect.kind == Kind::TEXT => adds.is_empty() && folds.len() <= 1,
        Operation::Delete
        | Operation::Clear
        | Operation::RemoveMembers(_)
        | Operation::RemoveFields(_)
        | Operation::RemoveItem { .. } => adds.is_empty() && folds.is_empty(),
    };
    if right { Ok(()) } else { Err("it does not add what was asked".to_owned()) }
}
