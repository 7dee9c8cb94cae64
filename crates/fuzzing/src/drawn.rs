//! What clients ask for, drawn by chance: operations on bookings and texts, and decisions about what stands in conflict.

use crate::editors::UPDATES;
use crate::input::Input;
use crate::replica::{REGISTRY, Replica};
use anabranch_engine::{Change, KeyRows, conflicts};
use anabranch_resolvers::laws::Random;
use anabranch_resolvers::{Booking, Keep, Moment, Operation, Resolution, Span};
use serde_json::json;

const HOUR: i64 = 3_600_000;

/// Few hours and few bookings: they meet.
pub(crate) fn any_calendar_operation(random: &mut Random) -> Operation {
    let booking = format!("b{}", random.below(4));
    let by = ["Ann", "Bob"][random.index(2)].to_owned();
    let moment = |hour: i64| Moment::from_ms(hour * HOUR).expect("a moment");
    let start = random.below(12) as i64;
    let span = Span { start: moment(start), end: moment(start + 1 + random.below(3) as i64) };
    match random.below(8) {
        0..=4 => {
            let (booking, title) =
                (random.chance(9, 10).then_some(booking), ["", "Standup"][random.index(2)].to_owned());
            Operation::Book(Booking { booking, span, title, by })
        }
        5 | 6 => Operation::Move { booking, span, by },
        _ => Operation::Cancel { booking, by },
    }
}

/// Edits of a leader, and updates of editors: early ones more often, for the others wait for them.
pub(crate) fn any_text_operation(random: &mut Random) -> Operation {
    match random.below(12) {
        0..=2 => {
            let text = match random.below(24) {
                // So much that the pile is merged.
                0 => "long".repeat(2_100),
                n => ["x", "yz", "🙂", "w\u{301}"][n as usize % 4].to_owned(),
            };
            Operation::InsertText { at: random.below(4), text }
        }
        3 => Operation::DeleteText { at: random.below(4), length: 1 + random.below(3) },
        4 if random.chance(1, 4) => Operation::Delete,
        _ => {
            let most = 1 + random.index(UPDATES.len());
            Operation::Yjs(UPDATES[random.index(most)].clone())
        }
    }
}

/// What somebody decides who sees what stands in conflict at a replica; `None` when nothing does.
pub(crate) fn decision(input: &mut Input<'_>, replica: &Replica) -> Option<Change> {
    let [open, _] = conflicts::indexed(&replica.store).expect("the store is sound");
    let (which, number, how) = (input.byte(), input.byte(), input.byte());
    let (place, id) = open.iter().nth(usize::from(which) % open.len().max(1))?;
    let collection = replica.engine.catalog().by_id(place.collection).expect("what has conflicts is there");
    let resolver = collection.resolver_in(&REGISTRY).ok()?;
    let rows = KeyRows::new(&replica.store, place.collection, &place.key);
    let standing = resolver.conflicts(&rows).expect("the store is sound");
    // The index knows what a resolver like `lww` does not call a conflict.
    let conflict = standing.into_iter().find(|conflict| conflict.id == *id)?;
    let option = |number: u8| conflict.options[usize::from(number) % conflict.options.len()].id.clone();
    let keep = match how % 8 {
        0 => Keep::Options(Vec::new()),
        1 => Keep::Options(vec![option(number), option(number.wrapping_add(1))]),
        2 => Keep::Value(json!(number)),
        _ => Keep::Options(vec![option(number)]),
    };
    let operation = Operation::Resolve(Resolution::new(conflict.id, keep).by("Dee"));
    let (name, kind, key) = (collection.name.clone(), collection.kind, place.key.clone());
    Some(Change::Operate { collection: name, kind, key, operation, context: None })
}
