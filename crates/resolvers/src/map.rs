//! `map`: fields, each a register of its own.

use crate::conflict::{Conflict, Indexed};
use crate::field::FieldRows;
use crate::json::{self, read_json};
use crate::operation::{MAX_FIELD_BYTES, Operation, Resolution};
use crate::register::{self, Version, check_limits};
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Rows};
use anabranch_causality::{Effect, Kind};
use serde_json::{Map as Object, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The most fields of a collection that have a resolver of their own.
pub const MAX_RESOLVERS: usize = 256;

/// An object whose fields are combined each for itself, as by `lww` or by the register resolver that the field names: a field
/// written concurrently with the key's removal survives.
///
/// One row per surviving write of a field, under the field's name, holding compact JSON: which resolver a field has can change
/// at any time.
#[derive(Clone, Default)]
pub struct Map {
    fields: BTreeMap<String, Arc<dyn Resolver>>,
}

impl Map {
    /// A map whose fields are all combined as by `lww`.
    #[must_use]
    pub const fn new() -> Self {
        Self { fields: BTreeMap::new() }
    }

    /// A map whose fields of these names are combined by these resolvers of registers, all others as by `lww`.
    #[must_use]
    pub fn with(fields: BTreeMap<String, Arc<dyn Resolver>>) -> Self {
        Self { fields }
    }

    /// The resolver of a field; `None` for one that is combined as by `lww`.
    fn resolver(&self, field: &[u8]) -> Option<&Arc<dyn Resolver>> {
        std::str::from_utf8(field).ok().and_then(|field| self.fields.get(field))
    }

    fn set(&self, field: &str, value: &Value, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        match self.fields.get(field) {
            None => {
                prepare.supersede_all(Some(field.as_bytes()))?;
                prepare.add(field.as_bytes(), json::canonical(value));
                Ok(())
            }
            Some(resolver) => {
                let put = Operation::Put(value.clone());
                prepare.within(field.as_bytes(), |prepare| resolver.prepare(&put, prepare))
            }
        }
    }

    fn resolve(&self, resolution: &Resolution, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        let standing = self.conflicts(prepare.rows())?;
        let meant = standing.into_iter().find(|conflict| conflict.id == resolution.conflict);
        let resolver = meant.as_ref().and_then(|conflict| self.resolver(&conflict.subkey));
        let (Some(conflict), Some(resolver)) = (&meant, resolver) else {
            return register::meant(resolution.conflict, None).map(|_| ());
        };
        let resolve = Operation::Resolve(resolution.clone());
        prepare.within(&conflict.subkey, |prepare| resolver.prepare(&resolve, prepare))
    }

    /// What the fields with resolvers of their own come to, as far as they have rows.
    fn outcomes(&self, rows: &dyn Rows, most_bytes: usize) -> Result<BTreeMap<&str, Outcome>, ReadFailed> {
        let mut outcomes = BTreeMap::new();
        for (field, resolver) in &self.fields {
            if let Some(outcome) = resolver.value(&FieldRows::new(rows, field.as_bytes()), most_bytes)? {
                outcomes.insert(field.as_str(), outcome);
            }
        }
        Ok(outcomes)
    }

    /// Of each field that is combined as by `lww`, the version that is shown.
    fn winners(&self, rows: &dyn Rows) -> Result<BTreeMap<String, Version>, ReadFailed> {
        let (mut fields, mut bad): (BTreeMap<String, Vec<Version>>, bool) = (BTreeMap::new(), false);
        rows.rows(None, &mut |row| {
            let version = Version { stamp: row.stamp, tag: row.tag, bytes: row.payload.len() };
            match name(row.subkey) {
                Some(field) if self.fields.contains_key(field) => {}
                Some(field) => match fields.get_mut(field) {
                    Some(versions) => versions.push(version),
                    None => drop(fields.insert(field.to_owned(), vec![version])),
                },
                None => bad = true,
            }
            if bad { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if bad {
            return Err(ReadFailed);
        }
        let first = |(field, versions)| Some((field, register::by_importance(versions).into_iter().next()?));
        Ok(fields.into_iter().filter_map(first).collect())
    }
}

impl Resolver for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn kind(&self) -> Kind {
        Kind::MAP
    }

    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        check_limits(operation)?;
        match operation {
            Operation::SetFields(fields) => {
                fields.iter().try_for_each(|(field, value)| self.set(field, value, prepare))
            }
            Operation::RemoveFields(fields) => {
                fields.iter().try_for_each(|field| prepare.supersede_all(Some(field.as_bytes())))?;
                Ok(())
            }
            Operation::Resolve(resolution) => self.resolve(resolution, prepare),
            Operation::Delete => Ok(prepare.supersede_all(None)?),
            other => Err(Rejection::NotSupported(other.unsupported(self.kind()))),
        }
    }

    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        if effect.kind != Kind::MAP {
            return Err(Malformed("not a map's effect"));
        }
        if !effect.folds.is_empty() {
            return Err(Malformed("a map keeps no sums"));
        }
        let subkeys = effect.supersedes.iter().map(|group| &group.subkey);
        for subkey in subkeys.chain(effect.adds.iter().map(|add| &add.subkey)) {
            name(subkey).ok_or(Malformed("a map's subkey is a field's name"))?;
        }
        // As a value, not merely as tokens: a number out of range would fail every read.
        let is_json = |payload: &[u8]| read_json(payload).is_ok();
        if effect.adds.iter().all(|add| is_json(&add.payload)) {
            Ok(())
        } else {
            Err(Malformed("a map's field is JSON"))
        }
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        const REASON: &str = "of each field what its resolver makes of the writes that survive";
        let (winners, outcomes) = (self.winners(rows)?, self.outcomes(rows, most_bytes)?);
        if winners.is_empty() && outcomes.is_empty() {
            return Ok(None);
        }
        let conflicts = outcomes.values().filter(|outcome| outcome.conflicts > 0).count() as u64;
        let left_out = outcomes.values().any(|outcome| outcome.truncated);
        if left_out || length(&winners, &outcomes, most_bytes) > most_bytes {
            let truncated = Outcome { truncated: true, conflicts, ..Outcome::plain(Value::Null, REASON) };
            return Ok(Some(truncated));
        }
        let mut object = object(rows, &winners)?;
        object.extend(outcomes.into_iter().map(|(field, outcome)| (field.to_owned(), outcome.value)));
        Ok(Some(Outcome { conflicts, ..Outcome::plain(Value::Object(object), REASON) }))
    }

    fn conflicts(&self, rows: &dyn Rows) -> Result<Vec<Conflict>, ReadFailed> {
        let mut conflicts = Vec::new();
        for (field, resolver) in &self.fields {
            let subkey = field.as_bytes();
            let standing = resolver.conflicts(&FieldRows::new(rows, subkey))?;
            conflicts.extend(standing.into_iter().map(|conflict| Conflict { subkey: subkey.to_vec(), ..conflict }));
        }
        Ok(conflicts)
    }

    fn indexed(&self) -> Indexed {
        Indexed::Subkeys
    }

    fn makes_conflicts(&self) -> bool {
        self.fields.values().any(|resolver| resolver.makes_conflicts())
    }

    fn show(&self, subkey: &[u8], payload: &[u8]) -> Value {
        let Some(field) = name(subkey) else { return Value::Null };
        Value::Object(Object::from_iter([(field.to_owned(), register::show(payload))]))
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.fields.iter().map(|(field, resolver)| (field, resolver.name()))).finish()
    }
}

fn name(subkey: &[u8]) -> Option<&str> {
    let is_name = (1..=MAX_FIELD_BYTES).contains(&subkey.len());
    std::str::from_utf8(subkey).ok().filter(|_| is_name)
}

/// How many bytes of JSON the map has; more than `most` for what has more.
fn length(winners: &BTreeMap<String, Version>, outcomes: &BTreeMap<&str, Outcome>, most: usize) -> usize {
    // The name, a colon, the value, and a comma or a brace.
    let field = |name: &str, bytes: usize| json::length(&Value::from(name), most).unwrap_or(most) + 2 + bytes;
    let plain = winners.iter().map(|(name, winner)| field(name, winner.bytes));
    let value = |outcome: &Outcome| json::length(&outcome.value, most).unwrap_or(most);
    1 + plain.chain(outcomes.iter().map(|(name, outcome)| field(name, value(outcome)))).sum::<usize>()
}

fn object(rows: &dyn Rows, winners: &BTreeMap<String, Version>) -> Result<Object<String, Value>, ReadFailed> {
    let (mut object, mut bad) = (Object::new(), false);
    rows.rows(None, &mut |row| {
        let field = name(row.subkey).filter(|field| winners.get(*field).is_some_and(|winner| winner.tag == row.tag));
        if let Some(field) = field {
            match read_json(row.payload) {
                Ok(value) => drop(object.insert(field.to_owned(), value)),
                Err(_) => bad = true,
            }
        }
        if bad { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if bad { Err(ReadFailed) } else { Ok(object) }
}
