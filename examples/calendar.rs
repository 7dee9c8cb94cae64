//! One room, two regions, and the line between them is cut. Who sees that a time is taken is refused; but two assistants who do not
//! see each other both book it, and both are told that they have it.
//!
//! When the line is back nobody has lost anything: the two bookings are contested in every region, until a person keeps one of them, with a
//! note. The outcome and the whole history are the same everywhere.
//!
//! `cargo run --release --example calendar`

// What it has to say.
#![allow(clippy::print_stdout)]

mod support;

use anabranch::collections::{Booked, BookingStatus, Calendar};
use anabranch::resolvers::calendar::{Event, Happened};
use anabranch::resolvers::{Booking, Conflict, Span};
use anabranch::{Refusal, Rejection, WriteError};
use std::process::ExitCode;
use support::{Delay, Failure, World};

const ROOM: &str = "room-7";
const REGIONS: [&str; 3] = ["eu", "us", "ap"];

/// Asia hears of Europe only through America.
fn wide_area(from: &str, to: &str) -> Option<Delay> {
    match (from, to) {
        ("eu", "us") => Some(40),
        ("us", "ap") => Some(25),
        _ => None,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    support::verdict(prove().await)
}

async fn prove() -> Result<bool, Failure> {
    let plan = REGIONS.map(|region| (region, None));
    let world = World::start(&plan, wide_area).await?;
    world.connected(|region| if region == "us" { 2 } else { 1 }).await?;
    let rooms = |region: &str| -> Result<Calendar, Failure> {
        let node = world.node_named(region).ok_or("no such region")?;
        Ok(node.database.calendar("rooms")?)
    };
    let (eu, us, ap) = (rooms("eu")?, rooms("us")?, rooms("ap")?);
    eu.book(ROOM, booking("training", "14:00", "15:00", "Training", "Ines")?)?;
    world.converged().await?;
    let refused = us.book(ROOM, booking("interview", "14:30", "15:30", "Interview", "Omar")?);
    let is_refused = is_slot_taken(&refused, "training");
    println!(
        "us sees the training, and is refused: {}",
        refused.err().map_or("no!".to_owned(), |error| error.to_string())
    );

    world.cut_off("eu", true);
    eu.book(ROOM, booking("board", "09:00", "10:00", "Board meeting", "Ines")?)?;
    us.book(ROOM, booking("call", "09:30", "11:00", "Client call", "Omar")?)?;
    let unseen = [statuses(&eu)?, statuses(&us)?];
    println!("\nthe line between eu and us is cut, and both book the morning:");
    tell(&[("eu", &eu), ("us", &us)], bookings)?;

    world.cut_off("eu", false);
    world.converged().await?;
    println!("\nthe line is back:");
    tell(&[("eu", &eu), ("us", &us)], bookings)?;
    let contested = [statuses(&eu)?, statuses(&us)?];
    let conflicts = [only(eu.conflicts(ROOM)?)?, only(us.conflicts(ROOM)?)?];
    let is_one = conflicts[0] == conflicts[1];

    us.resolve(ROOM, conflicts[1].id, &["board"], "Dana", Some("the board cannot move"))?;
    us.move_to(ROOM, "call", span("11:00", "12:30")?, "Omar")?;
    world.converged().await?;
    let all = [("eu", &eu), ("us", &us), ("ap", &ap)];
    println!("\nDana keeps the board meeting, and Omar moves the call:");
    tell(&all, bookings)?;
    println!("\nwhat is remembered:");
    tell(&all, history)?;
    let is_same = is_same(&all)? && eu.history(ROOM)?.len() == 5 && eu.conflicts(ROOM)?.is_empty();
    let ended = statuses(&ap)?;
    world.stop().await;
    use BookingStatus::{Confirmed, Contested};
    Ok(is_refused
        && unseen == [vec![Confirmed, Confirmed], vec![Confirmed, Confirmed]]
        && contested == [vec![Contested, Contested, Confirmed], vec![Contested, Contested, Confirmed]]
        && is_one
        && ended == [Confirmed, Confirmed, Confirmed]
        && is_same)
}

fn span(start: &str, end: &str) -> Result<Span, Failure> {
    let moment = |time: &str| format!("2026-03-02T{time}:00Z").parse();
    Ok(Span { start: moment(start)?, end: moment(end)? })
}

fn booking(id: &str, start: &str, end: &str, title: &str, by: &str) -> Result<Booking, Failure> {
    let (booking, title, by) = (Some(id.to_owned()), title.to_owned(), by.to_owned());
    Ok(Booking { booking, span: span(start, end)?, title, by })
}

fn is_slot_taken(result: &Result<String, WriteError>, by: &str) -> bool {
    match result {
        Err(WriteError::Refused(Refusal::Rejected { rejection: Rejection::SlotTaken { bookings, .. }, .. })) => {
            bookings == &[by]
        }
        _ => false,
    }
}

fn statuses(rooms: &Calendar) -> Result<Vec<BookingStatus>, Failure> {
    Ok(rooms.bookings(ROOM)?.into_iter().map(|booked| booked.status).collect())
}

fn only(conflicts: Vec<Conflict>) -> Result<Conflict, Failure> {
    let count = conflicts.len();
    conflicts.into_iter().next().filter(|_| count == 1).ok_or_else(|| format!("{count} conflicts").into())
}

fn is_same(all: &[(&str, &Calendar)]) -> Result<bool, Failure> {
    let first = all[0].1;
    for (_, rooms) in all {
        if rooms.bookings(ROOM)? != first.bookings(ROOM)? || rooms.history(ROOM)? != first.history(ROOM)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What each region has to say, side by side.
fn tell(all: &[(&str, &Calendar)], lines: fn(&Calendar) -> Result<Vec<String>, Failure>) -> Result<(), Failure> {
    let mut columns: Vec<Vec<String>> = Vec::new();
    for (region, rooms) in all {
        columns.push([vec![(*region).to_owned()], lines(rooms)?].concat());
    }
    let width = columns.iter().flatten().map(|line| line.chars().count()).max().unwrap_or_default();
    for row in 0..columns.iter().map(Vec::len).max().unwrap_or_default() {
        let cells = columns.iter().map(|column| format!("{:width$}", column.get(row).map_or("", String::as_str)));
        println!("  {}", cells.collect::<Vec<_>>().join("  | ").trim_end());
    }
    Ok(())
}

fn bookings(rooms: &Calendar) -> Result<Vec<String>, Failure> {
    let line = |booked: Booked| format!("{} {} {:?}", hours(booked.span), booked.title, booked.status).to_lowercase();
    Ok(rooms.bookings(ROOM)?.into_iter().map(line).collect())
}

fn history(rooms: &Calendar) -> Result<Vec<String>, Failure> {
    let line = |event: Event| {
        let what = match event.what {
            Happened::Booked { booking, span, .. } => format!("booked {booking}, {}", hours(span)),
            Happened::Moved { booking, span } => format!("moved {booking} to {}", hours(span)),
            Happened::Cancelled { booking } => format!("cancelled {booking}"),
            Happened::Resolved { kept, note, .. } => {
                let kept: Vec<String> = kept.into_iter().map(|(booking, _)| booking).collect();
                format!("kept {}: {}", kept.join(", "), note.unwrap_or_default())
            }
        };
        format!("{} {what}", event.by.unwrap_or_default())
    };
    Ok(rooms.history(ROOM)?.into_iter().map(line).collect())
}

fn hours(span: Span) -> String {
    let clock = |moment: anabranch::resolvers::Moment| moment.to_string().chars().skip(11).take(5).collect::<String>();
    format!("{}-{}", clock(span.start), clock(span.end))
}
