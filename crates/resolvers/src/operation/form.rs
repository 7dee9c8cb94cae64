//! Operations as clients write them: an object with one key.

use super::{Member, Operation, OperationError, malformed, unsupported};
use anabranch_causality::Kind;
use serde_json::{Map, Value, json};

/// How much of a name that a client made up is repeated to it, in characters.
const SHOWN: usize = 40;

impl Operation {
    /// The operation of that kind that a JSON value is, such as `{"add":2}`.
    ///
    /// Expects JSON that was checked for duplicate keys while it was parsed: here they can no longer be seen.
    ///
    /// # Errors
    /// [`OperationError`]; the text says what was expected.
    pub fn from_json(kind: Kind, value: Value) -> Result<Self, OperationError> {
        let (name, content) = only_field(value)?;
        let operation = match (kind, name.as_str()) {
            (Kind::REGISTER, "put") => Self::Put(content),
            (Kind::REGISTER | Kind::OR_SET | Kind::MAP | Kind::CART, "delete") => {
                only_true("delete", &content, Self::Delete)?
            }
            (Kind::G_COUNTER | Kind::PN_COUNTER, "add") => Self::Add(integer("add", &content)?),
            (Kind::OR_SET, "add") => Self::AddMembers(members("add", content)?),
            (Kind::OR_SET, "remove") => Self::RemoveMembers(members("remove", content)?),
            (Kind::MAP, "set") => Self::SetFields(object("set", "{field:value}", content)?.into_iter().collect()),
            (Kind::MAP, "remove") => Self::RemoveFields(fields(content)?),
            (Kind::CART, "add") => add_item(content)?,
            (Kind::CART, "remove") => remove_item(content)?,
            (Kind::CART, "clear") => only_true("clear", &content, Self::Clear)?,
            _ => return Err(OperationError::NotSupported(unsupported(&shown(&name), kind))),
        };
        operation.check_limits()?;
        Ok(operation)
    }

    /// The form that [`Operation::from_json`] reads.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let list = |members: &[Member]| members.iter().map(Member::to_json).collect::<Vec<_>>();
        match self {
            Self::Put(value) => json!({ "put": value }),
            Self::Delete => json!({ "delete": true }),
            Self::Add(change) => json!({ "add": change }),
            Self::AddMembers(members) => json!({ "add": list(members) }),
            Self::RemoveMembers(members) => json!({ "remove": list(members) }),
            Self::SetFields(fields) => json!({ "set": fields }),
            Self::RemoveFields(fields) => json!({ "remove": fields }),
            Self::AddItem { item, quantity } => json!({ "add": { "item": item, "quantity": quantity } }),
            Self::RemoveItem { item } => json!({ "remove": { "item": item } }),
            Self::Clear => json!({ "clear": true }),
        }
    }
}

fn only_field(value: Value) -> Result<(String, Value), OperationError> {
    let Value::Object(fields) = value else {
        return malformed(format!("an operation is an object with one key, not {}", article(&value)));
    };
    let count = fields.len();
    match fields.into_iter().next() {
        Some(field) if count == 1 => Ok(field),
        _ => malformed(format!("an operation is an object with one key, not {count}")),
    }
}

fn only_true(name: &str, content: &Value, operation: Operation) -> Result<Operation, OperationError> {
    match content {
        Value::Bool(true) => Ok(operation),
        _ => malformed(format!("{name} expects true")),
    }
}

fn integer(name: &str, content: &Value) -> Result<i64, OperationError> {
    match content {
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Ok(integer),
            None => malformed(format!("{name} expects an integer from {} to {}, not {number}", i64::MIN, i64::MAX)),
        },
        other => malformed(format!("{name} expects an integer, not {}", article(other))),
    }
}

fn members(name: &str, content: Value) -> Result<Vec<Member>, OperationError> {
    match content {
        Value::Array(members) => members.into_iter().map(Member::from_json).collect(),
        other => malformed(format!("{name} expects a list of members, not {}", article(&other))),
    }
}

fn fields(content: Value) -> Result<Vec<String>, OperationError> {
    let Value::Array(names) = content else {
        return malformed(format!("remove expects a list of fields, not {}", article(&content)));
    };
    let name = |name: Value| match name {
        Value::String(name) => Ok(name),
        other => malformed(format!("a field's name is a string, not {}", article(&other))),
    };
    names.into_iter().map(name).collect()
}

fn add_item(content: Value) -> Result<Operation, OperationError> {
    const FORM: &str = r#"{"item":string,"quantity":n}"#;
    let mut fields = object("add", FORM, content)?;
    let item = item("add", FORM, &mut fields)?;
    let Some(quantity) = fields.remove("quantity") else {
        return malformed(format!("add expects {FORM}: quantity is missing"));
    };
    no_more("add", FORM, &fields)?;
    Ok(Operation::AddItem { item, quantity: integer("quantity", &quantity)? })
}

fn remove_item(content: Value) -> Result<Operation, OperationError> {
    const FORM: &str = r#"{"item":string}"#;
    let mut fields = object("remove", FORM, content)?;
    let item = item("remove", FORM, &mut fields)?;
    no_more("remove", FORM, &fields)?;
    Ok(Operation::RemoveItem { item })
}

fn object(name: &str, form: &str, content: Value) -> Result<Map<String, Value>, OperationError> {
    match content {
        Value::Object(fields) => Ok(fields),
        other => malformed(format!("{name} expects {form}, not {}", article(&other))),
    }
}

fn item(name: &str, form: &str, fields: &mut Map<String, Value>) -> Result<String, OperationError> {
    match fields.remove("item") {
        Some(Value::String(item)) => Ok(item),
        Some(other) => malformed(format!("item expects a string, not {}", article(&other))),
        None => malformed(format!("{name} expects {form}: item is missing")),
    }
}

fn no_more(name: &str, form: &str, fields: &Map<String, Value>) -> Result<(), OperationError> {
    match fields.keys().next() {
        Some(unknown) => malformed(format!("{name} expects {form}: {} is not known", shown(unknown))),
        None => Ok(()),
    }
}

fn article(value: &Value) -> &'static str {
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
fn shown(name: &str) -> String {
    let is_word =
        !name.is_empty() && name.len() <= SHOWN && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_word { name.to_owned() } else { format!("{:?}", name.chars().take(SHOWN).collect::<String>()) }
}

#[cfg(test)]
mod tests;
