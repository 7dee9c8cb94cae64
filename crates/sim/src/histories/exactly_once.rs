//! Exactly once: what was acknowledged counts, and nothing counts twice, however often it was sent.
//!
//! Judged are counters, by their operations: one that was answered ok in any attempt counts once, one that was surely not done
//! does not count, any other may count once. Every answered read of a counter shows no more than may have been counted by then;
//! each last one shows no less than was acknowledged, and the same as the other last ones. And no answered read shows a member
//! of a set twice.

use super::event::{Action, Event, Outcome};
use super::history::History;
use super::scope::Scope;
use super::story::Told;
use super::violation::Violation;
use std::collections::{BTreeMap, BTreeSet};

const RULE: &str = "exactly once";

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, _: &Scope) -> Vec<Violation> {
    let counters = counters(history);
    let mut lasts = BTreeMap::new();
    let mut found = Vec::new();
    let none = Counter::default();
    for event in history.events().iter().filter(|event| event.result == Outcome::Ok) {
        let wrong = match &event.action {
            Action::Count { counter, value, last } => {
                let of_counter = counters.get(counter.as_str()).unwrap_or(&none);
                let bounds = of_counter.wrong(event, *value, *last);
                let differs = || last.then(|| differs(&mut lasts, counter, *value, event)).flatten();
                bounds.or_else(differs).map(|why| format!("{} says {counter:?} is {value}, {why}", Told(event)))
            }
            Action::Read { seen } => twice(event, seen),
            _ => None,
        };
        found.extend(wrong.map(|story| Violation { rule: RULE, event: event.id, story }));
    }
    found
}

/// The last reads of a counter, at whichever nodes, are one.
fn differs<'a>(
    lasts: &mut BTreeMap<&'a str, (i64, &'a Event)>,
    counter: &'a str,
    value: i64,
    event: &'a Event,
) -> Option<String> {
    let (before, other) = lasts.entry(counter).or_insert((value, event));
    (*before != value).then(|| format!("but {} says {before}", Told(other)))
}

fn twice(event: &Event, seen: &BTreeMap<String, Vec<u64>>) -> Option<String> {
    seen.iter().find_map(|(key, ids)| {
        let mut once = BTreeSet::new();
        let again = ids.iter().find(|id| !once.insert(**id))?;
        Some(format!("{} of {key:?} shows {again} twice", Told(event)))
    })
}

/// The operations on one counter.
#[derive(Default)]
struct Counter {
    acknowledged: i64,
    /// When those began that count or may count.
    began: Vec<u64>,
}

impl Counter {
    fn wrong(&self, event: &Event, value: i64, last: bool) -> Option<String> {
        let most = self.began.partition_point(|began| *began < event.end_us) as i64;
        if value > most {
            return Some(format!("but only {most} were asked for by then"));
        }
        (last && value < self.acknowledged).then(|| format!("but {} were acknowledged", self.acknowledged))
    }
}

fn counters(history: &History) -> BTreeMap<&str, Counter> {
    // Per operation: whether it counts, and when its first attempt began that may.
    let mut operations: BTreeMap<(&str, u64), (bool, u64)> = BTreeMap::new();
    for event in history.events().iter().filter(|event| event.result != Outcome::Fail) {
        if let Action::Add { operation, counter } = &event.action {
            let found = operations.entry((counter, *operation)).or_insert((false, u64::MAX));
            *found = (found.0 || event.result == Outcome::Ok, found.1.min(event.invoke_us));
        }
    }
    let mut counters: BTreeMap<&str, Counter> = BTreeMap::new();
    for ((name, _), (counts, began)) in operations {
        let counter = counters.entry(name).or_default();
        counter.acknowledged += i64::from(counts);
        counter.began.push(began);
    }
    counters.values_mut().for_each(|counter| counter.began.sort_unstable());
    counters
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::example::{NONE, add, count, failed, found, info, read};

    fn ends_at(adds: &[Event], values: &[i64]) -> Vec<u64> {
        let lasts = values.iter().zip(101..).map(|(value, id)| count(id, 1_000..1_010, *value, true));
        found(check, &adds.iter().cloned().chain(lasts).collect::<Vec<_>>())
    }

    #[test]
    fn lost_and_doubled_counts_are_found() {
        let adds = [add(1, 10..20, 1), info(add(2, 10..20, 2)), failed(add(3, 10..20, 3)), add(4, 10..20, 4)];
        assert_eq!(ends_at(&adds, &[1]), [101], "one that was acknowledged is lost");
        assert_eq!(ends_at(&adds, &[2]), NONE);
        assert_eq!(ends_at(&adds, &[3]), NONE, "the unknown one took effect");
        assert_eq!(ends_at(&adds, &[4]), [101], "one counts twice, or what failed counts");
        assert_eq!(ends_at(&[], &[0]), NONE);
        assert_eq!(ends_at(&[], &[1]), [101]);
    }

    #[test]
    fn replicas_end_with_the_same() {
        let adds = [info(add(1, 10..20, 1))];
        assert_eq!(ends_at(&adds, &[0, 0, 1]), [103]);
        assert_eq!(ends_at(&adds, &[1, 1]), NONE);
    }

    #[test]
    fn attempts_of_one_operation_count_once() {
        let attempts = [info(add(1, 10..20, 1)), failed(add(2, 20..30, 1)), add(3, 30..40, 1)];
        assert_eq!(ends_at(&attempts, &[1]), NONE);
        assert_eq!(ends_at(&attempts, &[0]), [101]);
        assert_eq!(ends_at(&attempts, &[2]), [101]);
    }

    #[test]
    fn on_the_way_no_more_shows_than_was_asked_for() {
        let adds = [add(1, 10..20, 1), info(add(2, 30..40, 2))];
        let early = |value| found(check, &[adds.as_slice(), &[count(3, 25..29, value, false)]].concat());
        assert_eq!((early(0), early(1), early(2)), (vec![], vec![], vec![3]));
    }

    #[test]
    fn members_that_show_twice_are_found() {
        assert_eq!(found(check, &[read(1, "s", 10..20, &[("a", &[7, 8, 7])])]), [1]);
        assert_eq!(found(check, &[read(1, "s", 10..20, &[("a", &[7]), ("b", &[7])])]), NONE);
    }
}
