//! `/v1/data`.

use super::read;
use super::write::{self, One};
use super::yjs;
use crate::answer;
use crate::app::App;
use crate::call::Call;
use crate::headers;
use crate::path::{self, Query};
use crate::problem::{Code, Problem};
use anabranch::{Kind, Operation, Outcome, View, names};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::http::StatusCode;
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
        return yjs::get(&app, &call, &query).await;
    }
    let view = call.view(&app).await?;
    let (wanted, place) = (key.clone(), path.clone());
    let found = read(view.clone(), move |view| Ok((view.collection(&place)?.clone(), view.get(&place, &wanted)?)));
    let (collection, outcome) = found.await?;
    let mut response = match &outcome {
        Some(outcome) => answer::of(&view, StatusCode::OK, &item(&view, &path, &key, outcome)?),
        None => Problem::new(Code::NoSuchKey, format!("there is no key {key:?} in {path}")).into_response(),
    };
    let context = write::context(&collection, &key, outcome.as_ref());
    response.headers_mut().extend(context.map(|value| (headers::CONTEXT, value)));
    Ok(response)
}

/// One key as reads show it.
fn item(view: &View, path: &str, key: &str, outcome: &Outcome) -> Result<Value, Problem> {
    let collection = view.collection(path)?;
    let mut item = json!({
        "collection": view.catalog().path(collection),
        "key": key,
        "resolver": collection.resolver,
        "value": outcome.value,
        "conflicts": outcome.conflicts,
    });
    if outcome.overflow {
        item["overflow"] = true.into();
    }
    Ok(item)
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
    let body = read(view.clone(), move |view| page(view, &path, &prefix, after, limit)).await?;
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
    let mut body = "{\"items\":[".to_owned();
    let (mut next, mut count) = (after, 0);
    loop {
        let found = view.scan(path, prefix, next.as_deref(), AT_ONCE.min(limit - count))?;
        for entry in &found.entries {
            if count > 0 {
                body.push(',');
            }
            body.push_str(&item(view, path, &entry.key, &entry.outcome)?.to_string());
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
