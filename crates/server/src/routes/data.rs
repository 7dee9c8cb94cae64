//! `/v1/data`.

use super::write::{self, One};
use super::yjs;
use crate::answer;
use crate::app::App;
use crate::call::Call;
use crate::headers;
use crate::path::{self, Query};
use crate::problem::{Code, Problem};
use crate::reads::apart;
use anabranch::{Collection, Kind, Operation, Outcome, View, names};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// How deep a value's lists and objects may be nested.
pub(super) const DEPTH: usize = 64;
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;
/// A page ends early when its items have this many bytes of JSON.
const PAGE_BYTES: usize = 4 << 20;
/// How many keys are read before looking at that again.
const AT_ONCE: usize = 16;

/// `GET /v1/data/{c}/{key}`
pub(crate) async fn get(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    let (path, key) = call.target()?;
    let query = call.query(&["format", "since"])?;
    if yjs::is_asked(&query)? {
        return Box::pin(yjs::get(&app, &call, &query)).await;
    }
    let view = call.view(&app).await?;
    let kind = view.collection(&path)?.kind;
    app.reads.key(&view, kind, move |view| one(view, &path, &key)).await
}

/// The answer to who reads a key.
fn one(view: &Arc<View>, path: &str, key: &str) -> Result<Response, Problem> {
    let collection = view.collection(path)?;
    let outcome = view.value_in(collection, key, None, usize::MAX)?;
    let mut response = match &outcome {
        Some(outcome) => answer::text(view, StatusCode::OK, item(view, collection, key, outcome)?),
        None => Problem::new(Code::NoSuchKey, format!("there is no key {key:?} in {path}")).into_response(),
    };
    let context = write::context(collection, key, outcome.as_ref());
    response.headers_mut().extend(context.map(|value| (headers::CONTEXT, value)));
    Ok(response)
}

/// One key as reads show it.
#[derive(Serialize)]
struct Item<'a> {
    collection: String,
    conflicts: u64,
    key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    overflow: Option<bool>,
    resolver: &'a str,
    value: &'a Value,
}

/// One key as JSON, written straight from its value: that may be large.
fn item(view: &View, collection: &Collection, key: &str, outcome: &Outcome) -> Result<String, Problem> {
    let item = Item {
        collection: view.catalog().path(collection),
        conflicts: outcome.conflicts,
        key,
        overflow: outcome.overflow.then_some(true),
        resolver: &collection.resolver,
        value: &outcome.value,
    };
    let written = serde_json::to_string(&item);
    written.map_err(|_| Problem::new(Code::Internal, "the value cannot be shown: this is a fault of the server"))
}

/// `GET /v1/data/{c}`
pub(crate) async fn scan(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    let path = call.collection()?;
    let query = call.query(&["prefix", "after", "limit"])?;
    let limit = limit(&query)?;
    let prefix = query.get("prefix").unwrap_or_default().to_owned();
    let after = query.get("after").map(str::to_owned);
    let too_long = |text: &str| text.len() > names::MAX_KEY;
    if too_long(&prefix) || after.as_deref().is_some_and(too_long) {
        return Err(Problem::bad_request(format!("a key has at most {} bytes", names::MAX_KEY)));
    }
    let view = call.view(&app).await?;
    let body = apart(view.clone(), move |view| page(view, &path, &prefix, after, limit)).await?;
    Ok(answer::text(&view, StatusCode::OK, body))
}

/// How many items a page has at most.
pub(super) fn limit(query: &Query) -> Result<usize, Problem> {
    match query.get("limit").map(str::parse) {
        None => Ok(DEFAULT_LIMIT),
        Some(Ok(limit)) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::bad_request(format!("limit is from 1 to {MAX_LIMIT}"))),
    }
}

/// The body of a page, written item by item so that large values are not held twice.
fn page(view: &View, path: &str, prefix: &str, after: Option<String>, limit: usize) -> Result<String, Problem> {
    let collection = view.collection(path)?;
    let mut body = "{\"items\":[".to_owned();
    let (mut next, mut count) = (after, 0);
    loop {
        let found = view.scan(path, prefix, next.as_deref(), AT_ONCE.min(limit - count))?;
        for entry in &found.entries {
            if count > 0 {
                body.push(',');
            }
            body.push_str(&item(view, collection, &entry.key, &entry.outcome)?);
            count += 1;
        }
        next = found.next;
        if next.is_none() || count >= limit || body.len() > PAGE_BYTES {
            break;
        }
    }
    body.push_str(&format!("],\"next\":{}}}", json!(next)));
    Ok(body)
}

/// `PUT /v1/data/{c}/{key}`
pub(crate) async fn put(State(app): State<Arc<App>>, call: Call, body: Body) -> Result<Response, Problem> {
    let target = call.target()?;
    let value = call.json(&app, body, DEPTH).await?;
    operate(&app, &call, target, |_| Ok(Operation::Put(value))).await
}

/// `DELETE /v1/data/{c}/{key}`
pub(crate) async fn delete(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    operate(&app, &call, call.target()?, |_| Ok(Operation::Delete)).await
}

/// `POST /v1/data/{c}/{key}`
pub(crate) async fn post(State(app): State<Arc<App>>, call: Call, body: Body) -> Result<Response, Problem> {
    let target = call.target()?;
    // One more than a value, for `{"put":value}`.
    let value = call.json(&app, body, DEPTH + 1).await?;
    operate(&app, &call, target, |kind| write::operation(kind, value)).await
}

async fn operate(
    app: &App,
    call: &Call,
    (path, key): (String, String),
    operation: impl FnOnce(Kind) -> Result<Operation, Problem>,
) -> Result<Response, Problem> {
    let terms = call.terms(app)?;
    let view = call.base(app).await?;
    let collection = view.collection(&path)?.clone();
    // Not held while the write waits for the disk.
    drop(view);
    let context = call.context(&collection.name, collection.kind == Kind::REGISTER, &key)?;
    let operation = operation(collection.kind)?;
    write::one(app, One { path, collection, key, operation, context }, &terms).await
}

/// Names that come in a body rather than in a path.
pub(super) fn check_names(collection: &str, key: &str) -> Result<(), Problem> {
    path::check_collection(collection)?;
    path::check_key(key)
}
