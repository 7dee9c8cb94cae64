//! `/v1/transactions`.

use super::data::{self, DEPTH};
use super::write;
use crate::answer;
use crate::app::App;
use crate::call::Call;
use crate::headers;
use crate::problem::{Code, Problem};
use anabranch::{Change, Kind, Write};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is around a value: `{"operations":[{"op":{"put":value}}]}`.
const AROUND: usize = 4;
/// How deep a body may be.
pub(crate) const DEEPEST: usize = DEPTH + AROUND;

/// Finds name and kind of the collection that a path names.
pub(crate) type Find<'a> = &'a dyn Fn(&str) -> Result<(String, Kind), Problem>;

/// `POST /v1/transactions`
pub(crate) async fn post(State(app): State<Arc<App>>, call: Call, body: Body) -> Result<Response, Problem> {
    let terms = call.terms(&app)?;
    if call.headers.contains_key(headers::CONTEXT) {
        let detail = format!("{} is about one key: a transaction takes none", headers::CONTEXT);
        return Err(Problem::new(Code::NotSupported, detail));
    }
    let operations = operations(call.json(&app, body, DEEPEST).await?)?;
    let view = call.base(&app).await?;
    let changes = changes(operations, &|path| {
        let found = view.collection(path)?;
        Ok((found.name.clone(), found.kind))
    })?;
    drop(view);
    let written = app.database.apply_async(Write { changes, key: terms.key }).await?;
    let mut body = write::written(&written);
    if written.incomplete {
        // Only a single clearing can be: the rest goes when it is sent again, under another key.
        body.insert("incomplete".to_owned(), true.into());
    }
    terms.acknowledged(&app, written.dot, &body).await?;
    Ok(answer::of(&app.database.view(), StatusCode::OK, &Value::Object(body)))
}

/// The operations of a body, not read yet.
pub(crate) fn operations(body: Value) -> Result<Vec<Value>, Problem> {
    const FORM: &str = r#"expected {"operations":[{"collection","key","op"}, …]}"#;
    let Value::Object(mut fields) = body else { return Err(Problem::bad_request(FORM)) };
    let operations = fields.remove("operations");
    match (operations, fields.is_empty()) {
        (Some(Value::Array(operations)), true) if operations.is_empty() => {
            Err(Problem::bad_request("a transaction has at least one operation"))
        }
        (Some(Value::Array(operations)), true) if operations.len() > Write::MAX_CHANGES => {
            let detail =
                format!("a transaction has at most {} operations, not {}", Write::MAX_CHANGES, operations.len());
            Err(Problem::new(Code::TooLarge, detail))
        }
        (Some(Value::Array(operations)), true) => Ok(operations),
        _ => Err(Problem::bad_request(FORM)),
    }
}

/// What they ask for.
pub(crate) fn changes(operations: Vec<Value>, find: Find<'_>) -> Result<Vec<Change>, Problem> {
    let change =
        |(index, operation)| change(operation, find).map_err(|problem: Problem| problem.with("operation", index));
    operations.into_iter().enumerate().map(change).collect()
}

fn change(operation: Value, find: Find<'_>) -> Result<Change, Problem> {
    const FORM: &str = r#"an operation of a transaction is {"collection":name,"key":key,"op":{…}}"#;
    let Value::Object(mut fields) = operation else { return Err(Problem::bad_request(FORM)) };
    let (path, key) = (text(&mut fields, "collection")?, text(&mut fields, "key")?);
    let op = fields.remove("op").ok_or_else(|| Problem::bad_request(FORM))?;
    if !fields.is_empty() {
        return Err(Problem::bad_request(FORM));
    }
    data::check_names(&path, &key)?;
    let (collection, kind) = find(&path)?;
    let operation = write::operation(kind, op)?;
    Ok(Change::Operate { collection, kind, key, operation, context: None })
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String, Problem> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Problem::bad_request(format!("{name} is a string"))),
    }
}
