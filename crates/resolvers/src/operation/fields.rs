//! Reading the objects of operations, with errors that say what was expected.

use super::{OperationError, malformed};
use crate::moment::Moment;
use serde_json::{Map, Value};

/// How much of a name that a client made up is repeated to it, in characters.
const SHOWN: usize = 40;

/// The fields of an operation's object that were not yet read.
pub(super) struct Fields {
    operation: &'static str,
    form: &'static str,
    fields: Map<String, Value>,
}

impl Fields {
    /// The fields of `content`, which is to have that form.
    pub(super) fn new(operation: &'static str, form: &'static str, content: Value) -> Result<Self, OperationError> {
        match content {
            Value::Object(fields) => Ok(Self { operation, form, fields }),
            other => malformed(format!("{operation} expects {form}, not {}", article(&other))),
        }
    }

    /// A field that may be absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    pub(super) fn required(&mut self, name: &str) -> Result<Value, OperationError> {
        let missing = || format!("{} expects {}: {name} is missing", self.operation, self.form);
        self.fields.remove(name).ok_or_else(|| OperationError::Malformed(missing()))
    }

    pub(super) fn text(&mut self, name: &'static str) -> Result<String, OperationError> {
        text(name, self.required(name)?)
    }

    pub(super) fn optional_text(&mut self, name: &'static str) -> Result<Option<String>, OperationError> {
        self.take(name).map(|value| text(name, value)).transpose()
    }

    pub(super) fn integer(&mut self, name: &'static str) -> Result<i64, OperationError> {
        integer(name, &self.required(name)?)
    }

    /// A count or a position.
    pub(super) fn natural(&mut self, name: &'static str) -> Result<u64, OperationError> {
        match self.required(name)? {
            Value::Number(number) => match number.as_u64() {
                Some(natural) => Ok(natural),
                None => malformed(format!("{name} expects an integer of at least 0, not {number}")),
            },
            other => malformed(format!("{name} expects an integer of at least 0, not {}", article(&other))),
        }
    }

    pub(super) fn moment(&mut self, name: &'static str) -> Result<Moment, OperationError> {
        let text = self.text(name)?;
        text.parse().map_err(|error| OperationError::Malformed(format!("{name}: {error}")))
    }

    /// That there is nothing else.
    pub(super) fn end(self) -> Result<(), OperationError> {
        match self.fields.keys().next() {
            Some(unknown) => {
                malformed(format!("{} expects {}: {} is not known", self.operation, self.form, shown(unknown)))
            }
            None => Ok(()),
        }
    }
}

pub(super) fn text(name: &str, value: Value) -> Result<String, OperationError> {
    match value {
        Value::String(text) => Ok(text),
        other => malformed(format!("{name} expects a string, not {}", article(&other))),
    }
}

pub(super) fn integer(name: &str, content: &Value) -> Result<i64, OperationError> {
    match content {
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Ok(integer),
            None => malformed(format!("{name} expects an integer from {} to {}, not {number}", i64::MIN, i64::MAX)),
        },
        other => malformed(format!("{name} expects an integer, not {}", article(other))),
    }
}

/// A list of strings, each called `what`.
pub(super) fn texts(list: &str, what: &str, content: Value) -> Result<Vec<String>, OperationError> {
    let Value::Array(items) = content else {
        return malformed(format!("{list}, not {}", article(&content)));
    };
    let text = |item: Value| match item {
        Value::String(text) => Ok(text),
        other => malformed(format!("{what} is a string, not {}", article(&other))),
    };
    items.into_iter().map(text).collect()
}

pub(super) fn article(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// A client's own word, cut and escaped.
pub(super) fn shown(name: &str) -> String {
    let is_word =
        !name.is_empty() && name.len() <= SHOWN && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_word { name.to_owned() } else { format!("{:?}", name.chars().take(SHOWN).collect::<String>()) }
}
