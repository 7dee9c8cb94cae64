//! `/v1/transactions`.

use super::data::{self, DEPTH};
use super::write;
use crate::answer;
use crate::app::App;
use crate::call::Call;
use crate::headers;
use crate::problem::{Code, Problem};
use anabranch::{Change, View, Write};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What is around a value: `{"operations":[{"op":{"put":value}}]}`.
const AROUND: usize = 4;

/// `POST /v1/transactions`
pub(crate) async fn post(State(app): State<Arc<App>>, call: Call, body: Body) -> Result<Response, Problem> {
    let terms = call.terms(&app)?;
    if call.headers.contains_key(headers::CONTEXT) {
        let detail = format!("{} is about one key: a transaction takes none", headers::CONTEXT);
        return Err(Problem::new(Code::NotSupported, detail));
    }
    let operations = operations(call.json(&app, body, DEPTH + AROUND).await?)?;
    let view = call.base(&app).await?;
    let changes: Result<Vec<Change>, Problem> =
        operations.into_iter().enumerate().map(|(index, operation)| change(&view, index, operation)).collect();
    drop(view);
    let written = app.database.apply_async(Write { changes: changes?, key: terms.key }).await?;
    let mut body = write::written(&written);
    if written.incomplete {
        // Only a single clearing can be: the rest goes when it is sent again, under another key.
        body.insert("incomplete".to_owned(), true.into());
    }
    terms.acknowledged(&app, written.dot, &body).await?;
    Ok(answer::of(&app.database.view(), StatusCode::OK, &Value::Object(body)))
}

fn operations(body: Value) -> Result<Vec<Value>, Problem> {
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

fn change(view: &View, index: usize, operation: Value) -> Result<Change, Problem> {
    named(view, operation).map_err(|problem| problem.with("operation", index))
}

fn named(view: &View, operation: Value) -> Result<Change, Problem> {
    const FORM: &str = r#"an operation of a transaction is {"collection":name,"key":key,"op":{…}}"#;
    let Value::Object(mut fields) = operation else { return Err(Problem::bad_request(FORM)) };
    let (path, key) = (text(&mut fields, "collection")?, text(&mut fields, "key")?);
    let op = fields.remove("op").ok_or_else(|| Problem::bad_request(FORM))?;
    if !fields.is_empty() {
        return Err(Problem::bad_request(FORM));
    }
    data::check_names(&path, &key)?;
    let found = view.collection(&path)?;
    let operation = write::operation(found.kind, op)?;
    Ok(Change::Operate { collection: found.name.clone(), kind: found.kind, key, operation, context: None })
}

fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String, Problem> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Problem::bad_request(format!("{name} is a string"))),
    }
}
