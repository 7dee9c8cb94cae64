//! `keep-all`: all versions survive until someone writes having seen them.

use crate::conflict::{Conflict, Indexed};
use crate::operation::Operation;
use crate::register;
pub use crate::register::MAX_VERSIONS;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind};
use serde_json::Value;

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
            Operation::Put(value) => {
                let in_conflict = register::versions(prepare.rows())?.len() > 1;
                register::put_beside(value, in_conflict, prepare)
            }
            Operation::Resolve(resolution) => {
                register::resolve(resolution, register::conflict(prepare.rows())?, prepare)
            }
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

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        Ok(register::conflict(rows)?.into_iter().collect())
    }

    fn indexed(&self) -> Indexed {
        Indexed::Subkeys
    }

    fn show(&self, _: &[u8], payload: &[u8]) -> Value {
        register::show(payload)
    }
}
