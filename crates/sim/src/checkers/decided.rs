//! What a person decided stands until somebody who saw it writes there: two who decide at once, each for something else, never
//! take away what the other one kept. Worked out from what people saw and chose, not from what the leaders made of it.

use super::spec::State;
use crate::past::Pasts;
use anabranch_causality::{Dot, Kind, Transaction};
use anabranch_resolvers::ConflictId;
use serde_json::Value;
use std::collections::BTreeSet;

/// What somebody chose of a register's conflict.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) conflict: ConflictId,
    pub(crate) collection: String,
    pub(crate) key: String,
    pub(crate) kept: Value,
}

/// A decision that took effect, and where it was sequenced.
pub(crate) struct Taken<'a> {
    pub(crate) decision: &'a Decision,
    pub(crate) dots: Vec<Dot>,
}

/// Checks the decisions against what survives of `log`. Returns how many pairs of them chose differently at once.
pub(crate) fn check(taken: &[Taken<'_>], log: &[&Transaction], pasts: &Pasts, right: &State) -> Result<u64, String> {
    for Taken { decision, dots } in taken {
        let saw = |one: &Transaction| dots.iter().any(|dot| pasts.saw(one.dot, *dot));
        let followed = log.iter().any(|one| touches(one, decision) > 0 && saw(one));
        // The same request may have gone on to write there.
        let alone = log.iter().filter(|one| dots.contains(&one.dot)).all(|one| touches(one, decision) == 1);
        if !followed && alone && !surviving(right, decision).contains(&decision.kept.to_string()) {
            let (collection, key) = (&decision.collection, &decision.key);
            return Err(format!(
                "{collection}/{key} lacks what {decision:?} kept, and nobody who saw that wrote there"
            ));
        }
    }
    let opposite = |one: &Taken<'_>, other: &Taken<'_>| {
        let same = one.decision.conflict == other.decision.conflict && one.decision.kept != other.decision.kept;
        let unseen = |a: &Taken<'_>, b: &Taken<'_>| !a.dots.iter().any(|a| b.dots.iter().any(|b| pasts.saw(*a, *b)));
        same && unseen(one, other) && unseen(other, one)
    };
    let pairs = taken.iter().enumerate().flat_map(|(at, one)| taken[at + 1..].iter().map(move |other| (one, other)));
    Ok(pairs.filter(|(one, other)| opposite(one, other)).count() as u64)
}

/// How many effects a transaction has where something was decided.
fn touches(transaction: &Transaction, decision: &Decision) -> usize {
    let there = transaction.effects.iter().filter(|effect| {
        effect.kind == Kind::REGISTER && effect.collection == decision.collection && effect.key == decision.key
    });
    there.count()
}

/// The values that survive there, as JSON.
fn surviving(right: &State, decision: &Decision) -> BTreeSet<String> {
    let there = right.rows.iter().filter(|(((collection, kind, key, _), _), _)| {
        *kind == Kind::REGISTER.0 && *collection == decision.collection && *key == decision.key
    });
    there.map(|(_, (_, payload))| String::from_utf8_lossy(payload).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::past::tests::transaction;
    use anabranch_causality::{Add, Effect, Supersede, Tag};

    fn put(transaction: Transaction, value: &str, over: &[&Transaction]) -> Transaction {
        let mut effect = Effect::new("notes", Kind::REGISTER, "k");
        effect.adds = vec![Add { position: 0, subkey: Vec::new(), payload: value.as_bytes().to_vec() }];
        let tags: Vec<Tag> = over.iter().map(|of| Tag { operation: of.operation, position: 0 }).collect();
        effect.supersedes = vec![Supersede { subkey: Vec::new(), tags }];
        Transaction { effects: vec![effect], ..transaction }
    }

    fn decision(kept: u64) -> Decision {
        let conflict = ConflictId([7; ConflictId::BYTES]);
        Decision { conflict, collection: "notes".to_owned(), key: "k".to_owned(), kept: kept.into() }
    }

    /// Two write, then two decide at once: for the first, and for the second. Each decision takes away what is named by its place
    /// in the list, and adds anew what it kept if `anew`.
    fn opposite(one_over: &[usize], other_over: &[usize], anew: bool) -> Result<u64, String> {
        let first = put(transaction(1, 1, &[]), "10", &[]);
        let second = put(transaction(2, 1, &[]), "20", &[]);
        let written = [&first, &second];
        let over = |list: &[usize]| list.iter().map(|at| written[*at]).collect::<Vec<_>>();
        let mut one = put(transaction(1, 2, &[(2, 1)]), "10", &over(one_over));
        let mut other = put(transaction(2, 2, &[(1, 1)]), "20", &over(other_over));
        if !anew {
            one.effects[0].adds.clear();
            other.effects[0].adds.clear();
        }
        let log = [&first, &second, &one, &other];
        let right = State::of(log.iter().copied()).expect("a state");
        let (for_one, for_other) = (decision(10), decision(20));
        let taken = |decision, dot| Taken { decision, dots: vec![dot] };
        let pasts = Pasts::of(log.iter().copied());
        check(&[taken(&for_one, one.dot), taken(&for_other, other.dot)], &log, &pasts, &right)
    }

    #[test]
    fn opposite_decisions_leave_both_outcomes() {
        assert_eq!(opposite(&[0, 1], &[0, 1], true), Ok(1));
    }

    #[test]
    fn opposite_decisions_that_only_take_away_erase_both() {
        let wrong = opposite(&[1], &[0], false).expect_err("nothing is left");
        assert!(wrong.starts_with("notes/k lacks what "), "{wrong}");
    }

    #[test]
    fn who_saw_a_decision_may_write_over_it() {
        let first = put(transaction(1, 1, &[]), "10", &[]);
        let decided = put(transaction(1, 2, &[]), "10", &[&first]);
        let later = put(transaction(2, 1, &[(1, 2)]), "30", &[&decided]);
        let unaware = put(transaction(2, 1, &[(1, 1)]), "30", &[&first, &decided]);
        let decision = decision(10);
        let judge = |last: &Transaction| {
            let log = [&first, &decided, last];
            let right = State::of(log.iter().copied()).expect("a state");
            let pasts = Pasts::of(log.iter().copied());
            check(&[Taken { decision: &decision, dots: vec![decided.dot] }], &log, &pasts, &right)
        };
        assert_eq!(judge(&later), Ok(0));
        assert!(judge(&unaware).is_err());
    }
}
