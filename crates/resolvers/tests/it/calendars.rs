//! `calendar`, case by case: the lines of the table in `docs/calendar.md`.

use crate::world::{World, by};
use anabranch_causality::{Add, Effect, Kind, Supersede, Tag};
use anabranch_resolvers::calendar::{self, Event, Happened, MAX_BOOKINGS, MAX_CHANGES};
use anabranch_resolvers::laws::Replica;
use anabranch_resolvers::{Calendar, Conflict, ConflictId, Indexed, Operation, Rejection, Resolver};
use serde_json::{Value, json};

/// Times are of one day: `9:30` or `9`.
fn at(time: &str) -> String {
    let (hour, minute) = time.split_once(':').unwrap_or((time, "00"));
    format!("2026-03-02T{hour:0>2}:{minute}:00Z")
}

fn book(id: &str, start: &str, end: &str, by: &str) -> Value {
    json!({"book": {"booking": id, "start": at(start), "end": at(end), "title": format!("{by}'s"), "by": by}})
}

fn move_to(id: &str, start: &str, end: &str) -> Value {
    json!({"move": {"booking": id, "start": at(start), "end": at(end), "by": "Mia"}})
}

fn cancel(id: &str) -> Value {
    json!({"cancel": {"booking": id, "by": "Cem"}})
}

fn resolve(id: ConflictId, keep: &[&str], by: &str) -> Value {
    json!({"resolve": {"conflict": id.to_string(), "keep": keep, "by": by, "note": format!("{by} says so")}})
}

fn conflicts(world: &World, at: usize) -> Vec<Conflict> {
    world.resolver.conflicts(&world.replicas[at]).expect("reads")
}

/// The one that stands.
fn conflict(world: &World, at: usize) -> Conflict {
    let mut standing = conflicts(world, at);
    assert_eq!(standing.len(), 1, "{standing:?}");
    standing.remove(0)
}

fn options(conflict: &Conflict) -> Vec<&str> {
    conflict.options.iter().map(|option| option.id.as_str()).collect()
}

/// What each replica shows, which must be the same: `x 09:00-10:00 confirmed`.
fn listed(world: &World) -> Vec<String> {
    let outcome = world.outcome(0).expect("a calendar");
    (1..world.replicas.len()).for_each(|at| assert_eq!(world.outcome(at).as_ref(), Some(&outcome)));
    assert_eq!(outcome.conflicts as usize, conflicts(world, 0).len());
    let text = |entry: &Value, field: &str| entry[field].as_str().expect("a text").to_owned();
    let time = |entry: &Value, field: &str| text(entry, field)[11..16].to_owned();
    let line = |entry: &Value| {
        let (start, end) = (time(entry, "start"), time(entry, "end"));
        format!("{} {start}-{end} {}", text(entry, "booking"), text(entry, "status"))
    };
    outcome.value["bookings"].as_array().expect("bookings").iter().map(line).collect()
}

/// Two replicas that booked x from 9 to 10 and y from 9:30 to 10:30 without seeing each other, and have both.
fn contested() -> World {
    let mut world = World::new(&Calendar, 2);
    world.ask(0, book("x", "9", "10", "Ann")).expect("accepted");
    world.ask(1, book("y", "9:30", "10:30", "Bob")).expect("accepted");
    world.sync();
    world
}

/// One replica is asked for the one, the other for the other, by two people who did not see each other.
fn both(mut world: World, one: Value, other: Value) -> World {
    world.ask_as(0, by(10, world.stamp), &[one], None).expect("accepted");
    world.ask_as(1, by(11, world.stamp), &[other], None).expect("accepted");
    world.sync();
    world
}

/// x from 9 to 10 alone, at two replicas.
fn alone() -> World {
    let mut world = World::new(&Calendar, 2);
    world.ask(0, book("x", "9", "10", "Ann")).expect("accepted");
    world.sync();
    world
}

fn rejected(result: Result<(), Rejection>) -> String {
    match result {
        Err(Rejection::Rejected(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_booking_is_listed_as_it_was_made() {
    let mut world = World::new(&Calendar, 1);
    world.ask(0, book("x", "9", "10", "Ann")).expect("accepted");
    let expected = json!({"bookings": [{"booking": "x", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z",
        "title": "Ann's", "by": "Ann", "status": "confirmed"}], "conflicts": []});
    let outcome = world.outcome(0).expect("a calendar");
    assert_eq!((outcome.value, outcome.conflicts, outcome.versions), (expected, 0, Vec::new()));
    assert_eq!(World::new(&Calendar, 1).outcome(0), None);
    assert_eq!(Calendar.indexed(), Indexed::Keys);
}

#[test]
fn what_is_seen_to_be_taken_is_refused_and_the_end_belongs_to_whoever_comes_next() {
    let mut world = alone();
    let taken = world.ask(1, book("y", "8", "9:01", "Bob"));
    let detail = "2026-03-02T08:00:00Z to 2026-03-02T09:01:00Z is taken: booking x has 2026-03-02T09:00:00Z to 2026-03-02T10:00:00Z";
    assert_eq!(taken, Err(Rejection::SlotTaken { detail: detail.to_owned(), bookings: vec!["x".to_owned()] }));
    world.ask(1, book("y", "8", "9", "Bob")).expect("accepted");
    world.ask(1, book("z", "10", "11", "Bob")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["y 08:00-09:00 confirmed", "x 09:00-10:00 confirmed", "z 10:00-11:00 confirmed"]);
    let Err(Rejection::SlotTaken { detail, bookings }) = world.ask(0, book("w", "8:30", "10:30", "Cem")) else {
        panic!("taken three times")
    };
    assert_eq!(bookings, ["y", "x", "z"]);
    assert!(detail.ends_with("and 2 more"), "{detail}");
    // One that is moved is not in its own way.
    world.ask(0, move_to("x", "9:15", "10")).expect("accepted");
    let Err(Rejection::SlotTaken { bookings, .. }) = world.ask(0, move_to("x", "9:15", "10:15")) else {
        panic!("taken by z")
    };
    assert_eq!(bookings, ["z"]);
}

#[test]
fn a_booking_without_an_id_gets_one_from_its_operation() {
    let mut world = World::new(&Calendar, 2);
    let book = |start, end| json!({"book": {"start": at(start), "end": at(end), "title": "", "by": "Ann"}});
    let request = [book("9", "10"), book("10", "11")];
    world.ask_as(0, by(1, 1), &request, None).expect("accepted");
    // A retry elsewhere makes the same bookings.
    world.ask_as(1, by(1, 1), &request, None).expect("accepted");
    world.sync();
    let ids = [calendar::booking_id(by(1, 1), 0), calendar::booking_id(by(1, 1), 2)];
    assert_eq!(
        listed(&world),
        [format!("{} 09:00-10:00 confirmed", ids[0]), format!("{} 10:00-11:00 confirmed", ids[1])]
    );
    assert_eq!(ids[0].len(), 16);
}

#[test]
fn an_id_that_is_known_is_refused_whatever_became_of_it() {
    let mut world = alone();
    let why = rejected(world.ask(1, book("x", "11", "12", "Bob")));
    assert_eq!(why, "there is a booking x already: move it, or book under another id");
    world.ask(1, cancel("x")).expect("accepted");
    rejected(world.ask(1, book("x", "9", "10", "Ann")));
    world.ask(1, book("y", "9", "10", "Bob")).expect("what was cancelled is free");
}

#[test]
fn bookings_that_overlap_unseen_are_contested() {
    let mut world = contested();
    assert_eq!(listed(&world), ["x 09:00-10:00 contested", "y 09:30-10:30 contested"]);
    let conflict = conflict(&world, 0);
    assert_eq!(options(&conflict), ["x", "y"]);
    assert_eq!(conflict.options[1].by.as_deref(), Some("Bob"));
    assert_eq!((conflict.since.0, conflict.outcomes.len(), conflict.subkey.len()), (2, 0, 0));
    let shown = &world.outcome(1).expect("a calendar").value["conflicts"];
    assert_eq!(*shown, json!([{"conflict": conflict.id.to_string(), "bookings": ["x", "y"]}]));
    // Over a contested time nobody books.
    let Err(Rejection::SlotTaken { bookings, .. }) = world.ask(0, book("z", "9:45", "10:15", "Cem")) else {
        panic!("taken twice")
    };
    assert_eq!(bookings, ["x", "y"]);
}

#[test]
fn a_chain_of_overlaps_is_one_conflict_and_what_does_not_overlap_can_stay_together() {
    let mut world = World::new(&Calendar, 3);
    world.ask(0, book("x", "9", "10", "Ann")).expect("accepted");
    world.ask(1, book("y", "9:30", "10:30", "Bob")).expect("accepted");
    world.ask(2, book("z", "10", "11", "Cem")).expect("accepted");
    world.ask(2, book("far", "20", "21", "Cem")).expect("accepted");
    world.sync();
    let id = conflict(&world, 0).id;
    let why = rejected(world.ask(0, resolve(id, &["x", "y"], "Dee")));
    assert_eq!(why, "x and y overlap: keep one of them");
    world.ask(0, resolve(id, &["z", "x"], "Dee")).expect("accepted");
    world.sync();
    let expected =
        ["x 09:00-10:00 confirmed", "y 09:30-10:30 bumped", "z 10:00-11:00 confirmed", "far 20:00-21:00 confirmed"];
    assert_eq!(listed(&world), expected);
}

#[test]
fn moving_or_cancelling_one_ends_a_conflict_without_anybody_deciding() {
    for end in [cancel("y"), move_to("y", "10", "11")] {
        let mut world = contested();
        world.ask(1, end).expect("accepted");
        world.sync();
        assert!(conflicts(&world, 0).is_empty());
        assert_eq!(listed(&world)[0], "x 09:00-10:00 confirmed");
    }
    let mut world = contested();
    let still = world.ask(1, move_to("y", "9:45", "10:45"));
    assert!(matches!(still, Err(Rejection::SlotTaken { .. })), "{still:?}");
}

#[test]
fn a_resolution_keeps_some_and_bumps_the_others() {
    let mut world = contested();
    let id = conflict(&world, 0).id;
    world.ask(0, resolve(id, &["x"], "Dee")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed", "y 09:30-10:30 bumped"]);
    let again = world.ask(1, resolve(id, &["y"], "Eve"));
    let why = format!("conflict {id} was ended before by Dee, keeping x");
    assert_eq!(again, Err(Rejection::AlreadyResolved(why)));
    // Who was bumped has no time: others may have it, and they may take another.
    world.ask(1, book("z", "10", "10:30", "Zoe")).expect("accepted");
    world.ask(1, move_to("y", "11", "12")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed", "z 10:00-10:30 confirmed", "y 11:00-12:00 confirmed"]);
    let mut world = contested();
    world.ask(0, resolve(conflict(&world, 0).id, &[], "Dee")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 09:00-10:00 bumped", "y 09:30-10:30 bumped"]);
}

#[test]
fn what_came_since_stands_beside_the_resolution_as_a_new_conflict() {
    let world = contested();
    let id = conflict(&world, 0).id;
    let world = both(world, resolve(id, &["x"], "Dee"), cancel("x"));
    // Nothing but x itself is in question, and it cannot take place and be cancelled.
    assert_eq!(listed(&world), ["x 09:00-10:00 contested", "y 09:30-10:30 bumped"]);
    // Somebody who has seen nothing of it books over what was kept.
    let mut world = World::new(&Calendar, 3);
    world.ask(0, book("x", "9", "10", "Ann")).expect("accepted");
    world.ask(1, book("y", "9:30", "10:30", "Bob")).expect("accepted");
    world.sync();
    world.replicas[2] = Replica::new();
    world.ask(0, resolve(conflict(&world, 0).id, &["x"], "Dee")).expect("accepted");
    world.ask(2, book("z", "8", "9:15", "Zoe")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["z 08:00-09:15 contested", "x 09:00-10:00 contested", "y 09:30-10:30 bumped"]);
    let standing = conflict(&world, 1);
    assert_eq!((options(&standing), standing.outcomes.len()), (vec!["x", "z"], 1));
    assert_eq!(
        (&standing.outcomes[0].keep[..], standing.outcomes[0].by.as_deref()),
        (&["x".to_owned()][..], Some("Dee"))
    );
}

#[test]
fn two_who_decide_differently_make_a_conflict_again() {
    let world = contested();
    let id = conflict(&world, 0).id;
    let mut world = both(world, resolve(id, &["x"], "Dee"), resolve(id, &["y"], "Eve"));
    assert_eq!(listed(&world), ["x 09:00-10:00 contested", "y 09:30-10:30 contested"]);
    let again = conflict(&world, 1);
    assert_ne!(again.id, id);
    let outcomes: Vec<_> =
        again.outcomes.iter().map(|o| (o.keep.join(","), o.by.as_deref(), o.note.as_deref())).collect();
    let expected = [("x", "Dee", "Dee says so"), ("y", "Eve", "Eve says so")];
    assert_eq!(outcomes, expected.map(|(keep, by, note)| (keep.to_owned(), Some(by), Some(note))));
    world.ask(1, resolve(again.id, &["y"], "Dee and Eve")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 09:00-10:00 bumped", "y 09:30-10:30 confirmed"]);
    // Who decides equally makes none.
    let world = contested();
    let id = conflict(&world, 0).id;
    let world = both(world, resolve(id, &["x"], "Dee"), resolve(id, &["x"], "Eve"));
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed", "y 09:30-10:30 bumped"]);
    // One who keeps x, one who keeps none: x is in question, y is not.
    let world = contested();
    let id = conflict(&world, 0).id;
    let world = both(world, resolve(id, &["x"], "Dee"), resolve(id, &[], "Eve"));
    assert_eq!(listed(&world), ["x 09:00-10:00 contested", "y 09:30-10:30 bumped"]);
    let again = conflict(&world, 0);
    assert_eq!((options(&again), again.outcomes.len()), (vec!["x"], 2));
}

#[test]
fn cancelled_and_kept_is_in_question_cancelled_and_bumped_is_not() {
    let world = contested();
    let id = conflict(&world, 0).id;
    let mut world = both(world, resolve(id, &["x"], "Dee"), cancel("x"));
    assert_eq!(listed(&world)[0], "x 09:00-10:00 contested");
    // Not kept, it stays cancelled.
    world.ask(0, resolve(conflict(&world, 0).id, &[], "Dee")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world)[0], "x 09:00-10:00 cancelled");
    rejected(world.ask(0, move_to("x", "12", "13")));

    let world = contested();
    let id = conflict(&world, 0).id;
    let world = both(world, resolve(id, &["x"], "Dee"), cancel("y"));
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed", "y 09:30-10:30 cancelled"]);
}

#[test]
fn moved_and_bumped_or_moved_and_kept_is_in_question() {
    let world = contested();
    let id = conflict(&world, 0).id;
    let world = both(world, resolve(id, &["x"], "Dee"), move_to("y", "11", "12"));
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed", "y 11:00-12:00 contested"]);
    assert_eq!(options(&conflict(&world, 0)), ["y"]);

    let world = contested();
    let id = conflict(&world, 0).id;
    let mut world = both(world, resolve(id, &["x"], "Dee"), move_to("x", "8", "9"));
    assert_eq!(listed(&world), ["x 08:00-09:00 contested", "x 09:00-10:00 contested", "y 09:30-10:30 bumped"]);
    let standing = conflict(&world, 0);
    let (early, late) = ("x@2026-03-02T08:00:00Z/2026-03-02T09:00:00Z", "x@2026-03-02T09:00:00Z/2026-03-02T10:00:00Z");
    assert_eq!(options(&standing), [late, early], "oldest first");
    let why = rejected(world.ask(0, resolve(standing.id, &[early, late], "Dee")));
    assert_eq!(why, format!("{early} and {late} are one booking, which takes place once: keep one of them"));
    world.ask(0, resolve(standing.id, &[early], "Dee")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 08:00-09:00 confirmed", "y 09:30-10:30 bumped"]);
}

#[test]
fn moved_twice_moved_and_cancelled_cancelled_twice() {
    let world = both(alone(), move_to("x", "11", "12"), move_to("x", "11:30", "12:30"));
    assert_eq!(listed(&world), ["x 11:00-12:00 contested", "x 11:30-12:30 contested"]);
    let world = both(alone(), move_to("x", "11", "12"), move_to("x", "11", "12"));
    assert_eq!(listed(&world), ["x 11:00-12:00 confirmed"]);
    let mut world = both(alone(), move_to("x", "11", "12"), cancel("x"));
    assert_eq!(listed(&world), ["x 11:00-12:00 contested"]);
    // Its owner can settle that alone.
    world.ask(0, move_to("x", "11", "12")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 11:00-12:00 confirmed"]);
    let mut world = both(alone(), cancel("x"), cancel("x"));
    world.ask(0, cancel("x")).expect("once more");
    world.sync();
    assert_eq!(listed(&world), ["x 09:00-10:00 cancelled"]);
}

#[test]
fn one_id_booked_twice_unseen() {
    let booked = |one, other| both(World::new(&Calendar, 2), one, other);
    // The same thing is one booking.
    let world = booked(book("x", "9", "10", "Ann"), book("x", "9", "10", "Ann"));
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed"]);
    // At another time, it has two.
    let world = booked(book("x", "9", "10", "Ann"), book("x", "12", "13", "Bob"));
    assert_eq!(listed(&world), ["x 09:00-10:00 contested", "x 12:00-13:00 contested"]);
    // By somebody else at that time: both think that it is theirs.
    let mut world = booked(book("x", "9", "10", "Ann"), book("x", "9", "10", "Bob"));
    assert_eq!(listed(&world), ["x 09:00-10:00 contested", "x 09:00-10:00 contested"]);
    let standing = conflict(&world, 0);
    assert_eq!(standing.options[0].value["by"], "Ann");
    assert!(options(&standing).iter().all(|option| option.starts_with("x@2026-03-02T09:00:00Z/2026-03-02T10:00:00Z/")));
    world.ask(0, resolve(standing.id, &[&standing.options[0].id], "Dee")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed"]);
    let shown = world.value(0).expect("a calendar");
    assert_eq!((&shown["bookings"][0]["by"], &shown["bookings"][0]["title"]), (&json!("Ann"), &json!("Ann's")));
    assert_eq!(calendar::history(&world.replicas[0]).expect("reads").len(), 3, "Bob's is remembered");
}

#[test]
fn a_conflict_that_has_changed_says_what_it_is_now() {
    let mut world = World::new(&Calendar, 3);
    for (at, id, start, end) in [(0, "x", "9", "10"), (1, "y", "9:30", "10:30")] {
        world.ask(at, book(id, start, end, "Ann")).expect("accepted");
    }
    let mut before = contested();
    let id = conflict(&before, 0).id;
    world.ask(2, book("z", "8", "9:15", "Cem")).expect("accepted");
    world.sync();
    let now = conflict(&world, 0).id;
    assert_ne!(id, now);
    let detail = format!("conflict {id} is no more as it was: now it is {now}");
    let changed = world.ask(0, resolve(id, &["x"], "Dee"));
    assert_eq!(changed, Err(Rejection::ConflictChanged { detail, now: Some(now) }));
    let nothing = format!("there is no conflict {now} here");
    assert_eq!(before.ask(0, resolve(now, &["z"], "Dee")), Err(Rejection::NoSuchConflict(nothing)));
    let why = rejected(world.ask(0, resolve(now, &["x", "w"], "Dee")));
    assert_eq!(why, r#"there is no option "w"; there are x, y, z"#);
    let value = json!({"resolve": {"conflict": now.to_string(), "value": 1}});
    assert!(rejected(world.ask(0, value)).contains("takes no value"));
}

#[test]
fn a_late_retry_undoes_nothing() {
    let mut world = alone();
    world.ask_as(0, by(1, 2), &[move_to("x", "12", "13")], None).expect("accepted");
    // The session's first request was lost, and is tried again where the second has not arrived.
    world.ask_as(1, by(1, 1), &[cancel("x")], None).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 12:00-13:00 confirmed"]);
    // And where it has.
    world.ask_as(1, by(2, 2), &[move_to("x", "14", "15")], None).expect("accepted");
    world.ask_as(1, by(2, 1), &[move_to("x", "16", "17")], None).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 14:00-15:00 confirmed"]);
}

#[test]
fn a_booking_whose_versions_erased_each_other_has_no_time() {
    let mut world = alone();
    let (one, other) = (by(1, 1), by(2, 1));
    world.ask_as(0, one, &[move_to("x", "12", "13")], None).expect("accepted");
    world.ask_as(1, other, &[move_to("x", "14", "15")], None).expect("accepted");
    // Both answers are lost, and each is tried again where the other was, and takes its place.
    world.ask_as(0, other, &[move_to("x", "14", "15")], None).expect("accepted");
    world.ask_as(1, one, &[move_to("x", "12", "13")], None).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 14:00-15:00 bumped"], "the last time that it was given");
    world.ask(0, move_to("x", "9", "10")).expect("accepted");
    world.sync();
    assert_eq!(listed(&world), ["x 09:00-10:00 confirmed"]);
}

#[test]
fn history_says_who_did_what_when_and_why() {
    let mut world = contested();
    world.ask(0, resolve(conflict(&world, 0).id, &["x"], "Dee")).expect("accepted");
    world.sync();
    world.ask(1, move_to("y", "11", "12")).expect("accepted");
    world.ask(1, cancel("x")).expect("accepted");
    world.sync();
    let history = calendar::history(&world.replicas[0]).expect("reads");
    assert_eq!(history, calendar::history(&world.replicas[1]).expect("reads"));
    let line = |event: &Event| {
        let what = match &event.what {
            Happened::Booked { booking, title, .. } => format!("booked {booking} for {title}"),
            Happened::Moved { booking, .. } => format!("moved {booking}"),
            Happened::Cancelled { booking } => format!("cancelled {booking}"),
            Happened::Resolved { kept, bumped, note, .. } => {
                format!("kept {}, bumped {}, for {}", kept[0].0, bumped.join(""), note.as_deref().unwrap_or_default())
            }
        };
        format!("{}: {} {what}", event.stamp.0, event.by.as_deref().unwrap_or_default())
    };
    let expected = [
        "1: Ann booked x for Ann's",
        "2: Bob booked y for Bob's",
        "3: Dee kept x, bumped y, for Dee says so",
        "4: Mia moved y",
        "5: Cem cancelled x",
    ];
    assert_eq!(history.iter().map(line).collect::<Vec<_>>(), expected);
}

#[test]
fn limits_say_what_to_do() {
    let mut world = World::new(&Calendar, 1);
    let moment =
        |minute: usize| anabranch_resolvers::Moment::from_ms(minute as i64 * 60_000).expect("a moment").to_string();
    let book = |n: usize| json!({"book": {"booking": format!("b{n}"), "start": moment(n), "end": moment(n + 1), "title": "", "by": "a"}});
    // Made by hand: booking each would read all before it.
    let mut adds = Vec::new();
    let span = |n: usize| {
        let mut writer = anabranch_causality::Writer::new();
        writer.signed(n as i64 * 60_000).signed((n as i64 + 1) * 60_000);
        writer.into_bytes()
    };
    for n in 0..MAX_BOOKINGS {
        let payload = [&[1, 1], &span(n)[..], &[1, b'a']].concat();
        adds.push(Add { position: n as u32, subkey: format!("\u{1}b{n}").into_bytes(), payload });
    }
    let effect = Effect { adds, ..Effect::new("c", Kind::CALENDAR, "k") };
    assert_eq!(Calendar.check(&effect), Ok(()));
    world.force(0, by(1, 1), effect);
    let why = rejected(world.ask(0, book(MAX_BOOKINGS)));
    assert_eq!(why, "this calendar has 10000 bookings, and that is the limit: use another key, such as one per year");

    let mut world = alone();
    for n in 0..MAX_CHANGES {
        world.ask(0, move_to("x", "9", if n % 2 == 0 { "11" } else { "10" })).expect("accepted");
    }
    assert!(rejected(world.ask(0, move_to("x", "9", "11"))).contains("was changed 1000 times"));
    world.ask(0, cancel("x")).expect("it can still be cancelled");
    assert!(rejected(world.ask(0, cancel("x"))).contains("which is the limit"));
}

#[test]
fn what_calendars_refuse() {
    let mut world = World::new(&Calendar, 1);
    let refused = world.apply(0, by(1, 1), &[Operation::Delete], None);
    assert!(
        matches!(&refused, Err(Rejection::NotSupported(why)) if why.starts_with("delete is not supported by calendar; it takes"))
    );
    assert_eq!(rejected(world.ask(0, cancel("x"))), "there is no booking x here");
    assert_eq!(rejected(world.ask(0, move_to("x", "9", "10"))), "there is no booking x here");
    let Ok(Operation::Book(mut booking)) = Operation::from_json(Kind::CALENDAR, book("x", "9", "10", "Ann")) else {
        panic!("a booking")
    };
    std::mem::swap(&mut booking.span.start, &mut booking.span.end);
    rejected(world.apply(0, by(1, 1), &[Operation::Book(booking)], None));
}

#[test]
fn check_refuses_what_no_calendar_wrote() {
    let of = |subkey: &[u8], payload: &[u8]| Effect {
        adds: vec![Add { position: 0, subkey: subkey.to_vec(), payload: payload.to_vec() }],
        ..Effect::new("c", Kind::CALENDAR, "k")
    };
    assert_eq!(Calendar.check(&of(b"\x01x", b"\x01\x03\x01a")), Ok(()));
    let cancelled = b"\x01\x03\x01a";
    for subkey in [&b""[..], b"\x01", b"\x02x", b"\x04x", b"\x05x", b"\x01x@"] {
        assert!(Calendar.check(&of(subkey, cancelled)).is_err(), "{subkey:?}");
    }
    for payload in [&b""[..], b"\x02\x03\x01a", b"\x01\x03\x00", b"\x01\x07\x01a", b"\x01\x03\x01a\x00"] {
        assert!(Calendar.check(&of(b"\x01x", payload)).is_err(), "{payload:?}");
    }
    let tags = vec![Tag { operation: by(1, 1), position: 0 }];
    let takes = |subkey: &[u8]| Effect {
        supersedes: vec![Supersede { subkey: subkey.to_vec(), tags: tags.clone() }],
        ..Effect::new("c", Kind::CALENDAR, "k")
    };
    assert_eq!(Calendar.check(&takes(b"\x01x")), Ok(()));
    assert!(Calendar.check(&takes(b"\x02x")).is_err(), "history stays");
    assert!(Calendar.check(&Effect::new("c", Kind::CART, "k")).is_err());
}

#[test]
fn rows_are_shown_for_people() {
    let mut world = contested();
    world.ask(0, resolve(conflict(&world, 0).id, &["x"], "Dee")).expect("accepted");
    let rows = world.replicas[0].all_rows().iter();
    let shown: Vec<Value> = rows.map(|((subkey, _), (_, payload))| Calendar.show(subkey, payload)).collect();
    assert_eq!(shown[0]["place"], "kept");
    assert_eq!((&shown[1]["place"], &shown[1]["by"]), (&json!("bumped"), &json!("Dee")));
    assert_eq!((&shown[2]["history"], &shown[4]["note"]), (&json!("booked"), &json!("Dee says so")));
    assert_eq!(Calendar.show(b"\x09", b""), Value::Null);
}

#[test]
fn a_value_too_long_is_left_out() {
    let world = contested();
    let length = world.value(0).expect("a calendar").to_string().len();
    let truncated = |most| Calendar.value(&world.replicas[0], most).expect("reads").expect("a calendar").truncated;
    assert!(!truncated(length) && truncated(length - 1) && truncated(0));
}
