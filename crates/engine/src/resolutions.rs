//! What people decided: every resolution leaves a record, replicated like everything else.

use crate::catalog::Catalog;
use crate::keys;
use crate::store::{Read, StoreError};
use crate::view::KeyRows;
use anabranch_causality::{Effect, Kind, OperationId};
use anabranch_resolvers::{Choice, ConflictId, Keep, Operation, Resolution, Rows};
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// The system's collection of resolutions: a map per conflict, under its id, with a field per operation that ended it. So what
/// two people decided at the same time is kept side by side.
pub const RESOLUTIONS: &str = "_resolutions";

/// The most options that a record shows.
const MOST_OPTIONS: usize = 64;
/// A value with more bytes of JSON than this is left out of a record.
const MOST_VALUE: usize = 4_096;

/// The operation that leaves the record. A function of the request alone: a conflict's id says what its options are.
pub(crate) fn record(
    operation: OperationId,
    (collection, kind, key): (&str, Kind, &str),
    resolution: &Resolution,
    options: &[Choice],
) -> Operation {
    // In the order of their names: their ages can change with a second copy of an operation.
    let mut options: Vec<&Choice> = options.iter().collect();
    options.sort_by_key(|option| &option.id);
    let options: Vec<Value> = options.into_iter().take(MOST_OPTIONS).map(option).collect();
    let mut record = json!({ "collection": collection, "kind": kind.to_string(), "key": key, "options": options });
    match &resolution.keep {
        Keep::Options(names) => record["keep"] = names.clone().into(),
        Keep::Value(value) => record["value"] = short(value),
    }
    for (name, text) in [("by", &resolution.by), ("note", &resolution.note)] {
        if let Some(text) = text {
            record[name] = text.as_str().into();
        }
    }
    Operation::SetFields([(operation.to_string(), record)].into())
}

fn option(option: &Choice) -> Value {
    json!({ "option": option.id, "value": short(&option.value) })
}

/// `null` for what is too long to be kept twice.
fn short(value: &Value) -> Value {
    if value.to_string().len() <= MOST_VALUE { value.clone() } else { Value::Null }
}

/// Whether anybody ended that conflict, as far as is known here.
pub(crate) fn was_ended(read: &dyn Read, catalog: &Catalog, conflict: ConflictId) -> Result<bool, StoreError> {
    has_record(read, catalog, &conflict.to_string())
}

/// Whether any of these effects records the end of a conflict that somebody else has ended, too.
pub(crate) fn has_opposite(read: &dyn Read, catalog: &Catalog, effects: &[Effect]) -> Result<bool, StoreError> {
    for effect in effects.iter().filter(|effect| effect.collection == RESOLUTIONS) {
        if has_record(read, catalog, &effect.key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn has_record(read: &dyn Read, catalog: &Catalog, conflict: &str) -> Result<bool, StoreError> {
    let Some(collection) = catalog.get(RESOLUTIONS, Kind::MAP) else { return Ok(false) };
    has_rows(read, collection.id, conflict)
}

fn has_rows(read: &dyn Read, id: keys::CollectionId, key: &str) -> Result<bool, StoreError> {
    let (rows, mut found) = (KeyRows::new(read, id, key), false);
    let visited = rows.rows(None, &mut |_| {
        found = true;
        ControlFlow::Break(())
    });
    visited.map_err(|_| rows.cause())?;
    Ok(found)
}
