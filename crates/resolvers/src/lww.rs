//! `lww`: the latest version wins; concurrent losers stay listed until someone writes having seen them.

use crate::operation::Operation;
use crate::register::{self, Version};
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Actor, Effect, Kind};
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
        let versions = by_importance(register::versions(rows)?);
        let Some(winner) = versions.first() else {
            return Ok(None);
        };
        let truncated = winner.bytes > most_bytes;
        let value = if truncated {
            Value::Null
        } else {
            register::values(rows, |tag| *tag == winner.tag)?.remove(&winner.tag).ok_or(ReadFailed)?
        };
        let reason = if versions.len() == 1 { "the only version" } else { "the latest of several concurrent versions" };
        let versions = versions.iter().map(|version| version.tag).collect();
        Ok(Some(Outcome { versions, truncated, ..Outcome::plain(value, reason) }))
    }

    fn show(&self, _: &[u8], payload: &[u8]) -> Value {
        register::show(payload)
    }
}

/// The winner first.
fn by_importance(mut versions: Vec<Version>) -> Vec<Version> {
    let last = register::last_of_sessions(&versions);
    let is_outranked = |version: &Version| match version.tag.operation.actor {
        Actor::Session(session) => last.get(&session).is_some_and(|counter| version.tag.operation.counter < *counter),
        Actor::Leader(_) => false,
    };
    versions.sort_by_cached_key(|version| (!is_outranked(version), version.stamp, version.tag));
    versions.reverse();
    versions
}
