//! Writing one key, and what the answer says.

use crate::answer;
use crate::app::App;
use crate::call::Terms;
use crate::headers;
use crate::problem::{Code, Problem};
use anabranch::resolvers::OperationError;
use anabranch::{Change, Collection, Context, Dot, Kind, Operation, Outcome, View, Write, Written};
use axum::response::Response;
use hyper::header::HeaderValue;
use hyper::http::StatusCode;
use serde_json::{Map, Value};

/// A value above this many bytes is left out of the answer to a write.
const MOST_VALUE: usize = 4096;
/// The most transactions that one clearing takes: 10 million rows.
const MOST_TRANSACTIONS: u64 = 1_000;

/// One operation on one key.
pub(super) struct One {
    pub(super) path: String,
    pub(super) collection: Collection,
    pub(super) key: String,
    pub(super) operation: Operation,
    pub(super) context: Option<Context>,
}

impl One {
    fn change(&self) -> Change {
        Change::Operate {
            collection: self.collection.name.clone(),
            kind: self.collection.kind,
            key: self.key.clone(),
            operation: self.operation.clone(),
            context: self.context.clone(),
        }
    }
}

/// Writes, and answers with the value after it.
pub(super) async fn one(app: &App, one: One, terms: &Terms) -> Result<Response, Problem> {
    let write = Write { changes: vec![one.change()], key: terms.key };
    let first = app.database.apply_async(write).await?;
    let (transactions, last) = rest(app, &one, &first).await?;
    // Taken after the acknowledgement: it has the write, and its token covers it.
    let view = app.database.view();
    let mut body = written(&first);
    if transactions > 1 {
        body.insert("transactions".to_owned(), transactions.into());
    }
    // Also when the value is left out: a register's answer carries its context.
    let is_read = !terms.no_value || one.collection.kind == Kind::REGISTER;
    let outcome = match is_read {
        true => view.value_after(&one.path, &one.key, Some(&one.operation), MOST_VALUE)?,
        false => None,
    };
    if !terms.no_value {
        add_value(&mut body, outcome.as_ref());
    }
    // Not held while waiting.
    let shown = view.token();
    drop(view);
    let context = context(&one.collection, &one.key, outcome.as_ref());
    if let Err(problem) = terms.acknowledged(app, last, &body).await {
        return Err(context.into_iter().fold(problem, |problem, value| problem.header(headers::CONTEXT, value)));
    }
    let mut response = answer::shows(shown, StatusCode::OK, &Value::Object(body));
    response.headers_mut().extend(context.map(|value| (headers::CONTEXT, value)));
    Ok(response)
}

/// What was too much for one transaction goes in further ones, under ids of their own. Returns how many there were, and
/// the last one's dot.
async fn rest(app: &App, one: &One, first: &Written) -> Result<(u64, Dot), Problem> {
    let (mut transactions, mut last) = (1, first.dot);
    let mut incomplete = first.incomplete && one.operation.only_removes();
    while incomplete && transactions < MOST_TRANSACTIONS {
        let write = Write { changes: vec![one.change()], key: None };
        let written = app.database.apply_async(write).await?;
        (incomplete, last) = (written.incomplete, written.dot);
        transactions += 1;
    }
    Ok((transactions, last))
}

/// What the answer to any write says.
pub(super) fn written(written: &Written) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("dot".to_owned(), written.dot.to_string().into());
    if written.repeated {
        body.insert("repeated".to_owned(), true.into());
    }
    body
}

fn add_value(body: &mut Map<String, Value>, outcome: Option<&Outcome>) {
    match outcome {
        None => drop(body.insert("value".to_owned(), Value::Null)),
        Some(outcome) if outcome.truncated => drop(body.insert("truncated".to_owned(), true.into())),
        Some(outcome) => {
            body.insert("value".to_owned(), outcome.value.clone());
            if outcome.overflow {
                body.insert("overflow".to_owned(), true.into());
            }
        }
    }
}

/// Registers' answers carry a context; that of an absent key names nothing.
pub(super) fn context(collection: &Collection, key: &str, outcome: Option<&Outcome>) -> Option<HeaderValue> {
    if collection.kind != Kind::REGISTER {
        return None;
    }
    let context = outcome.map(View::context).unwrap_or_default().encode(&collection.name, key);
    HeaderValue::from_str(&context).ok()
}

/// The operation that a JSON value is.
pub(super) fn operation(kind: Kind, value: Value) -> Result<Operation, Problem> {
    Operation::from_json(kind, value).map_err(|error| match error {
        OperationError::NotSupported(_) => Problem::new(Code::NotSupported, error.to_string()),
        OperationError::Malformed(_) => Problem::bad_request(error.to_string()),
    })
}
