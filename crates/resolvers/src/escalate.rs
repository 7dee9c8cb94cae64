//! `escalate`: a provisional value, and a conflict for a person.

use crate::conflict::{Conflict, Indexed};
use crate::operation::Operation;
use crate::register;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind};
use serde_json::Value;

/// The value that `lww` would show, and one conflict while versions hold different values: versions of equal value are one
/// option, and no conflict by themselves.
///
/// A put without a context joins versions in conflict, as with `keep-all`; what a person decides names what it settles in its
/// context.
#[derive(Clone, Copy, Debug, Default)]
pub struct Escalate;

impl Resolver for Escalate {
    fn name(&self) -> &'static str {
        "escalate"
    }

    fn kind(&self) -> Kind {
        Kind::REGISTER
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        register::check_limits(operation)?;
        match operation {
            Operation::Put(value) => {
                let in_conflict = register::differ(prepare.rows())?;
                register::put_beside(value, in_conflict, prepare)
            }
            Operation::Delete => Ok(register::supersede_seen(prepare)?),
            Operation::Resolve(resolution) => register::resolve(resolution, standing(prepare.rows())?, prepare),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        register::check(effect)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let Some((versions, value)) = register::winner(rows, most_bytes)? else { return Ok(None) };
        let conflicts = u64::from(register::differ(rows)?);
        let reason = match (versions.len(), conflicts) {
            (1, _) => "the only version",
            (_, 0) => "several versions of one value",
            _ => "provisional: the latest of several, until a person decides",
        };
        let versions = versions.iter().map(|version| version.tag).collect();
        let (truncated, value) = (value.is_none(), value.unwrap_or_default());
        Ok(Some(Outcome { conflicts, versions, truncated, ..Outcome::plain(value, reason) }))
    }

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        Ok(standing(rows)?.into_iter().collect())
    }

    fn indexed(&self) -> Indexed {
        Indexed::Subkeys
    }

    fn show(&self, _: &[u8], payload: &[u8]) -> Value {
        register::show(payload)
    }
}

/// Versions of different values stand in conflict.
fn standing(rows: &dyn Rows) -> Result<Option<Conflict>, ReadFailed> {
    if register::differ(rows)? { register::conflict(rows) } else { Ok(None) }
}
