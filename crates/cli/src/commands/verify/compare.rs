//! Comparing what nodes hold.

use super::node::{Heard, Shard, State};
use crate::failure::Failure;

/// How nodes compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Equal vectors, equal digests.
    Equal,
    /// Equal vectors, different digests: whom it concerns.
    Different(Vec<String>),
    /// One is missing, or has not applied what another has: which, and what.
    Behind(Vec<String>),
}

impl Verdict {
    /// Whether waiting longer changes nothing.
    pub(super) fn is_definite(&self) -> bool {
        !matches!(self, Self::Behind(_))
    }
}

/// Compares every two nodes.
///
/// # Errors
/// If they cannot be compared at all: they are of several clusters, or one is named twice.
pub(super) fn compare(heard: &[Heard]) -> Result<Verdict, Failure> {
    let (mut different, mut behind) = (Vec::new(), Vec::new());
    for (at, one) in heard.iter().enumerate() {
        let Ok(state) = &one.state else {
            behind.extend(one.state.as_ref().err().map(|problem| format!("{} is missing: {problem}", one.name)));
            continue;
        };
        for other in &heard[at + 1..] {
            let Ok(others) = &other.state else { continue };
            if one.name == other.name {
                return Err(Failure::usage(format!("{} was named twice", one.name)).next("name every node once"));
            }
            if state.cluster != others.cluster {
                let what = format!(
                    "{} is of cluster {:?}, {} of {:?}: they never hold the same",
                    one.name, state.cluster, other.name, others.cluster
                );
                return Err(Failure::failed(what));
            }
            pair(one, state, other, others, &mut different, &mut behind);
        }
    }
    Ok(match (different.is_empty(), behind.is_empty()) {
        (false, _) => Verdict::Different(different),
        (true, false) => Verdict::Behind(behind),
        (true, true) => Verdict::Equal,
    })
}

fn pair(
    one: &Heard,
    state: &State,
    other: &Heard,
    others: &State,
    different: &mut Vec<String>,
    behind: &mut Vec<String>,
) {
    let empty = Shard { vector: Default::default(), digest: String::new() };
    let mut numbers: Vec<_> = state.shards.keys().chain(others.shards.keys()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    for number in numbers {
        let (left, right) = (state.shards.get(number), others.shards.get(number));
        match (left, right) {
            (Some(left), Some(right)) if left.vector == right.vector => {
                if left.digest != right.digest {
                    different.push(format!(
                        "shard {number} of {} and {} at the same vector {}: digests {} and {}",
                        one.name,
                        other.name,
                        in_short(left),
                        left.digest,
                        right.digest
                    ));
                }
            }
            _ => {
                let (left, right) = (left.unwrap_or(&empty), right.unwrap_or(&empty));
                behind.extend(lacks(&one.name, left, &other.name, right));
                behind.extend(lacks(&other.name, right, &one.name, left));
            }
        }
    }
}

/// Where the first has less than the second. An entry that is missing says nothing about who is behind: a newer origin
/// may imply it. So this tells what each has, and no more.
fn lacks(name: &str, shard: &Shard, than: &str, other: &Shard) -> Option<String> {
    let less = other.vector.iter().filter_map(|(origin, last)| match shard.vector.get(origin) {
        Some(have) if have >= last => None,
        Some(have) => Some(format!("{origin} to {have} of {last}")),
        None => Some(format!("{origin} not at all, of {last}")),
    });
    let less: Vec<_> = less.collect();
    (!less.is_empty()).then(|| format!("beside {than}, {name} has {}", less.join(", ")))
}

fn in_short(shard: &Shard) -> String {
    let entries: Vec<_> = shard.vector.iter().map(|(origin, last)| format!("{origin}:{last}")).collect();
    format!("{{{}}}", entries.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::node::{Heard, Shard, State};
    use super::{Verdict, compare};

    fn heard(name: &str, applied: u64, digest: &str) -> Heard {
        let shard = Shard { vector: [("o1".to_owned(), applied)].into(), digest: digest.to_owned() };
        let state = State { cluster: "shop".to_owned(), shards: [(0, shard)].into() };
        Heard { name: name.to_owned(), state: Ok(state) }
    }

    fn verdict(heard: &[Heard]) -> Verdict {
        compare(heard).unwrap_or_else(|failure| panic!("{failure}"))
    }

    #[test]
    fn equal_vectors_and_digests_are_equal() {
        assert_eq!(verdict(&[heard("a", 3, "d"), heard("b", 3, "d"), heard("c", 3, "d")]), Verdict::Equal);
    }

    #[test]
    fn a_different_digest_is_found_and_named_even_when_another_is_behind() {
        let found = verdict(&[heard("a", 3, "d"), heard("b", 3, "e"), heard("c", 2, "f")]);
        let Verdict::Different(what) = found else { panic!("{found:?}") };
        assert!(what[0].contains("a and b") && what[0].contains("o1:3"), "{what:?}");
    }

    #[test]
    fn who_is_behind_or_missing_is_named() {
        let missing = Heard { name: "c".to_owned(), state: Err("no answer".to_owned()) };
        let Verdict::Behind(what) = verdict(&[heard("a", 3, "d"), heard("b", 2, "e"), missing]) else {
            panic!("not behind")
        };
        assert_eq!(what, ["beside a, b has o1 to 2 of 3", "c is missing: no answer"]);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        assert!(compare(&[heard("a", 1, "d"), heard("a", 1, "d")]).is_err(), "the same node twice");
        let mut other = heard("b", 1, "d");
        if let Ok(state) = &mut other.state {
            state.cluster = "bank".to_owned();
        }
        assert!(compare(&[heard("a", 1, "d"), other]).is_err(), "another cluster");
    }
}
