//! One request to `/v1`, as handlers look at it.

use crate::app::App;
use crate::headers;
use crate::metrics::Wait;
use crate::path::{self, Query};
use crate::problem::{Code, Problem};
use anabranch::{Context, SessionId, Token, VersionVector, View, WaitError};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most bytes in a body.
const MAX_BODY: usize = 1 << 20;
/// How much more of a body that is too large is read, so that the client gets to read the answer.
const MAX_DRAINED: usize = 4 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// The request's token, as read before anything else was done: every answer needs it.
#[derive(Clone)]
pub(crate) struct Asked(pub(crate) Result<Token, Problem>);

/// The head of one request to `/v1`.
pub(crate) struct Call {
    path: String,
    query: Option<String>,
    pub(crate) headers: HeaderMap,
    token: Token,
    deadline: Instant,
}

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let token = match parts.extensions.get::<Asked>() {
            Some(Asked(token)) => token.clone()?,
            None => Token::new(),
        };
        let wait = headers::wait(&parts.headers)?;
        headers::check_fallback(&parts.headers)?;
        Ok(Self {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers.clone(),
            token,
            deadline: Instant::now() + wait,
        })
    }
}

/// What a write asks for beside the change itself.
pub(crate) struct Terms {
    pub(crate) key: Option<(SessionId, u64)>,
    /// Whether the value is to be left out of the answer.
    pub(crate) no_value: bool,
}

impl Call {
    /// A segment of the path as it was sent; `/v1/data/c/k` has `data` as its first.
    fn segment(&self, index: usize) -> &str {
        self.path.split('/').nth(index + 1).unwrap_or_default()
    }

    /// The collection that the path names.
    pub(crate) fn collection(&self) -> Result<String, Problem> {
        path::collection(self.segment(2))
    }

    /// The collection and key that the path names.
    pub(crate) fn target(&self) -> Result<(String, String), Problem> {
        Ok((self.collection()?, path::key(self.segment(3))?))
    }

    /// The parameters of the query.
    pub(crate) fn query(&self, known: &[&str]) -> Result<Query, Problem> {
        Query::parse(self.query.as_deref(), known)
    }

    /// What a write asks for beside the change itself.
    pub(crate) fn terms(&self, app: &App) -> Result<Terms, Problem> {
        headers::check_ack(&self.headers, app.regions())?;
        let key = headers::idempotency_key(&self.headers)?;
        let no_value = match self.query(&["return"])?.get("return") {
            None => false,
            Some("none") => true,
            Some(_) => return Err(Problem::bad_request("the query parameter return is `none` or absent")),
        };
        Ok(Terms { key, no_value })
    }

    /// What the client saw of a register's key. The other kinds have no contexts.
    pub(crate) fn context(&self, name: &str, is_register: bool, key: &str) -> Result<Option<Context>, Problem> {
        if !is_register && self.headers.contains_key(headers::CONTEXT) {
            let detail = format!("{} is for registers: this collection is none", headers::CONTEXT);
            return Err(Problem::new(Code::NotSupported, detail));
        }
        headers::context(&self.headers, name, key)
    }

    /// A state that has all that the request's token names.
    pub(crate) async fn view(&self, app: &App) -> Result<Arc<View>, Problem> {
        if self.token.is_empty() {
            return Ok(app.database.view());
        }
        let at_once = app.database.view().satisfies(&self.token).is_ok();
        let reached = app.database.view_at_async(&self.token, self.deadline).await;
        app.metrics.token_wait(match (&reached, at_once) {
            (Ok(_), true) => Wait::None,
            (Ok(_), false) => Wait::Reached,
            (Err(WaitError::NotReached { .. } | WaitError::NoSuchShard), _) => Wait::NotReached,
            (Err(_), _) => Wait::Failed,
        });
        reached.map_err(|error| self.not_reached(app, &error))
    }

    fn not_reached(&self, app: &App, error: &WaitError) -> Problem {
        match error {
            WaitError::NotReached { .. } | WaitError::NoSuchShard => {
                let have = app.database.view().token();
                let detail = "what the token names did not arrive in time: ask again, or ask another replica";
                let problem = Problem::new(Code::TokenNotReached, detail);
                problem.with("have", shards(&have)).with("need", shards(&self.token))
            }
            WaitError::Busy => Problem::new(Code::TooManyRequests, error.to_string()),
            WaitError::Closed => Problem::new(Code::NotReady, error.to_string()),
        }
    }

    /// The body as strict JSON, nested at most `depth` deep. Everything else must have been looked at before.
    pub(crate) async fn json(&self, app: &App, body: Body, depth: usize) -> Result<Value, Problem> {
        check_type(&self.headers)?;
        let bytes = tokio::time::timeout(app.config.body_timeout, read(body, &self.headers)).await;
        let bytes = bytes.map_err(|_| Problem::bad_request("the body did not arrive in time"))??;
        crate::json::parse(&bytes, depth).map_err(|error| Problem::bad_request(error.to_string()))
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(Code::UnsupportedMediaType, "send Content-Type: application/json"))
}

async fn read(mut body: Body, headers: &HeaderMap) -> Result<Bytes, Problem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let mut bytes = BytesMut::new();
    let mut too_large = announced.is_some_and(|length| length > MAX_BODY);
    while !too_large && let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::bad_request(format!("the body did not arrive whole: {error}")))?;
        if let Ok(data) = frame.into_data() {
            too_large = bytes.len() + data.len() > MAX_BODY;
            if !too_large {
                bytes.extend_from_slice(&data);
            }
        }
    }
    if !too_large {
        return Ok(bytes.freeze());
    }
    drain(body).await;
    let close = (hyper::header::CONNECTION, axum::http::HeaderValue::from_static("close"));
    Err(Problem::new(Code::TooLarge, format!("a body has at most {MAX_BODY} bytes")).header(close.0, close.1))
}

/// Closing a connection on which bytes still arrive destroys the answer on its way to the client.
async fn drain(mut body: Body) {
    let mut left = MAX_DRAINED;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    };
    // However much was read, that was all the patience there is.
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}

/// A version vector as an object: origin to sequence number.
pub(crate) fn vector(vector: &VersionVector) -> Value {
    vector.iter().map(|(origin, seq)| (origin.to_string(), Value::from(seq))).collect::<serde_json::Map<_, _>>().into()
}

fn shards(token: &Token) -> Value {
    let shard =
        |(shard, of): (anabranch::ShardId, &VersionVector)| json!({ "shard": shard.0, "version_vector": vector(of) });
    token.iter().map(shard).collect()
}
