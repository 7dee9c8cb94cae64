//! The checker catches resolvers that are wrong, each in its own way, and tells it briefly.

use crate::specs;
use anabranch_causality::{Effect, Kind, Writer};
use anabranch_resolvers::laws::{self, Law, Options, Random, Violation};
use anabranch_resolvers::{
    Cart, Conflict, KeepAll, Lww, Malformed, Operation, OrSet, Outcome, PnCounter, Prepare, ReadFailed, Rejection,
    Resolver, Row, Rows,
};
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};

/// A right resolver, with a part of it replaced.
struct Twisted {
    right: &'static dyn Resolver,
    prepare: Option<PrepareFn>,
    check: Option<CheckFn>,
    fold: Option<FoldFn>,
    value: Option<ValueFn>,
    conflicts: Option<ConflictsFn>,
}

type PrepareFn = fn(&Operation, &mut Prepare<'_>) -> Result<(), Rejection>;
type CheckFn = fn(&Effect) -> Result<(), Malformed>;
type FoldFn = fn(Option<&[u8]>, &[u8]) -> Result<Vec<u8>, Malformed>;
type ConflictsFn = fn(&dyn Rows) -> Result<Vec<Conflict>, ReadFailed>;
type ValueFn = fn(&dyn Rows, usize) -> Result<Option<Outcome>, ReadFailed>;

fn twisted(right: &'static dyn Resolver) -> Twisted {
    Twisted { right, prepare: None, check: None, fold: None, value: None, conflicts: None }
}

impl Resolver for Twisted {
    fn name(&self) -> &'static str {
        "wrong"
    }

    fn kind(&self) -> Kind {
        self.right.kind()
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        match self.prepare {
            Some(wrong) => wrong(operation, prepare),
            None => self.right.prepare(operation, prepare),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        self.check.map_or_else(|| self.right.check(effect), |wrong| wrong(effect))
    }

    fn fold(&self, sum: Option<&[u8]>, change: &[u8]) -> Result<Vec<u8>, Malformed> {
        self.fold.map_or_else(|| self.right.fold(sum, change), |wrong| wrong(sum, change))
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        self.value.map_or_else(|| self.right.value(rows, most_bytes), |wrong| wrong(rows, most_bytes))
    }

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        self.conflicts.map_or_else(|| self.right.conflicts(rows), |wrong| wrong(rows))
    }
}

fn caught(
    wrong: &Twisted,
    generator: fn(&mut Random) -> Operation,
    spec: Option<laws::Spec<'_>>,
    law: Law,
    most_operations: usize,
) -> Violation {
    let violation = laws::check(wrong, generator, spec, &Options::default()).expect_err("a wrong resolver");
    assert_eq!(violation.law, law, "{violation}");
    assert!(violation.operations <= most_operations, "{violation}");
    assert!(violation.to_string().contains(&law.to_string()), "{violation}");
    violation
}

#[test]
fn an_add_prepared_away_when_the_member_is_there() {
    let prepare = |operation: &Operation, prepare: &mut Prepare<'_>| {
        let Operation::AddMembers(members) = operation else {
            return OrSet.prepare(operation, prepare);
        };
        for member in members {
            let mut is_there = false;
            prepare.rows().rows(Some(&member.to_subkey()), &mut |_| {
                is_there = true;
                ControlFlow::Break(())
            })?;
            if !is_there {
                prepare.add(member.to_subkey(), []);
            }
        }
        Ok(())
    };
    let wrong = Twisted { prepare: Some(prepare), ..twisted(&OrSet) };
    let violation = caught(&wrong, specs::any_set_operation, Some(&specs::or_set), Law::AddsAreFixed, 2);
    // The story, whole, as an example of one.
    let story = violation.to_string();
    let lines: Vec<&str> = story.lines().collect();
    assert_eq!(lines[0], format!("wrong breaks a law: {}", Law::AddsAreFixed), "{story}");
    assert!(lines[1].ends_with(&format!("to {}", violation.operations)), "{story}");
    assert!(lines.len() <= 12 && story.contains("is asked for {\"add\":") && story.contains("\nbroken: "), "{story}");
}

#[test]
fn a_sum_that_does_not_go_below_zero() {
    let fold = |sum: Option<&[u8]>, change: &[u8]| {
        let sum = PnCounter.fold(sum, change)?;
        let number = i128::from_le_bytes(sum.try_into().map_err(|_| Malformed("16 bytes"))?);
        Ok(number.max(0).to_le_bytes().to_vec())
    };
    let wrong = Twisted { fold: Some(fold), ..twisted(&PnCounter) };
    caught(&wrong, specs::any_pn_operation, Some(&specs::counter), Law::FoldCommutes, 2);
}

#[test]
fn a_sum_that_is_the_change_that_arrived_last() {
    let fold = |_: Option<&[u8]>, change: &[u8]| PnCounter.fold(None, change);
    let wrong = Twisted { fold: Some(fold), ..twisted(&PnCounter) };
    caught(&wrong, specs::any_pn_operation, None, Law::FoldCommutes, 2);
}

#[test]
fn a_value_that_is_the_version_visited_last() {
    let value = |rows: &dyn Rows, most: usize| {
        let mut last = None;
        rows.rows(None, &mut |row| {
            last = serde_json::from_slice(row.payload).ok();
            ControlFlow::Continue(())
        })?;
        Ok(Lww.value(rows, most)?.map(|outcome| Outcome { value: last.unwrap_or_default(), ..outcome }))
    };
    let wrong = Twisted { value: Some(value), ..twisted(&Lww) };
    caught(&wrong, specs::any_register_operation, None, Law::ValueIsPure, 2);
}

#[test]
fn a_late_retry_that_undoes_a_later_write() {
    let value = |rows: &dyn Rows, most: usize| {
        let mut latest = None;
        rows.rows(None, &mut |row| {
            let value: Value = serde_json::from_slice(row.payload).unwrap_or_default();
            if latest.as_ref().is_none_or(|(stamp, tag, _)| (*stamp, *tag) < (row.stamp, row.tag)) {
                latest = Some((row.stamp, row.tag, value));
            }
            ControlFlow::Continue(())
        })?;
        let latest = latest.map(|(_, _, value)| value).unwrap_or_default();
        let truncated = latest.to_string().len() > most;
        let value = if truncated { Value::Null } else { latest };
        Ok(Lww.value(rows, most)?.map(|outcome| Outcome { value, truncated, ..outcome }))
    };
    let wrong = Twisted { value: Some(value), ..twisted(&Lww) };
    caught(&wrong, specs::any_register_operation, Some(&specs::lww), Law::ValueIsSpecified, 2);
}

#[test]
fn a_context_taken_at_its_word() {
    let prepare = |operation: &Operation, prepare: &mut Prepare<'_>| {
        for tag in prepare.context().map(|context| context.tags().to_vec()).unwrap_or_default() {
            prepare.supersede(&Row { subkey: &[], tag, stamp: Default::default(), payload: &[] });
        }
        match operation {
            Operation::Put(value) => {
                prepare.add([], value.to_string());
                Ok(())
            }
            _ => Ok(()),
        }
    };
    let wrong = Twisted { prepare: Some(prepare), ..twisted(&Lww) };
    caught(&wrong, specs::any_register_operation, None, Law::SupersedesSeen, 2);
}

#[test]
fn a_cart_that_is_gone_when_nothing_in_it_shows() {
    let value = |rows: &dyn Rows, most: usize| {
        let outcome = Cart.value(rows, most)?;
        Ok(outcome
            .filter(|outcome| outcome.truncated || outcome.value.as_object().is_some_and(|shown| !shown.is_empty())))
    };
    let wrong = Twisted { value: Some(value), ..twisted(&Cart) };
    caught(&wrong, specs::any_cart_operation, None, Law::KeyExists, 1);
}

#[test]
fn a_remove_that_takes_nothing() {
    let prepare = |operation: &Operation, prepare: &mut Prepare<'_>| match operation {
        Operation::RemoveMembers(members) => {
            for member in members {
                prepare.add(member.to_subkey(), []);
            }
            Ok(())
        }
        other => OrSet.prepare(other, prepare),
    };
    let wrong = Twisted { prepare: Some(prepare), ..twisted(&OrSet) };
    caught(&wrong, specs::any_set_operation, Some(&specs::or_set), Law::ValueIsSpecified, 2);
}

#[test]
fn an_effect_that_its_own_check_refuses() {
    let check = |effect: &Effect| match effect.supersedes.len() {
        0..=1 => OrSet.check(effect),
        _ => Err(Malformed("too much at once")),
    };
    let wrong = Twisted { check: Some(check), ..twisted(&OrSet) };
    caught(&wrong, specs::any_set_operation, None, Law::EffectsPass, 3);
}

#[test]
fn losers_that_are_not_listed() {
    let value = |rows: &dyn Rows, most: usize| {
        Ok(Lww.value(rows, most)?.map(|mut outcome| {
            outcome.versions.truncate(1);
            outcome
        }))
    };
    let wrong = Twisted { value: Some(value), ..twisted(&Lww) };
    caught(&wrong, specs::any_register_operation, None, Law::VersionsAreListed, 2);
}

#[test]
fn a_value_that_knows_no_limit() {
    let wrong = Twisted { value: Some(|rows, _| KeepAll.value(rows, usize::MAX)), ..twisted(&KeepAll) };
    caught(&wrong, specs::any_register_operation, None, Law::LimitIsKept, 1);
}

#[test]
fn a_prepare_that_remembers() {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let prepare = |operation: &Operation, prepare: &mut Prepare<'_>| match operation {
        Operation::Put(_) => {
            prepare.add([], CALLS.fetch_add(1, Ordering::Relaxed).to_string());
            Ok(())
        }
        other => Lww.prepare(other, prepare),
    };
    let wrong = Twisted { prepare: Some(prepare), ..twisted(&Lww) };
    caught(&wrong, specs::any_register_operation, None, Law::PrepareRepeats, 1);
}

#[test]
fn a_subkey_that_no_transaction_carries() {
    let prepare = |_: &Operation, prepare: &mut Prepare<'_>| {
        prepare.add([b'x'; 5_000], []);
        Ok(())
    };
    let wrong = Twisted { prepare: Some(prepare), check: Some(|_| Ok(())), ..twisted(&OrSet) };
    caught(&wrong, specs::any_set_operation, None, Law::EffectsFit, 1);
}

#[test]
fn a_change_that_its_own_fold_cannot_read() {
    let prepare = |operation: &Operation, prepare: &mut Prepare<'_>| {
        let Operation::Add(change) = operation else {
            return Ok(());
        };
        let mut writer = Writer::new();
        writer.u64(*change as u64).u8(0);
        prepare.fold([], writer.into_bytes());
        Ok(())
    };
    let wrong = Twisted { prepare: Some(prepare), check: Some(|_| Ok(())), ..twisted(&PnCounter) };
    caught(&wrong, specs::any_pn_operation, None, Law::StateReads, 1);
}

#[test]
fn a_conflict_that_is_counted_and_cannot_be_named() {
    let wrong = Twisted { conflicts: Some(|_| Ok(Vec::new())), ..twisted(&KeepAll) };
    caught(&wrong, specs::any_register_operation, None, Law::ConflictsAreNamed, 2);
}

#[test]
fn options_that_share_a_name() {
    fn namesakes(rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        let mut conflicts = KeepAll.conflicts(rows)?;
        conflicts
            .iter_mut()
            .flat_map(|conflict| &mut conflict.options)
            .for_each(|option| option.id = "same".to_owned());
        Ok(conflicts)
    }
    let wrong = Twisted { conflicts: Some(namesakes), ..twisted(&KeepAll) };
    caught(&wrong, specs::any_register_operation, None, Law::ConflictsAreNamed, 3);
}

#[test]
fn a_resolution_that_keeps_whatever_stands_there() {
    /// Of a conflict as it is here, instead of the one that was meant.
    fn careless(operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        let standing = KeepAll.conflicts(prepare.rows())?;
        match (operation, standing.first()) {
            (Operation::Resolve(_), Some(conflict)) => {
                prepare.supersede_all(None)?;
                prepare.add([], conflict.options[0].value.to_string());
                Ok(())
            }
            _ => KeepAll.prepare(operation, prepare),
        }
    }
    let wrong = Twisted { prepare: Some(careless), ..twisted(&KeepAll) };
    caught(&wrong, specs::any_decided_register_operation, None, Law::AddsAreFixed, 12);
}
