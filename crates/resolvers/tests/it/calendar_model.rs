//! What a calendar must show, by brute force: from who asked for what having seen what, without the resolver's code. It plays each
//! request again on what its leader had seen, so it says for itself what is superseded, too.

use anabranch_causality::{Actor, Hlc, OperationId, Tag, Transaction, hash64};
use anabranch_resolvers::calendar::booking_id;
use anabranch_resolvers::laws::{self, Naive, Random};
use anabranch_resolvers::{Booking, ConflictId, Keep, Moment, Operation, Resolution, Span};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// From when to when, in milliseconds.
type Time = (i64, i64);
/// Title, and who.
type Names = (String, String);
/// A time that a booking has, and whose it is, as far as that is said.
type Taken = (Time, Option<Names>);

/// What somebody said about where a booking is.
#[derive(Clone, Debug)]
struct Said {
    tag: Tag,
    booking: String,
    place: Place,
    /// The `Book` that it goes back to, where that is said.
    book: Option<Tag>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    At(Time),
    Bumped,
    Cancelled,
}

#[derive(Clone, Debug)]
struct Booked {
    tag: Tag,
    booking: String,
    names: Names,
}

/// What a request does.
#[derive(Clone, Debug, Default)]
struct Does {
    says: Vec<Said>,
    takes_back: Vec<Tag>,
    books: Vec<Booked>,
    /// Times that a booking was given, and the row that remembers it.
    times: Vec<(String, Tag, Time)>,
}

/// What several requests come to.
struct World<'a> {
    said: Vec<&'a Said>,
    books: Vec<&'a Booked>,
    times: Vec<&'a (String, Tag, Time)>,
}

/// An option of a conflict.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    name: String,
    booking: String,
    time: Time,
    book: Option<Tag>,
    names: Names,
}

impl<'a> World<'a> {
    fn of(done: impl Iterator<Item = &'a Does> + Clone) -> Self {
        let gone: BTreeSet<Tag> = done.clone().flat_map(|does| does.takes_back.iter().copied()).collect();
        let said: BTreeMap<Tag, &Said> =
            done.clone().flat_map(|does| &does.says).map(|said| (said.tag, said)).collect();
        let books: BTreeMap<Tag, &Booked> =
            done.clone().flat_map(|does| &does.books).map(|book| (book.tag, book)).collect();
        let times: BTreeMap<Tag, BTreeMap<&str, &(String, Tag, Time)>> =
            done.flat_map(|does| &does.times).fold(BTreeMap::new(), |mut times, time| {
                times.entry(time.1).or_default().insert(&time.0, time);
                times
            });
        Self {
            said: said.into_values().filter(|said| !gone.contains(&said.tag)).collect(),
            books: books.into_values().collect(),
            times: times.into_values().flat_map(BTreeMap::into_values).collect(),
        }
    }

    fn bookings(&self) -> BTreeSet<&'a str> {
        let said = self.said.iter().map(|said| said.booking.as_str());
        said.chain(self.books.iter().map(|book| book.booking.as_str())).collect()
    }

    /// What counts of what was said: nothing that came after something later of the same session.
    fn counting(&self, booking: &str) -> Vec<&'a Said> {
        let all: Vec<&Said> = self.said.iter().copied().filter(|said| said.booking == booking).collect();
        let is_late = |said: &Said| {
            all.iter().any(|other| {
                matches!(said.tag.operation.actor, Actor::Session(_))
                    && other.tag.operation.actor == said.tag.operation.actor
                    && other.tag.operation.counter > said.tag.operation.counter
            })
        };
        all.iter().copied().filter(|said| !is_late(said)).collect()
    }

    fn books_of(&self, booking: &str) -> Vec<&'a Booked> {
        self.books.iter().copied().filter(|book| book.booking == booking).collect()
    }

    /// The times of a booking, with whose each is.
    fn choices(&self, booking: &str) -> Vec<Choice> {
        let books = self.books_of(booking);
        let names_of =
            |tag: Option<Tag>| books.iter().find(|book| Some(book.tag) == tag).map(|book| book.names.clone());
        let all_one = books.iter().all(|book| book.names == books[0].names);
        let mut found: BTreeMap<Taken, Option<Tag>> = BTreeMap::new();
        for said in self.counting(booking) {
            let Place::At(time) = said.place else { continue };
            let book = if all_one { books.first().map(|book| book.tag) } else { said.book };
            let lowest = found.entry((time, names_of(book))).or_insert(book);
            *lowest = book.min(*lowest);
        }
        let last = books.last().map(|book| book.names.clone()).unwrap_or_default();
        let several = found.len() > 1;
        let times: Vec<Time> = found.keys().map(|(time, _)| *time).collect();
        let choice = |((time, names), book): (Taken, Option<Tag>)| {
            let mut name = booking.to_owned();
            let is_known = names.is_some();
            let names = names.unwrap_or_else(|| last.clone());
            if several {
                name = format!("{name}@{}/{}", text(time.0), text(time.1));
            }
            if times.iter().filter(|other| **other == time).count() > 1 {
                let (title, by) = (names.0.as_bytes(), names.1.as_bytes());
                let parts = [&[u8::from(is_known)][..], &(title.len() as u64).to_le_bytes(), title, by];
                name = format!("{name}/{:016x}", hash64("anabranch claim 1", &parts));
            }
            Choice { name, booking: booking.to_owned(), time, book, names }
        };
        found.into_iter().map(choice).collect()
    }

    fn is_at_odds(&self, booking: &str) -> bool {
        let has_time = !self.choices(booking).is_empty();
        let has_none = self.counting(booking).iter().any(|said| !matches!(said.place, Place::At(_)));
        self.choices(booking).len() > 1 || (has_time && has_none)
    }

    /// Bookings that reach each other over overlaps, and lone ones that are at odds with themselves.
    fn groups(&self) -> Vec<BTreeSet<&'a str>> {
        let bookings: Vec<&str> = self.bookings().into_iter().collect();
        let times: BTreeMap<&str, Vec<Time>> =
            bookings.iter().map(|id| (*id, self.choices(id).iter().map(|choice| choice.time).collect())).collect();
        let meet = |a: &str, b: &str| times[a].iter().any(|one| times[b].iter().any(|other| overlap(*one, *other)));
        let mut groups: Vec<BTreeSet<&str>> = Vec::new();
        for booking in &bookings {
            let (near, far) =
                groups.into_iter().partition(|group: &BTreeSet<&str>| group.iter().any(|other| meet(booking, other)));
            groups = far;
            let near: Vec<BTreeSet<&str>> = near;
            groups.push(near.into_iter().flatten().chain([*booking]).collect());
        }
        groups.retain(|group| group.len() > 1 || group.iter().any(|booking| self.is_at_odds(booking)));
        groups.sort();
        groups
    }

    fn id(&self, group: &BTreeSet<&str>) -> ConflictId {
        let said = self.said.iter().filter(|said| group.contains(said.booking.as_str())).map(|said| said.tag);
        let books = self.books.iter().filter(|book| group.contains(book.booking.as_str())).map(|book| book.tag);
        ConflictId::of(said.chain(books))
    }

    fn is_cancelled(&self, booking: &str) -> bool {
        self.counting(booking).iter().any(|said| said.place == Place::Cancelled)
    }
}

fn overlap(a: Time, b: Time) -> bool {
    a.0.max(b.0) < a.1.min(b.1)
}

fn text(ms: i64) -> String {
    Moment::from_ms(ms).expect("a moment").to_string()
}

fn time(span: &Span) -> Time {
    (span.start.ms(), span.end.ms())
}

/// What a request does whose leader had seen `past`.
fn play(id: OperationId, asked: &[Operation], past: &[&Does]) -> Does {
    let mut mine = Does::default();
    let mut position = 0;
    for operation in asked {
        let world = World::of(past.iter().copied().chain([&mine]));
        let more = play_one(id, operation, &world, &mut position);
        mine.says.extend(more.says);
        mine.takes_back.extend(more.takes_back);
        mine.books.extend(more.books);
        mine.times.extend(more.times);
    }
    mine
}

fn play_one(id: OperationId, operation: &Operation, world: &World<'_>, position: &mut u32) -> Does {
    let mut does = Does::default();
    let first = *position;
    let mut next = || {
        *position += 1;
        Tag { operation: id, position: *position - 1 }
    };
    let takes_back = |booking: &str| -> Vec<Tag> {
        let is_later = |tag: &Tag| {
            let same = matches!(id.actor, Actor::Session(_)) && tag.operation.actor == id.actor;
            same && tag.operation.counter > id.counter
        };
        let of_it = world.said.iter().filter(|said| said.booking == booking).map(|said| said.tag);
        of_it.filter(|tag| !is_later(tag)).collect()
    };
    match operation {
        Operation::Book(Booking { booking, span, title, by }) => {
            let booking = booking.clone().unwrap_or_else(|| booking_id(id, first));
            let book = next();
            does.times.push((booking.clone(), book, time(span)));
            does.books.push(Booked { tag: book, booking: booking.clone(), names: (title.clone(), by.clone()) });
            does.says.push(Said { tag: next(), booking, place: Place::At(time(span)), book: Some(book) });
        }
        Operation::Move { booking, span, .. } => {
            does.takes_back = takes_back(booking);
            does.says.push(Said { tag: next(), booking: booking.clone(), place: Place::At(time(span)), book: None });
            does.times.push((booking.clone(), next(), time(span)));
        }
        Operation::Cancel { booking, .. } => {
            does.takes_back = takes_back(booking);
            does.says.push(Said { tag: next(), booking: booking.clone(), place: Place::Cancelled, book: None });
            next();
        }
        Operation::Resolve(Resolution { conflict, keep: Keep::Options(keep), .. }) => {
            let groups = world.groups();
            let group = groups.iter().find(|group| world.id(group) == *conflict).expect("it stood there");
            let mut kept = Vec::new();
            for booking in group {
                does.takes_back.extend(takes_back(booking));
                let choice = world.choices(booking).into_iter().find(|choice| keep.contains(&choice.name));
                let place = match &choice {
                    Some(choice) => Place::At(choice.time),
                    None if world.is_cancelled(booking) => Place::Cancelled,
                    None => Place::Bumped,
                };
                let book = choice.as_ref().and_then(|choice| choice.book);
                does.says.push(Said { tag: next(), booking: (*booking).to_owned(), place, book });
                kept.extend(choice);
            }
            let row = next();
            assert!(kept.iter().all(|a| kept.iter().all(|b| a == b || !overlap(a.time, b.time))), "kept what overlaps");
            does.times.extend(kept.into_iter().map(|choice| (choice.booking, row, choice.time)));
        }
        other => panic!("{other:?} is no calendar's"),
    }
    does
}

/// What each transaction does, those that others have seen first.
fn all_done(naive: &Naive) -> Vec<Does> {
    let sees = |one: &Transaction, other: &Transaction| {
        let (dot, of) = (other.dot, one.dot);
        if dot.origin == of.origin { dot.seq < of.seq } else { dot.seq <= one.dependencies.get(dot.origin) }
    };
    let mut done: Vec<(&Transaction, Does)> = Vec::new();
    let mut waiting: Vec<&Transaction> = naive.transactions.iter().collect();
    while !waiting.is_empty() {
        let is_ready = |one: &&Transaction| waiting.iter().all(|other| !sees(one, other));
        let (ready, later): (Vec<&Transaction>, Vec<&Transaction>) = waiting.iter().partition(|one| is_ready(one));
        for transaction in ready {
            let past: Vec<&Does> =
                done.iter().filter(|(other, _)| sees(transaction, other)).map(|(_, does)| does).collect();
            let does = play(transaction.operation, &naive.requests[&transaction.operation], &past);
            done.push((transaction, does));
        }
        waiting = later;
    }
    done.into_iter().map(|(_, does)| does).collect()
}

/// The value.
pub(crate) fn calendar(naive: &Naive) -> Option<Value> {
    let done = all_done(naive);
    let world = World::of(done.iter());
    let bookings = world.bookings();
    if bookings.is_empty() {
        return None;
    }
    let stamps =
        naive.transactions.iter().fold(BTreeMap::new(), |mut stamps: BTreeMap<OperationId, Hlc>, transaction| {
            let stamp = stamps.entry(transaction.operation).or_insert(transaction.hlc);
            *stamp = transaction.hlc.min(*stamp);
            stamps
        });
    let groups = world.groups();
    let mut listed: Vec<(Time, &str, Names, &str)> = Vec::new();
    for booking in bookings {
        let choices = world.choices(booking);
        if choices.is_empty() {
            let times = world.times.iter().filter(|(of, _, _)| of == booking);
            let last = times.max_by_key(|(_, tag, _)| (stamps[&tag.operation], *tag)).expect("it was booked");
            let names = world.books_of(booking).last().expect("it was booked").names.clone();
            listed.push((last.2, booking, names, if world.is_cancelled(booking) { "cancelled" } else { "bumped" }));
        }
        let contested = groups.iter().any(|group| group.contains(booking));
        let status = if contested { "contested" } else { "confirmed" };
        listed.extend(choices.into_iter().map(|choice| (choice.time, booking, choice.names, status)));
    }
    listed.sort();
    let entry = |(time, booking, (title, by), status): (Time, &str, Names, &str)| json!({ "booking": booking, "start": text(time.0), "end": text(time.1), "title": title, "by": by, "status": status });
    let conflict = |group: &BTreeSet<&str>| json!({ "conflict": world.id(group).to_string(), "bookings": group });
    let conflicts: Vec<Value> = groups.iter().map(conflict).collect();
    Some(json!({ "bookings": listed.into_iter().map(entry).collect::<Vec<_>>(), "conflicts": conflicts }))
}

const HOUR: i64 = 3_600_000;

fn any_span(random: &mut Random) -> Span {
    let start = random.below(60) as i64;
    let end = start + 1 + random.below(4) as i64 / 2;
    let moment = |hour: i64| Moment::from_ms(hour * HOUR).expect("a moment");
    Span { start: moment(start), end: moment(end) }
}

fn any_word(random: &mut Random, words: &[&str]) -> String {
    words[random.index(words.len())].to_owned()
}

/// Few hours and few names: much happens to each.
pub(crate) fn any_calendar_operation(random: &mut Random) -> Operation {
    let most = if random.chance(1, 2) { 8 } else { 60 };
    let booking = format!("b{}", random.below(most));
    let by = any_word(random, &["Ann", "Bob", "Cem"]);
    match random.below(20) {
        0..=10 => {
            let booking = random.chance(9, 10).then_some(booking);
            let title = any_word(random, &["", "Standup", "ü\"\n"]);
            Operation::Book(Booking { booking, span: any_span(random), title, by })
        }
        11..=14 => Operation::Move { booking, span: any_span(random), by },
        15 => Operation::Cancel { booking, by },
        _ => {
            let count = [0, 1, 1, 1, 1, 2][random.index(6)];
            let keep: Vec<usize> = (0..count).map(|_| random.index(6)).collect();
            match laws::resolution(random.below(4), &keep) {
                Operation::Resolve(resolution) => {
                    let note = random.chance(1, 2).then(|| "because".to_owned());
                    Operation::Resolve(Resolution { by: random.chance(3, 4).then_some(by), note, ..resolution })
                }
                other => other,
            }
        }
    }
}
