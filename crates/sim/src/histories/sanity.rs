//! What makes sense at all: nothing out of thin air, nothing of what failed.
//!
//! Judged is every answered read. Each number that it shows under a key must be that of a write to that key which began before
//! the read ended, and did not fail. Then causality has no cycle: by one clock, each step from a write to a read that shows it
//! and on to what the reader does next leads to a later beginning.

use super::event::{Action, Event, Outcome};
use super::history::History;
use super::scope::Scope;
use super::story::Told;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, _: &Scope) -> Vec<Violation> {
    let mut found = Vec::new();
    for event in history.events().iter().filter(|event| event.result == Outcome::Ok) {
        let Action::Read { seen } = &event.action else { continue };
        let shown = seen.iter().flat_map(|(key, ids)| ids.iter().map(move |id| (key, *id)));
        let wrong = shown.filter_map(|(key, id)| Some((key, id, wrong(history, event, key, id)?))).next();
        if let Some((key, id, why)) = wrong {
            let story = format!("{} of {key:?} shows {id}, {why}", Told(event));
            found.push(Violation { rule: "sanity", event: event.id, story });
        }
    }
    found
}

fn wrong(history: &History, read: &Event, key: &str, id: u64) -> Option<String> {
    let Some(number) = history.write(id) else { return Some("which nobody wrote".to_owned()) };
    let write = history.event_of(number);
    let Action::Write { keys, .. } = &write.action else { return None };
    if write.result == Outcome::Fail {
        return Some(format!("but {} failed", Told(write)));
    }
    if write.invoke_us >= read.end_us {
        return Some(format!("but {} began later", Told(write)));
    }
    (!keys.iter().any(|other| other == key)).then(|| format!("but {} is on other keys", Told(write)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::example::{NONE, eventual, failed, found, info, read, write};

    fn shows(write: Event) -> Vec<u64> {
        found(check, &[write, eventual(read(2, "r", 30..40, &[("a", &[7])]))])
    }

    #[test]
    fn thin_air_is_found() {
        assert_eq!(found(check, &[read(2, "r", 30..40, &[("a", &[7])])]), [2], "nobody wrote it");
        assert_eq!(shows(failed(write(1, "s", 10..20, 7, &["a"]))), [2]);
        assert_eq!(shows(write(1, "s", 40..50, 7, &["a"])), [2], "written later");
        assert_eq!(shows(write(1, "s", 10..20, 7, &["b"])), [2], "another key");
    }

    #[test]
    fn causality_without_a_beginning_is_found() {
        let events = [
            read(1, "s", 10..20, &[("a", &[8])]),
            write(2, "s", 20..30, 7, &["b"]),
            read(3, "t", 15..25, &[("b", &[7])]),
            write(4, "t", 25..35, 8, &["a"]),
        ];
        assert_eq!(found(check, &events), [1]);
    }

    #[test]
    fn what_may_be_is_not_blamed() {
        assert_eq!(shows(write(1, "s", 39..90, 7, &["b", "a"])), NONE, "not answered yet");
        assert_eq!(shows(info(write(1, "s", 10..20, 7, &["a"]))), NONE, "it took effect after all");
        let unanswered = info(read(2, "r", 30..40, &[("a", &[7])]));
        assert_eq!(found(check, &[unanswered]), NONE);
    }
}
