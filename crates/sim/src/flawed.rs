//! Resolvers with a planted bug, in place of the right ones.

use crate::lapse::{Bug, Lapse};
use anabranch_causality::{Effect, Kind, Tag};
use anabranch_resolvers::{
    Conflict, Indexed, Keep, KeepAll, Lww, Malformed, Operation, OrSet, Outcome, Prepare, ReadFailed, Registry,
    Rejection, Resolution, Resolver, Rows,
};
use serde_json::Value;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The bits of a stamp below the milliseconds.
const LOGICAL_BITS: u32 = 16;

/// The registry with the resolver that has the planted bug, if one has.
pub(crate) fn registry(right: Arc<Registry>, lapse: Lapse) -> Arc<Registry> {
    let flawed: Arc<dyn Resolver> = if lapse.is(Bug::TiesByArrival) {
        Arc::new(TiesByArrival)
    } else if lapse.is(Bug::AddsPreparedAway) {
        Arc::new(AddsPreparedAway)
    } else if lapse.is(Bug::DecisionsAddNothing) {
        Arc::new(DecisionsAddNothing)
    } else {
        return right;
    };
    replaced(&right, flawed)
}

/// The registry with another resolver under a name that it has.
pub(crate) fn replaced(registry: &Registry, by: Arc<dyn Resolver>) -> Arc<Registry> {
    let mut made = Registry::new();
    for name in registry.names() {
        let found = if name == by.name() { Some(Arc::clone(&by)) } else { registry.by_name(name) };
        // The default of a kind is the one that comes first: for registers that is `lww`.
        let _ = found.map(|found| made.register(found));
    }
    Arc::new(made)
}

struct TiesByArrival;

impl Resolver for TiesByArrival {
    fn name(&self) -> &'static str {
        Lww.name()
    }

    fn kind(&self) -> Kind {
        Lww.kind()
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        Lww.prepare(operation, prepare)
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        Lww.check(effect)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let mut best: Option<(u64, Value)> = None;
        rows.rows(Some(&[]), &mut |row| {
            let moment = row.stamp.0 >> LOGICAL_BITS;
            if best.as_ref().is_none_or(|(before, _)| *before < moment) {
                best = Some((moment, serde_json::from_slice(row.payload).unwrap_or(Value::Null)));
            }
            ControlFlow::Continue(())
        })?;
        let right = Lww.value(rows, most_bytes)?;
        Ok(right.zip(best).map(|(right, (_, value))| Outcome { value, ..right }))
    }

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        Lww.conflicts(rows)
    }
}

struct AddsPreparedAway;

impl Resolver for AddsPreparedAway {
    fn name(&self) -> &'static str {
        OrSet.name()
    }

    fn kind(&self) -> Kind {
        OrSet.kind()
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        if let Operation::AddMembers(members) = operation {
            let mut there = 0;
            for member in members {
                prepare.rows().rows(Some(&member.to_subkey()), &mut |_| {
                    there += 1;
                    ControlFlow::Break(())
                })?;
            }
            if there == members.len() {
                return Ok(());
            }
        }
        OrSet.prepare(operation, prepare)
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        OrSet.check(effect)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        OrSet.value(rows, most_bytes)
    }
}

struct DecisionsAddNothing;

impl Resolver for DecisionsAddNothing {
    fn name(&self) -> &'static str {
        KeepAll.name()
    }

    fn kind(&self) -> Kind {
        KeepAll.kind()
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        let rows = prepare.rows();
        let standing = KeepAll.conflicts(rows)?;
        if let Operation::Resolve(Resolution { conflict, keep: Keep::Options(keep), .. }) = operation
            && let Some(meant) = standing.iter().find(|standing| standing.id == *conflict)
        {
            let kept = meant.options.iter().filter(|option| keep.contains(&option.id));
            let kept: Vec<Tag> = kept.flat_map(|option| option.tags.clone()).collect();
            rows.rows(Some(&[]), &mut |row| {
                if !kept.contains(&row.tag) {
                    prepare.supersede(&row);
                }
                ControlFlow::Continue(())
            })?;
            return Ok(());
        }
        KeepAll.prepare(operation, prepare)
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        KeepAll.check(effect)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        KeepAll.value(rows, most_bytes)
    }

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        KeepAll.conflicts(rows)
    }

    fn indexed(&self) -> Indexed {
        KeepAll.indexed()
    }
}
