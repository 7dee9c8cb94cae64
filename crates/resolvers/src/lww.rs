//! `lww`: the latest version wins; concurrent losers stay listed until someone writes having seen them.

use crate::conflict::Indexed;
use crate::operation::Operation;
use crate::register;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind};
use serde_json::Value;

/// The last writer wins.
///
/// The winner is the version with the highest stamp, then operation id, then position, among those that no other
/// surviving version of the same session with a higher counter outranks. A write beats a concurrent delete. With a
/// context, a write or delete supersedes exactly the versions named that are here, else all that are here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lww;

impl Resolver for Lww {
    fn name(&self) -> &'static str {
        "lww"
    }

    fn kind(&self) -> Kind {
        Kind::REGISTER
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        register::check_limits(operation)?;
        match operation {
            Operation::Put(value) => {
                register::supersede_seen(prepare)?;
                register::add(prepare, value);
                Ok(())
            }
            Operation::Delete => Ok(register::supersede_seen(prepare)?),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        register::check(effect)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let Some((versions, value)) = register::winner(rows, most_bytes)? else { return Ok(None) };
        let truncated = value.is_none();
        let value = value.unwrap_or_default();
        let reason = if versions.len() == 1 { "the only version" } else { "the latest of several concurrent versions" };
        let versions = versions.iter().map(|version| version.tag).collect();
        Ok(Some(Outcome { versions, truncated, ..Outcome::plain(value, reason) }))
    }

    fn indexed(&self) -> Indexed {
        Indexed::Subkeys
    }

    fn makes_conflicts(&self) -> bool {
        false
    }

    fn show(&self, _: &[u8], payload: &[u8]) -> Value {
        register::show(payload)
    }
}
