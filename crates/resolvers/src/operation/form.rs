//! Operations as clients write them: an object with one key.

use super::fields::{Fields, article, integer, shown, texts};
use super::{Member, Operation, OperationError, booking, malformed, resolution, text, unsupported};
use anabranch_causality::Kind;
use serde_json::{Value, json};

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
            (Kind::REGISTER | Kind::OR_SET | Kind::MAP | Kind::CART | Kind::TEXT, "delete") if !content.is_object() => {
                only_true("delete", &content, Self::Delete)?
            }
            (Kind::G_COUNTER | Kind::PN_COUNTER, "add") => Self::Add(integer("add", &content)?),
            (Kind::OR_SET, "add") => Self::AddMembers(members("add", content)?),
            (Kind::OR_SET, "remove") => Self::RemoveMembers(members("remove", content)?),
            (Kind::MAP, "set") => field_values(content)?,
            (Kind::MAP, "remove") => {
                Self::RemoveFields(texts("remove expects a list of fields", "a field's name", content)?)
            }
            (Kind::CART, "add") => add_item(content)?,
            (Kind::CART, "remove") => remove_item(content)?,
            (Kind::CART, "clear") => only_true("clear", &content, Self::Clear)?,
            (Kind::CALENDAR, "book") => Self::Book(booking::from_json(content)?),
            (Kind::CALENDAR, "cancel") => booking::cancel_from_json(content)?,
            (Kind::CALENDAR, "move") => booking::move_from_json(content)?,
            (Kind::REGISTER | Kind::MAP | Kind::CALENDAR, "resolve") => Self::Resolve(resolution::from_json(content)?),
            (Kind::TEXT, "insert") => text::insert_from_json(content)?,
            (Kind::TEXT, "delete") if content.is_object() => text::delete_from_json(content)?,
            (Kind::TEXT, "yjs") => text::yjs_from_json(content)?,
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
            Self::Book(booking) => json!({ "book": booking::to_json(booking) }),
            Self::Cancel { booking, by } => json!({ "cancel": { "booking": booking, "by": by } }),
            Self::Move { booking, span, by } => {
                let (start, end) = (span.start.to_string(), span.end.to_string());
                json!({ "move": { "booking": booking, "start": start, "end": end, "by": by } })
            }
            Self::Resolve(resolution) => json!({ "resolve": resolution::to_json(resolution) }),
            Self::InsertText { at, text } => json!({ "insert": { "at": at, "text": text } }),
            Self::DeleteText { at, length } => json!({ "delete": { "at": at, "length": length } }),
            Self::Yjs(update) => json!({ "yjs": text::to_base64(update) }),
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

fn members(name: &str, content: Value) -> Result<Vec<Member>, OperationError> {
    match content {
        Value::Array(members) => members.into_iter().map(Member::from_json).collect(),
        other => malformed(format!("{name} expects a list of members, not {}", article(&other))),
    }
}

fn add_item(content: Value) -> Result<Operation, OperationError> {
    let mut fields = Fields::new("add", r#"{"item":string,"quantity":n}"#, content)?;
    let (item, quantity) = (fields.text("item")?, fields.integer("quantity")?);
    fields.end()?;
    Ok(Operation::AddItem { item, quantity })
}

fn remove_item(content: Value) -> Result<Operation, OperationError> {
    let mut fields = Fields::new("remove", r#"{"item":string}"#, content)?;
    let item = fields.text("item")?;
    fields.end()?;
    Ok(Operation::RemoveItem { item })
}

fn field_values(content: Value) -> Result<Operation, OperationError> {
    match content {
        Value::Object(fields) => Ok(Operation::SetFields(fields.into_iter().collect())),
        other => malformed(format!("set expects {{field:value}}, not {}", article(&other))),
    }
}

#[cfg(test)]
mod tests;
