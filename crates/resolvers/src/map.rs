//! `map`: fields, each a register of its own.

use crate::conflict::Indexed;
use crate::json;
use crate::operation::{MAX_FIELD_BYTES, Operation};
use crate::register::{self, Version, check_limits};
use crate::resolver::{Malformed, Outcome, Prepare, ReadFailed, Rejection, Resolver, Row, Rows};
use anabranch_causality::{Effect, Kind, Tag};
use serde_json::{Map as Object, Value};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// An object whose fields are combined each for itself, as by `lww`: a field written concurrently with the key's removal
/// survives, and of a field's concurrent values the latest is shown.
///
/// One row per surviving write of a field, under the field's name, holding compact JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct Map;

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
                for (field, value) in fields {
                    prepare.supersede_all(Some(field.as_bytes()))?;
                    prepare.add(field.as_bytes(), json::canonical(value));
                }
                Ok(())
            }
            Operation::RemoveFields(fields) => {
                fields.iter().try_for_each(|field| prepare.supersede_all(Some(field.as_bytes())))?;
                Ok(())
            }
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
            field(subkey).ok_or(Malformed("a map's subkey is a field's name"))?;
        }
        // As a value, not merely as tokens: a number out of range would fail every read.
        let is_json = |payload: &[u8]| serde_json::from_slice::<Value>(payload).is_ok();
        if effect.adds.iter().all(|add| is_json(&add.payload)) {
            Ok(())
        } else {
            Err(Malformed("a map's field is JSON"))
        }
    }

    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        const REASON: &str = "of each field the latest write that survives";
        let winners = winners(rows)?;
        if winners.is_empty() {
            return Ok(None);
        }
        let length = |(field, winner): (&Vec<u8>, &Version)| {
            let name = Value::from(String::from_utf8_lossy(field));
            // The name, a colon, the value, and a comma or a brace.
            json::length(&name, most_bytes).unwrap_or(most_bytes) + 2 + winner.bytes
        };
        if 1 + winners.iter().map(length).sum::<usize>() > most_bytes {
            return Ok(Some(Outcome { truncated: true, ..Outcome::plain(Value::Null, REASON) }));
        }
        let object = object(rows, &winners)?;
        Ok(Some(Outcome::plain(Value::Object(object), REASON)))
    }

    fn indexed(&self) -> Indexed {
        Indexed::Subkeys
    }

    fn show(&self, subkey: &[u8], payload: &[u8]) -> Value {
        let Some(field) = field(subkey) else { return Value::Null };
        Value::Object(Object::from_iter([(field.to_owned(), register::show(payload))]))
    }
}

fn field(subkey: &[u8]) -> Option<&str> {
    let is_name = (1..=MAX_FIELD_BYTES).contains(&subkey.len());
    std::str::from_utf8(subkey).ok().filter(|_| is_name)
}

/// Of each field, the version that is shown.
fn winners(rows: &dyn Rows) -> Result<BTreeMap<Vec<u8>, Version>, ReadFailed> {
    let mut fields: BTreeMap<Vec<u8>, Vec<Version>> = BTreeMap::new();
    rows.rows(None, &mut |row| {
        let version = Version { stamp: row.stamp, tag: row.tag, bytes: row.payload.len() };
        match fields.get_mut(row.subkey) {
            Some(versions) => versions.push(version),
            None => drop(fields.insert(row.subkey.to_vec(), vec![version])),
        }
        ControlFlow::Continue(())
    })?;
    let first = |(field, versions)| Some((field, register::by_importance(versions).into_iter().next()?));
    Ok(fields.into_iter().filter_map(first).collect())
}

fn object(rows: &dyn Rows, winners: &BTreeMap<Vec<u8>, Version>) -> Result<Object<String, Value>, ReadFailed> {
    let (mut object, mut bad) = (Object::new(), false);
    rows.rows(None, &mut |row| {
        if wins(winners, &row) {
            match (field(row.subkey), serde_json::from_slice(row.payload)) {
                (Some(field), Ok(value)) => drop(object.insert(field.to_owned(), value)),
                _ => bad = true,
            }
        }
        if bad { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    if bad { Err(ReadFailed) } else { Ok(object) }
}

fn wins(winners: &BTreeMap<Vec<u8>, Version>, row: &Row<'_>) -> bool {
    let tag: Option<Tag> = winners.get(row.subkey).map(|winner| winner.tag);
    tag == Some(row.tag)
}
