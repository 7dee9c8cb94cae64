//! `keep-all`: all versions survive until someone writes having seen them.

use crate::operation::Operation;
use crate::register;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind};
use serde_json::Value;
use std::ops::ControlFlow;

/// The most versions that writes may leave in conflict. Concurrent writes can still make more.
pub const MAX_VERSIONS: usize = 64;

/// All concurrent values, oldest first (by stamp, then operation id, then position).
///
/// A put with a context supersedes exactly the versions named that are here. Without one it supersedes the version that
/// is here, but never versions that stand in conflict: it joins them. A delete without a context clears all that is here.
/// The versions of the outcome are in the order of the values.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeepAll;

impl Resolver for KeepAll {
    fn name(&self) -> &'static str {
        "keep-all"
    }

    fn kind(&self) -> Kind {
        Kind::REGISTER
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        register::check_limits(operation)?;
        match operation {
            Operation::Put(value) => put(value, prepare),
            Operation::Delete => Ok(register::supersede_seen(prepare)?),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        register::check(effect)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let versions = register::versions(rows)?;
        if versions.is_empty() {
            return Ok(None);
        }
        // Two brackets, and a comma after all but the last.
        let bytes = 1 + versions.iter().map(|version| version.bytes + 1).sum::<usize>();
        let truncated = bytes > most_bytes;
        let value = if truncated {
            Value::Null
        } else {
            let mut values = register::values(rows, |_| true)?;
            let in_order = versions.iter().map(|version| values.remove(&version.tag).ok_or(ReadFailed));
            Value::Array(in_order.collect::<Result<_, _>>()?)
        };
        let conflicts = if versions.len() > 1 { versions.len() as u64 } else { 0 };
        let reason = if conflicts == 0 { "the only version" } else { "several versions that did not see each other" };
        let versions = versions.iter().map(|version| version.tag).collect();
        Ok(Some(Outcome { conflicts, truncated, versions, ..Outcome::plain(value, reason) }))
    }

    fn show(&self, _: &[u8], payload: &[u8]) -> Value {
        register::show(payload)
    }
}

fn put(value: &Value, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
    let mut here = 0;
    prepare.rows().rows(Some(&[]), &mut |_| {
        here += 1;
        ControlFlow::Continue(())
    })?;
    if prepare.context().is_none() && here > 1 {
        // It joins them; only what the request itself wrote before is no conflict with it.
        let request = prepare.operation();
        prepare.rows().rows(Some(&[]), &mut |row| {
            if row.tag.operation == request {
                prepare.supersede(&row);
            }
            ControlFlow::Continue(())
        })?;
    } else {
        register::supersede_seen(prepare)?;
    }
    let left = here - prepare.superseded();
    if left >= MAX_VERSIONS {
        return Err(Rejection::ConflictOpen(format!(
            "{left} versions stand in conflict, and {MAX_VERSIONS} is the limit; read the key and write with its context"
        )));
    }
    register::add(prepare, value);
    Ok(())
}
