//! What went wrong, told so that a person can follow it.

use super::event::{Action, Event};
use super::history::History;
use std::fmt;

/// Why a read had to show a write.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// Its session wrote it.
    Own,
    /// It shows it, under another key.
    OtherKey,
    /// Its session had seen it, in that event.
    Seen(usize),
    /// What it shows came after it.
    Shown(u32),
    /// What its session had seen came after it: what, and in which event.
    SeenAfter(u32, usize),
    /// The token covers it, or what another session handed over.
    Carried,
}

/// A read does not show a write that it had to. `count`: how many it lacks.
pub(crate) fn missing(history: &History, event: usize, (key, write): (u32, u32), cause: Cause, count: usize) -> String {
    let (read, lacked) = (Told(&history.events()[event]), Told(history.event_of(write)));
    let (key, id) = (history.keys.name(key), id(history, write));
    let others = Others(count - 1);
    format!("{read} of {key:?} does not show {id}{others}, from {lacked}: {}", why(history, id, cause))
}

fn why(history: &History, lacked: u64, cause: Cause) -> String {
    let told = |event: usize| Told(&history.events()[event]);
    let after = |shown: u32| {
        let by = Told(history.event_of(shown));
        format!("{}, which has {lacked} in its past, from {by}", id(history, shown))
    };
    match cause {
        Cause::Own => "the same session wrote that before".to_owned(),
        Cause::OtherKey => "it does show that under another key".to_owned(),
        Cause::Seen(event) => format!("the same session had seen that in {}", told(event)),
        Cause::Shown(shown) => format!("it does show {}", after(shown)),
        Cause::SeenAfter(shown, event) => {
            format!("the same session had seen, in {}, {}", told(event), after(shown))
        }
        Cause::Carried => "its token covers that, or what another session handed over".to_owned(),
    }
}

fn id(history: &History, write: u32) -> u64 {
    history.writes[write as usize].id
}

/// An event in a few words.
pub(crate) struct Told<'a>(pub(crate) &'a Event);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Event { id, session, node, end_us, action, .. } = self.0;
        let what = match action {
            Action::Read { .. } => "read",
            Action::Write { .. } => "write",
            Action::Add { .. } => "add",
            Action::Count { .. } => "count",
            Action::Join { .. } => "join",
        };
        write!(f, "{what} {id} (session {session}")?;
        if let Some(node) = node {
            write!(f, " at {node}")?;
        }
        write!(f, ", {}.{:06} s)", end_us / 1_000_000, end_us % 1_000_000)
    }
}

/// How many more there are.
struct Others(usize);

impl fmt::Display for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 > 0 { write!(f, " and {} more", self.0) } else { Ok(()) }
    }
}
