//! What the commands do.

pub(crate) mod cert;
pub(crate) mod collection;
pub(crate) mod conflicts;
pub(crate) mod explain;
pub(crate) mod read;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod verify;
pub(crate) mod watch;
pub(crate) mod write;

use serde_json::Value;

/// A field's text for a table: strings bare, all else as JSON, absent things empty.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A value for a table: JSON, so that `"1"` and `1` look different.
fn json_cell(value: Option<&Value>) -> String {
    value.map(Value::to_string).unwrap_or_default()
}

/// The list under a field, or none.
fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A row of a table: these fields of an object.
fn row(object: &Value, fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| cell(object.get(field))).collect()
}
