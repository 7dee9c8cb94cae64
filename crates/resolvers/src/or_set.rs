//! `or-set`: a set where an add wins over a concurrent remove.

use crate::json;
use crate::operation::{Member, Operation};
use crate::register::check_limits;
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A set of strings, integers and booleans. One row per surviving add of a member, without payload; a member is in the set
/// while a row of it survives.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrSet;

impl Resolver for OrSet {
    fn name(&self) -> &'static str {
        "or-set"
    }

    fn kind(&self) -> Kind {
        Kind::OR_SET
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        check_limits(operation)?;
        match operation {
            Operation::AddMembers(members) => {
                for subkey in distinct(members) {
                    prepare.supersede_all(Some(&subkey))?;
                    prepare.add(subkey, []);
                }
                Ok(())
            }
            Operation::RemoveMembers(members) => {
                distinct(members).iter().try_for_each(|subkey| prepare.supersede_all(Some(subkey)))?;
                Ok(())
            }
            Operation::Delete => Ok(prepare.supersede_all(None)?),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        if effect.kind != Kind::OR_SET {
            return Err(Malformed("not a set's effect"));
        }
        if !effect.folds.is_empty() {
            return Err(Malformed("a set keeps no sums"));
        }
        if effect.adds.iter().any(|add| !add.payload.is_empty()) {
            return Err(Malformed("a set's rows hold nothing"));
        }
        let subkeys = effect.supersedes.iter().map(|group| &group.subkey);
        for subkey in subkeys.chain(effect.adds.iter().map(|add| &add.subkey)) {
            Member::from_subkey(subkey).map_err(|_| Malformed("a set's subkey is a member"))?;
        }
        Ok(())
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        let mut members = Members { last: None, values: Vec::new(), left: most_bytes, state: State::Fine };
        rows.rows(None, &mut |row| members.visit(row.subkey))?;
        if members.last.is_none() {
            return Ok(None);
        }
        const REASON: &str = "the members whose adds survive";
        match members.state {
            State::Fine => Ok(Some(Outcome::plain(Value::Array(members.values), REASON))),
            State::TooLarge => Ok(Some(Outcome { truncated: true, ..Outcome::plain(Value::Null, REASON) })),
            State::Bad => Err(ReadFailed),
        }
    }

    fn show(&self, subkey: &[u8], _: &[u8]) -> Value {
        Member::from_subkey(subkey).map_or(Value::Null, |member| member.to_json())
    }
}

/// The subkeys of the members, each once, in their order: a function of the request alone, as positions must be.
fn distinct(members: &[Member]) -> BTreeSet<Vec<u8>> {
    members.iter().map(Member::to_subkey).collect()
}

/// Collects members from rows in their order, until the text of the list would be too long.
struct Members {
    last: Option<Vec<u8>>,
    values: Vec<Value>,
    left: usize,
    state: State,
}

enum State {
    Fine,
    TooLarge,
    Bad,
}

impl Members {
    fn visit(&mut self, subkey: &[u8]) -> ControlFlow<()> {
        if self.last.as_deref() == Some(subkey) {
            return ControlFlow::Continue(());
        }
        // An opening bracket or a comma, and the closing bracket when it is the first.
        let frame = if self.last.is_none() { 2 } else { 1 };
        self.last = Some(subkey.to_vec());
        let Ok(member) = Member::from_subkey(subkey) else {
            self.state = State::Bad;
            return ControlFlow::Break(());
        };
        let value = member.to_json();
        let room = self.left.checked_sub(frame);
        match room.and_then(|room| Some(room - json::length(&value, room)?)) {
            Some(left) => {
                self.left = left;
                self.values.push(value);
                ControlFlow::Continue(())
            }
            None => {
                self.state = State::TooLarge;
                ControlFlow::Break(())
            }
        }
    }
}
