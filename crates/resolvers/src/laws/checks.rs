//! The laws that one effect or one state shows.

use super::replica::Backwards;
use super::{Failure, Law, Naive, Replica, Spec, story};
use crate::conflict::{Conflict, ConflictId};
use crate::pile::Pile;
use crate::resolver::{Malformed, Outcome, Resolver, Rows};
use anabranch_causality::transaction::{MAX_ADDS, MAX_PAYLOAD, MAX_SUBKEY, MAX_TAGS};
use anabranch_causality::{Effect, Hlc, Kind, OperationId, Tag};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Sums by subkey.
type Sums = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) struct Laws<'a> {
    pub(super) resolver: &'a dyn Resolver,
    pub(super) spec: Option<Spec<'a>>,
}

fn broken<T>(law: Law, what: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { law, what: what.into() })
}

/// What the resolver wrote itself, it cannot read.
pub(super) fn unreadable(who: &str, what: &str) -> Failure {
    Failure { law: Law::StateReads, what: format!("{who} failed: {what}") }
}

/// Whether all that an effect supersedes is in the state on which it was prepared.
pub(super) fn supersedes_seen(id: &OperationId, effect: &Effect, state: &Replica) -> Result<(), Failure> {
    for group in &effect.supersedes {
        for tag in &group.tags {
            if !state.all_rows().contains_key(&(group.subkey.clone(), *tag)) {
                let (id, tag, subkey) = (story::id(id), story::tag(tag), story::bytes(&group.subkey));
                return broken(
                    Law::SupersedesSeen,
                    format!("{id} supersedes {tag} under {subkey}, which is not there"),
                );
            }
        }
    }
    Ok(())
}

impl Laws<'_> {
    /// An effect as it was prepared.
    pub(super) fn effect(&self, id: &OperationId, effect: &Effect) -> Result<(), Failure> {
        if let Err(error) = self.resolver.check(effect) {
            return broken(Law::EffectsPass, format!("check says of {}: {error}", story::id(id)));
        }
        let adds = effect.adds.iter().map(|add| (&add.subkey, &add.payload));
        let folds = effect.folds.iter().map(|fold| (&fold.subkey, &fold.payload));
        let mut parts = adds.chain(folds);
        let is_small = parts.all(|(subkey, payload)| subkey.len() <= MAX_SUBKEY && payload.len() <= MAX_PAYLOAD);
        let is_short = effect.adds.len() <= MAX_ADDS && effect.folds.len() <= MAX_ADDS;
        if is_small && is_short && effect.superseded() <= MAX_TAGS {
            Ok(())
        } else {
            broken(Law::EffectsFit, format!("the effect of {} is too large", story::id(id)))
        }
    }

    /// All changes fold to one sum: any two neighbours can be exchanged, at the start and further on.
    pub(super) fn folds(&self, naive: &Naive) -> Result<(), Failure> {
        if self.resolver.pile().is_some() {
            return Ok(());
        }
        for changes in naive.changes.values() {
            let changes: Vec<_> = changes.iter().collect();
            let mut sum: Option<Vec<u8>> = None;
            for pair in changes.windows(2) {
                let ((a, first), (b, second)) = (pair[0], pair[1]);
                for start in [None, sum.as_deref()] {
                    let one = self.fold(Some(&self.fold(start, first)?), second)?;
                    let other = self.fold(Some(&self.fold(start, second)?), first)?;
                    if one != other {
                        let (a, b) = (story::id(&a.0), story::id(&b.0));
                        let start = start.map_or("nothing".to_owned(), story::bytes);
                        let (one, other) = (story::bytes(&one), story::bytes(&other));
                        let what = format!("from {start}, {a} then {b} gives {one}, but {b} then {a} gives {other}");
                        return broken(Law::FoldCommutes, what);
                    }
                }
                sum = Some(self.fold(sum.as_deref(), first)?);
            }
        }
        Ok(())
    }

    fn fold(&self, sum: Option<&[u8]>, change: &[u8]) -> Result<Vec<u8>, Failure> {
        self.resolver.fold(sum, change).map_err(|error| unreadable("fold", error.0))
    }

    /// Rows and sums against the definition.
    pub(super) fn state(&self, name: &str, replica: &Replica, naive: &Naive) -> Result<(), Failure> {
        let have = replica.all_rows().iter().map(|((subkey, tag), (stamp, payload))| (*tag, (subkey, *stamp, payload)));
        let have: BTreeMap<Tag, (&Vec<u8>, Hlc, &Vec<u8>)> = have.collect();
        let defined = naive.rows.iter().map(|(tag, row)| (*tag, (&row.subkey, row.stamp, &row.payload)));
        let defined: BTreeMap<Tag, (&Vec<u8>, Hlc, &Vec<u8>)> = defined.collect();
        if have != defined || replica.all_rows().len() != have.len() {
            let names = |rows: &BTreeMap<Tag, _>| story::tags(rows.keys());
            let what = format!("{name} has the rows {}; the definition says {}", names(&have), names(&defined));
            return broken(Law::StateIsDefined, what);
        }
        if let Some(pile) = self.resolver.pile() {
            return piles(pile, name, replica, naive);
        }
        let mut sums = Sums::new();
        for (subkey, changes) in &naive.changes {
            for change in changes.values() {
                let sum = self.fold(sums.get(subkey).map(Vec::as_slice), change)?;
                sums.insert(subkey.clone(), sum);
            }
        }
        if *replica.all_sums() != sums {
            let show = |sums: &Sums| sums.values().map(|sum| story::bytes(sum)).collect::<Vec<_>>().join(", ");
            let what = format!("{name} has the sums {}; others have {}", show(replica.all_sums()), show(&sums));
            return broken(Law::FoldCommutes, what);
        }
        Ok(())
    }

    /// The value of a state.
    pub(super) fn outcome(&self, name: &str, replica: &Replica, naive: &Naive) -> Result<(), Failure> {
        let outcome = self.value(replica, usize::MAX)?;
        let backwards = self.value(&Backwards(replica), usize::MAX)?;
        if outcome != backwards {
            let (one, other) = (shown(outcome.as_ref()), shown(backwards.as_ref()));
            let what = format!("{name} shows {one}, but {other} when each subkey's rows are visited backwards");
            return broken(Law::ValueIsPure, what);
        }
        let is_there = !(replica.all_rows().is_empty() && replica.all_sums().is_empty());
        // What a pile comes to may be nothing.
        if outcome.is_some() != is_there && replica.all_piles().is_empty() {
            let (rows, sums) = (replica.all_rows().len(), replica.all_sums().len());
            let what = format!("{name} shows {} with {rows} rows and {sums} sums", shown(outcome.as_ref()));
            return broken(Law::KeyExists, what);
        }
        self.conflicts_of(name, replica, outcome.as_ref())?;
        if let Some(outcome) = &outcome {
            self.versions(name, replica, outcome)?;
            self.limit(name, replica, outcome)?;
        }
        let value = outcome.map(|outcome| outcome.value);
        match self.spec.map(|spec| spec(naive)) {
            Some(expected) if expected != value => {
                let show = |value: Option<Value>| value.map_or("no such key".to_owned(), |value| value.to_string());
                let what = format!("{name} shows {}; the specification says {}", show(value), show(expected));
                broken(Law::ValueIsSpecified, what)
            }
            _ => Ok(()),
        }
    }

    fn versions(&self, name: &str, replica: &Replica, outcome: &Outcome) -> Result<(), Failure> {
        if self.resolver.kind() != Kind::REGISTER {
            return Ok(());
        }
        let mut listed = outcome.versions.clone();
        listed.sort_unstable();
        let there: Vec<Tag> = replica.all_rows().keys().map(|(_, tag)| *tag).collect();
        if listed == there {
            return Ok(());
        }
        let (listed, there) = (story::tags(&listed), story::tags(&there));
        broken(Law::VersionsAreListed, format!("{name} lists the versions {listed}, and has {there}"))
    }

    fn limit(&self, name: &str, replica: &Replica, outcome: &Outcome) -> Result<(), Failure> {
        let length = outcome.value.to_string().len();
        let enough = self.value(replica, length)?;
        if outcome.truncated || enough.as_ref() != Some(outcome) {
            let what = format!("{name} shows {} within {length} bytes, which is enough", shown(enough.as_ref()));
            return broken(Law::LimitIsKept, what);
        }
        match self.value(replica, length - 1)? {
            Some(short) if short.truncated && short.value == Value::Null => Ok(()),
            short => {
                let what = format!("{name} shows {} within {} bytes", shown(short.as_ref()), length - 1);
                broken(Law::LimitIsKept, what)
            }
        }
    }

    /// What stands in conflict depends on the rows alone, and can be named.
    fn conflicts_of(&self, name: &str, replica: &Replica, outcome: Option<&Outcome>) -> Result<(), Failure> {
        let standing = self.conflicts(replica)?;
        if standing != self.conflicts(&Backwards(replica))? {
            let what = format!("{name} has other conflicts when each subkey's rows are visited backwards");
            return broken(Law::ValueIsPure, what);
        }
        let ids: BTreeSet<ConflictId> = standing.iter().map(|conflict| conflict.id).collect();
        let has_names = |conflict: &Conflict| {
            let names: BTreeSet<&str> = conflict.options.iter().map(|option| option.id.as_str()).collect();
            names.len() == conflict.options.len() && !names.is_empty()
        };
        if ids.len() != standing.len() || !standing.iter().all(has_names) {
            return broken(
                Law::ConflictsAreNamed,
                format!("{name} has conflicts or options that share a name, or none"),
            );
        }
        let counted = outcome.map_or(0, |outcome| outcome.conflicts);
        if (counted == 0) != standing.is_empty() {
            let what = format!("{name} counts {counted} versions in conflict, and {} conflicts stand", standing.len());
            return broken(Law::ConflictsAreNamed, what);
        }
        Ok(())
    }

    pub(super) fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, Failure> {
        self.resolver.conflicts(rows).map_err(|error| unreadable("conflicts", &error.to_string()))
    }

    pub(super) fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, Failure> {
        self.resolver.value(rows, most_bytes).map_err(|error| unreadable("value", &error.to_string()))
    }
}

/// Piles against the definition: the same changes, and however they were merged they come to what they come to at once.
fn piles(pile: &dyn Pile, name: &str, replica: &Replica, naive: &Naive) -> Result<(), Failure> {
    let canonical = |snapshot: Result<Vec<u8>, Malformed>| {
        let canonical = snapshot.and_then(|snapshot| pile.canonical(&snapshot));
        canonical.map_err(|error| unreadable("merge", error.0))
    };
    if !replica.all_piles().keys().eq(naive.changes.keys()) {
        return broken(Law::StateIsDefined, format!("{name} has piles under other subkeys than the definition"));
    }
    for (heap, changes) in replica.all_piles().values().zip(naive.changes.values()) {
        let mut defined: Vec<&[u8]> = changes.values().map(Vec::as_slice).collect();
        defined.sort_unstable();
        if heap.sorted() != defined {
            let (have, defined) = (heap.sorted().len(), defined.len());
            return broken(
                Law::StateIsDefined,
                format!("{name} piled up {have} changes, not the {defined} of the definition"),
            );
        }
        let changes: Vec<Vec<u8>> = changes.values().cloned().collect();
        let (have, at_once) = (canonical(heap.merged(pile))?, canonical(pile.merge(None, &changes))?);
        if have != at_once {
            let (have, at_once) = (story::bytes(&have), story::bytes(&at_once));
            let what = format!("{name} merged its changes to {have}; at once they come to {at_once}");
            return broken(Law::FoldCommutes, what);
        }
    }
    Ok(())
}

fn shown(outcome: Option<&Outcome>) -> String {
    match outcome {
        Some(outcome) if outcome.truncated => "nothing (left out)".to_owned(),
        Some(outcome) => outcome.value.to_string(),
        None => "no such key".to_owned(),
    }
}
