//! The parsers that strangers' requests reach first, for the bodies of fuzz targets (`crates/fuzzing`). Compiled in only with
//! the feature `fuzzing`.

use crate::path::Query;
use crate::problem::Problem;
use crate::routes::transactions;
use crate::{duration, headers, json, path};
use anabranch::{AckLevel, Change, Context, Kind, SessionId, Token};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::time::Duration;

/// The value that a body of HTTP is.
///
/// # Errors
/// Line, column and why it is none.
pub fn json(bytes: &[u8], depth: usize) -> Result<Value, (usize, usize, String)> {
    json::parse(bytes, depth).map_err(|error| (error.line, error.column, error.to_string()))
}

/// What the body of `POST /v1/transactions` asks for, where `kind` says what a collection is.
///
/// # Errors
/// What the answer would say: its detail and further members.
pub fn transaction(bytes: &[u8], kind: fn(&str) -> Kind) -> Result<Vec<Change>, (String, String)> {
    let told = |problem: Problem| (problem.detail().to_owned(), problem.more());
    let body = json::parse(bytes, transactions::DEEPEST).map_err(|error| (error.to_string(), String::new()))?;
    let operations = transactions::operations(body).map_err(told)?;
    let found = |path: &str| Ok((path.split('~').next().unwrap_or_default().to_owned(), kind(path)));
    transactions::changes(operations, &found).map_err(told)
}

/// The duration that a text of a header or of the config file is.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    duration::parse(text)
}

/// The collection (`name` or `name~kind`) that a segment of a path is.
#[must_use]
pub fn collection(raw: &str) -> Option<String> {
    path::collection(raw).ok()
}

/// The key that a segment of a path is.
#[must_use]
pub fn key(raw: &str) -> Option<String> {
    path::key(raw).ok()
}

/// The values of `known` in a query.
#[must_use]
pub fn query(text: &str, known: &[&str]) -> Option<Vec<Option<String>>> {
    let query = Query::parse(Some(text), known).ok()?;
    Some(known.iter().map(|name| query.get(name).map(str::to_owned)).collect())
}

/// What the headers of a request say; `None` for what is refused.
#[derive(Debug)]
pub struct Read {
    /// The join of its tokens.
    pub token: Option<Token>,
    /// How long to wait.
    pub wait: Option<Duration>,
    /// Whether another replica may answer.
    pub forward: Option<bool>,
    /// What an acknowledgement is to mean.
    pub ack: Option<AckLevel>,
    /// Session and counter, if there are any.
    pub idempotency_key: Option<Option<(SessionId, u64)>>,
    /// What was seen of the key, if it says.
    pub context: Option<Option<Context>>,
    /// Whether the headers are short enough to be passed on.
    pub bounded: bool,
    /// The id of the request, the client's or a new one.
    pub request_id: String,
}

/// Reads the headers of a request about that key; headers that HTTP itself refuses are left out.
#[must_use]
pub fn headers(fields: &[(&[u8], &[u8])], cluster: &str, collection: &str, key: &str) -> Read {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
    Read {
        token: headers::token(&map, cluster).ok(),
        wait: headers::wait(&map).ok(),
        forward: headers::forward(&map).ok(),
        ack: headers::ack(&map).ok(),
        idempotency_key: headers::idempotency_key(&map).ok(),
        context: headers::context(&map, collection, key).ok(),
        bounded: headers::check_bounds(&map).is_ok(),
        request_id: headers::request_id(&map),
    }
}
