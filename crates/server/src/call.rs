//! One request to `/v1`, as handlers look at it.

mod passing;

use crate::acknowledge;
use crate::app::App;
use crate::forward::{self, Unanswered, no_leader};
use crate::headers;
use crate::path::{self, Query};
use crate::problem::{Code, Problem};
use crate::reach::{NotReached, Reached, Wish, reach};
use anabranch::resolvers::ConflictId;
use anabranch::{AckLevel, Context, Dot, SessionId, Token, VersionVector, View, WaitError};
use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Uri};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use passing::passed_back;
use serde_json::{Map, Value, json};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The most bytes in a path with its query: more than the longest that make sense, and no more than nodes pass on.
const MAX_TARGET: usize = 8 << 10;
/// The most bytes in a body.
const MAX_BODY: usize = 1 << 20;
/// How much more of a body that is too large is read, so that the client gets to read the answer.
const MAX_DRAINED: usize = 4 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// What of a request was read before anything else was done: every answer needs it.
pub(crate) struct Asked {
    /// The request's id.
    pub(crate) id: String,
    /// All its tokens.
    pub(crate) token: Result<Token, Problem>,
}

/// Another node passed the request on: it is not passed on again.
#[derive(Clone)]
pub(crate) struct PassedOn;

/// One request to `/v1`.
pub(crate) struct Call {
    id: String,
    method: Method,
    uri: Uri,
    pub(crate) headers: HeaderMap,
    token: Token,
    deadline: Instant,
    /// Whether another replica may answer.
    forward: bool,
    /// Whether another node passed it on.
    passed_on: bool,
    /// The body, once it was read.
    body: OnceLock<Bytes>,
}

impl FromRequestParts<Arc<App>> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let (id, token) = match parts.extensions.get::<Arc<Asked>>() {
            Some(asked) => (asked.id.clone(), asked.token.clone()?),
            None => (headers::request_id(&parts.headers), Token::new()),
        };
        if parts.uri.path_and_query().is_some_and(|target| target.as_str().len() > MAX_TARGET) {
            return Err(Problem::bad_request(format!("a path and its query have at most {MAX_TARGET} bytes")));
        }
        let wait = headers::wait(&parts.headers)?;
        let passed_on = parts.extensions.get::<PassedOn>().is_some();
        let forward = headers::forward(&parts.headers)? && !passed_on;
        Ok(Self {
            id,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            // Whoever reads the body of a call looks at them here.
            headers: std::mem::take(&mut parts.headers),
            token,
            deadline: Instant::now() + wait,
            forward,
            passed_on,
            body: OnceLock::new(),
        })
    }
}

/// What a write asks for beside the change itself.
pub(crate) struct Terms {
    pub(crate) key: Option<(SessionId, u64)>,
    /// Whether the value is to be left out of the answer.
    pub(crate) no_value: bool,
    /// Where else it must be on disk.
    ack: AckLevel,
    deadline: Instant,
}

impl Terms {
    /// Whether it must be nowhere but here.
    pub(crate) fn only_here(&self) -> bool {
        self.ack == AckLevel::Local
    }

    /// Waits until the write is where it was asked to be. Without that, the answer says all that `body` does.
    pub(crate) async fn acknowledged(&self, app: &App, dot: Dot, body: &Map<String, Value>) -> Result<(), Problem> {
        let waited = acknowledge::wait(app, dot, self.ack, self.deadline).await;
        waited.map_err(|problem| body.iter().fold(problem, |problem, (name, value)| problem.with(name, value.clone())))
    }
}

impl Call {
    /// A segment of the path as it was sent; `/v1/data/c/k` has `data` as its first.
    fn segment(&self, index: usize) -> &str {
        self.uri.path().split('/').nth(index + 1).unwrap_or_default()
    }

    /// The collection that the path names.
    pub(crate) fn collection(&self) -> Result<String, Problem> {
        path::collection(self.segment(2))
    }

    /// The collection and key that the path names.
    pub(crate) fn target(&self) -> Result<(String, String), Problem> {
        Ok((self.collection()?, path::key(self.segment(3))?))
    }

    /// The conflict that the path names. What cannot be an id is none's.
    pub(crate) fn conflict(&self) -> Result<ConflictId, Problem> {
        let id = path::decode(self.segment(2))?;
        id.parse().map_err(|_| Problem::new(Code::NoSuchConflict, format!("there is no conflict {id:?}")))
    }

    /// The parameters of the query.
    pub(crate) fn query(&self, known: &[&str]) -> Result<Query, Problem> {
        Query::parse(self.uri.query(), known)
    }

    /// What a write asks for beside the change itself.
    pub(crate) fn terms(&self, app: &App) -> Result<Terms, Problem> {
        let ack = headers::ack(&self.headers)?;
        if app.database.leader().is_none() {
            // A follower's leader knows what there is.
            acknowledge::check(app, ack)?;
        }
        let key = headers::idempotency_key(&self.headers)?;
        let no_value = match self.query(&["return"])?.get("return") {
            None => false,
            Some("none") => true,
            Some(_) => return Err(Problem::bad_request("the query parameter return is `none` or absent")),
        };
        Ok(Terms { key, no_value, ack, deadline: self.deadline })
    }

    /// What the client saw of a register's key. The other kinds have no contexts.
    pub(crate) fn context(&self, name: &str, is_register: bool, key: &str) -> Result<Option<Context>, Problem> {
        if !is_register && self.headers.contains_key(headers::CONTEXT) {
            let detail = format!("{} is for registers: this collection is none", headers::CONTEXT);
            return Err(Problem::new(Code::NotSupported, detail));
        }
        headers::context(&self.headers, name, key)
    }

    /// A state that has all that the request's token names, to show something of.
    pub(crate) async fn view(&self, app: &App) -> Result<Arc<View>, Problem> {
        self.reach(app, self.forward, false).await
    }

    /// The same, to show something of this node.
    pub(crate) async fn view_here(&self, app: &App) -> Result<Arc<View>, Problem> {
        self.reach(app, false, false).await
    }

    /// The token that a state here has reached: what the request and `since` name. The answer never ends, so that it is
    /// not passed on.
    pub(crate) async fn view_since(&self, app: &App, since: &Token) -> Result<Token, Problem> {
        let mut token = self.token.clone();
        token.join(since);
        if self.passed_on {
            return Err(behind(app, &token));
        }
        let wish = Wish { token: &token, deadline: self.deadline, forward: false, writes: false };
        match reach(app, wish, || self.request(app, false)).await {
            Ok(Reached::Here(_)) => Ok(token),
            Ok(Reached::Elsewhere(reply)) => Err(passed_back(reply)),
            Err(error) => Err(not_reached(app, &token, &error)),
        }
    }

    /// The same, to write on top of: at a leader.
    pub(crate) async fn base(&self, app: &App) -> Result<Arc<View>, Problem> {
        headers::check_bounds(&self.headers)?;
        let Some(leader) = app.database.leader() else { return self.reach(app, self.forward, true).await };
        if self.passed_on {
            return Err(forward::not_here(leader));
        }
        let reply = Box::pin(forward::ask(app, leader, self.request(app, true), self.deadline)).await;
        Err(reply.map_or_else(|error| no_leader(leader, error), passed_back))
    }

    async fn reach(&self, app: &App, forward: bool, writes: bool) -> Result<Arc<View>, Problem> {
        let wish = Wish { token: &self.token, deadline: self.deadline, forward, writes };
        match reach(app, wish, || self.request(app, writes)).await {
            Ok(Reached::Here(view)) => Ok(view),
            Ok(Reached::Elsewhere(reply)) => Err(passed_back(reply)),
            Err(error) => Err(not_reached(app, &self.token, &error)),
        }
    }

    /// The body as strict JSON, nested at most `depth` deep. Everything else must have been looked at before.
    pub(crate) async fn json(&self, app: &App, body: Body, depth: usize) -> Result<Value, Problem> {
        check_type(&self.headers)?;
        let bytes = tokio::time::timeout(app.config.body_timeout, read(body, &self.headers)).await;
        let bytes = bytes.map_err(|_| Problem::bad_request("the body did not arrive in time"))??;
        let bytes = self.body.get_or_init(|| bytes);
        crate::json::parse(bytes, depth).map_err(|error| Problem::bad_request(error.to_string()))
    }
}

/// Why waiting for a token ended without.
pub(crate) fn not_reached(app: &App, token: &Token, error: &NotReached) -> Problem {
    match error {
        NotReached::Wait(WaitError::NotReached { .. } | WaitError::NoSuchShard) => behind(app, token),
        NotReached::Wait(error @ WaitError::Busy) => Problem::new(Code::TooManyRequests, error.to_string()),
        NotReached::Wait(error @ WaitError::Closed) => Problem::new(Code::NotReady, error.to_string()),
        NotReached::Unknown(node) => no_leader(node, Unanswered::Unknown),
    }
}

/// This replica has not what the token names.
fn behind(app: &App, token: &Token) -> Problem {
    let have = app.database.view().token();
    let detail = "what the token names did not arrive in time: ask again, or ask another replica";
    let problem = Problem::new(Code::TokenNotReached, detail);
    problem.with("have", shards(&have)).with("need", shards(token))
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
    let close = (hyper::header::CONNECTION, HeaderValue::from_static("close"));
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
