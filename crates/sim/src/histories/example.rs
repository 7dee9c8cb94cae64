//! Small histories, written by hand.

use super::event::{Action, Event, Outcome};
use super::history::History;
use super::scope::Scope;
use super::{Checker, text};
use anabranch_causality::{Dot, Origin, ShardId, Token};
use anabranch_session::Guarantees;
use std::ops::Range;

/// Nothing to complain of.
pub(crate) const NONE: [u64; 0] = [];

/// The events that a checker complains of. The cluster is "shop".
pub(crate) fn found(checker: Checker, events: &[Event]) -> Vec<u64> {
    let history = History::new(Some("shop"), events.to_vec()).expect("a history");
    checker(&history, &Scope::promised()).iter().map(|violation| violation.event).collect()
}

fn event(id: u64, session: &str, time: Range<u64>, action: Action) -> Event {
    Event {
        id,
        session: session.to_owned(),
        node: Some("n".to_owned()),
        guarantees: Guarantees::ALL,
        invoke_us: time.start,
        end_us: time.end,
        result: Outcome::Ok,
        action,
        token_in: None,
        token_out: None,
    }
}

/// An answered write with all guarantees.
pub(crate) fn write(id: u64, session: &str, time: Range<u64>, write: u64, keys: &[&str]) -> Event {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    event(id, session, time, Action::Write { write, keys, dot: None, sequenced_at: None, attempts: 1 })
}

/// An answered read with all guarantees.
pub(crate) fn read(id: u64, session: &str, time: Range<u64>, seen: &[(&str, &[u64])]) -> Event {
    let seen = seen.iter().map(|(key, ids)| ((*key).to_owned(), ids.to_vec())).collect();
    event(id, session, time, Action::Read { seen })
}

pub(crate) fn add(id: u64, time: Range<u64>, operation: u64) -> Event {
    event(id, "s", time, Action::Add { operation, counter: "c".to_owned() })
}

pub(crate) fn count(id: u64, time: Range<u64>, value: i64, last: bool) -> Event {
    event(id, "s", time, Action::Count { counter: "c".to_owned(), value, last })
}

pub(crate) fn join(id: u64, session: &str, time: Range<u64>, other: &str) -> Event {
    event(id, session, time, Action::Join { session: other.to_owned() })
}

pub(crate) fn asking(guarantees: &str, event: Event) -> Event {
    Event { guarantees: text::guarantees::parse(guarantees).expect("guarantees"), ..event }
}

pub(crate) fn eventual(event: Event) -> Event {
    asking("eventual", event)
}

pub(crate) fn info(event: Event) -> Event {
    Event { result: Outcome::Info, ..event }
}

pub(crate) fn failed(event: Event) -> Event {
    Event { result: Outcome::Fail, ..event }
}

pub(crate) fn at(node: &str, event: Event) -> Event {
    Event { node: Some(node.to_owned()), ..event }
}

pub(crate) fn carrying(event: Event, entries: &[(u64, u64)]) -> Event {
    let vector = entries.iter().map(|(origin, seq)| (Origin(*origin), *seq)).collect();
    Event { token_in: Some(Token::of(ShardId(0), vector).encode("shop")), ..event }
}

/// A write that stands there.
pub(crate) fn placed(event: Event, at_origin: u64, seq: u64) -> Event {
    changed(event, |action| {
        if let Action::Write { dot, .. } = action {
            *dot = Some(Dot { shard: ShardId(0), origin: Origin(at_origin), seq });
        }
    })
}

/// A write that this node sequenced.
pub(crate) fn sequenced(event: Event, node: &str) -> Event {
    changed(event, |action| {
        if let Action::Write { sequenced_at, .. } = action {
            *sequenced_at = Some(node.to_owned());
        }
    })
}

/// A write that was sent so often.
pub(crate) fn sent(times: u32, event: Event) -> Event {
    changed(event, |action| {
        if let Action::Write { attempts, .. } = action {
            *attempts = times;
        }
    })
}

fn changed(mut event: Event, change: impl FnOnce(&mut Action)) -> Event {
    change(&mut event.action);
    event
}
