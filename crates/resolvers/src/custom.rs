//! Resolvers of one's own in one function: from the surviving versions of a register to a value, or to a person.

use crate::conflict::{Conflict, Indexed};
use crate::json;
use crate::operation::Operation;
use crate::register;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Hlc, Kind, Tag};
use serde_json::Value;

/// A surviving version, as a merging function sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct Surviving {
    /// The value that was written.
    pub value: Value,
    /// When, on the clock of its leader.
    pub stamp: Hlc,
    /// The operation that wrote it, and the position in it.
    pub tag: Tag,
}

/// What versions come to.
#[derive(Clone, Debug, PartialEq)]
pub enum Merged {
    /// One value.
    Value(Value),
    /// No function can tell: a person must. Until then, what `lww` would show. Of a single version there is nothing to decide: it
    /// is shown, and stands in no conflict.
    Escalate,
}

/// A merging function. It must be pure: a function of the versions alone, so that equal versions are one value everywhere. It
/// gets at least one version, oldest first.
pub type Merge = Box<dyn Fn(&[Surviving]) -> Merged + Send + Sync>;

/// A register whose concurrent versions a function combines.
///
/// All nodes of a cluster should know it, under one name and with one function. A node that does not goes on replicating;
/// reads and writes of the collection say that they wait for a build that knows it.
///
/// ```
/// use anabranch_resolvers::custom::{Custom, Merged, Surviving};
///
/// // Of prices that were set at the same time, the lower counts; a price that is no number is for a person.
/// let lowest = Custom::new("lowest-price", |versions: &[Surviving]| {
///     let prices: Option<Vec<i64>> = versions.iter().map(|version| version.value.as_i64()).collect();
///     prices.and_then(|prices| prices.into_iter().min()).map_or(Merged::Escalate, |price| Merged::Value(price.into()))
/// });
/// ```
pub struct Custom {
    name: &'static str,
    merge: Merge,
}

impl Custom {
    /// A resolver of that name.
    pub fn new(name: &'static str, merge: impl Fn(&[Surviving]) -> Merged + Send + Sync + 'static) -> Self {
        Self { name, merge: Box::new(merge) }
    }

    /// The surviving versions, oldest first, and what they come to; `None` when there are none.
    fn merged(&self, rows: &dyn Rows) -> Result<Option<(Vec<Surviving>, Merged)>, ReadFailed> {
        let mut values = register::values(rows, |_| true)?;
        let surviving = |version: register::Version| {
            let value = values.remove(&version.tag).ok_or(ReadFailed)?;
            Ok(Surviving { value, stamp: version.stamp, tag: version.tag })
        };
        let versions: Vec<Surviving> =
            register::versions(rows)?.into_iter().map(surviving).collect::<Result<_, ReadFailed>>()?;
        if versions.is_empty() {
            return Ok(None);
        }
        let merged = (self.merge)(&versions);
        Ok(Some((versions, merged)))
    }

    /// The conflict that the function leaves to a person.
    fn standing(&self, rows: &dyn Rows) -> Result<Option<Conflict>, ReadFailed> {
        if self.is_for_a_person(rows)? { register::conflict(rows) } else { Ok(None) }
    }

    fn is_for_a_person(&self, rows: &dyn Rows) -> Result<bool, ReadFailed> {
        let merged = self.merged(rows)?;
        Ok(merged.is_some_and(|(versions, merged)| merged == Merged::Escalate && versions.len() > 1))
    }
}

impl Resolver for Custom {
    fn name(&self) -> &'static str {
        self.name
    }

    fn kind(&self) -> Kind {
        Kind::REGISTER
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        register::check_limits(operation)?;
        match operation {
            Operation::Put(value) => {
                let in_conflict = self.is_for_a_person(prepare.rows())?;
                register::put_beside(value, in_conflict, prepare)
            }
            Operation::Resolve(resolution) => register::resolve(resolution, self.standing(prepare.rows())?, prepare),
            Operation::Delete => Ok(register::supersede_seen(prepare)?),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        register::check(effect)
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let Some((versions, merged)) = self.merged(rows)? else { return Ok(None) };
        let (value, conflicts, reason) = match merged {
            Merged::Value(value) => (value, 0, "what the collection's own function makes of the surviving versions"),
            Merged::Escalate => {
                let winner = register::winner(rows, usize::MAX)?.and_then(|(_, value)| value).ok_or(ReadFailed)?;
                match versions.len() {
                    1 => (winner, 0, "the only version"),
                    _ => (winner, 1, "provisional: the collection's own function leaves it to a person"),
                }
            }
        };
        let truncated = json::length(&value, most_bytes).is_none();
        let value = if truncated { Value::Null } else { value };
        let versions = versions.iter().map(|version| version.tag).collect();
        Ok(Some(Outcome { conflicts, versions, truncated, ..Outcome::plain(value, reason) }))
    }

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        Ok(self.standing(rows)?.into_iter().collect())
    }

    fn indexed(&self) -> Indexed {
        Indexed::Subkeys
    }

    fn show(&self, _: &[u8], payload: &[u8]) -> Value {
        register::show(payload)
    }
}
