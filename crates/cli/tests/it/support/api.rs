//! A client of the HTTP API, for writing much and fast.

use serde_json::Value;
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;
use ureq::http::Request;

/// Requests to nodes on loopback.
#[derive(Clone)]
pub(crate) struct Api {
    agent: ureq::Agent,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Done, with this answer and this token.
    Done(Value, Option<String>),
    /// Refused, with this status and problem.
    Refused(u16, Value),
    /// No answer: it may or may not have been carried out.
    Unknown(String),
}

/// An answer, good or bad.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) value: Value,
    pub(crate) token: Option<String>,
    /// The node that answered.
    pub(crate) by: Option<String>,
}

/// Why there is none.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nobody was there to be asked.
    NotSent(String),
    /// It may or may not have been carried out.
    Lost(String),
}

impl From<ureq::Error> for NoAnswer {
    fn from(error: ureq::Error) -> Self {
        match &error {
            ureq::Error::Io(cause) if cause.kind() == ErrorKind::ConnectionRefused => Self::NotSent(error.to_string()),
            _ => Self::Lost(error.to_string()),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(answer, _) => write!(f, "done: {answer}"),
            Self::Refused(status, problem) => write!(f, "{status}: {problem}"),
            Self::Unknown(error) => write!(f, "no answer: {error}"),
        }
    }
}

impl Api {
    pub(crate) fn new() -> Self {
        Self::with_patience(Duration::from_secs(3))
    }

    /// One that waits for an answer that long.
    pub(crate) fn with_patience(limit: Duration) -> Self {
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(limit)).http_status_as_error(false).proxy(None).build();
        Self { agent: agent.into() }
    }

    /// Sends a request with these headers and, if any, this JSON.
    pub(crate) fn send(
        &self,
        port: u16,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Reply {
        match self.ask(port, method, path, headers, body) {
            Ok(answer) if answer.status < 400 => Reply::Done(answer.value, answer.token),
            Ok(answer) => Reply::Refused(answer.status, answer.value),
            Err(NoAnswer::NotSent(error) | NoAnswer::Lost(error)) => Reply::Unknown(error),
        }
    }

    /// The same, for who wants to know all that the answer says.
    pub(crate) fn ask(
        &self,
        port: u16,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Result<Answer, NoAnswer> {
        let mut request = Request::builder().method(method).uri(format!("http://127.0.0.1:{port}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let sent = match body {
            Some(body) => {
                let request = request.header("content-type", "application/json").body(body.to_owned());
                self.agent.run(request.expect("a request"))
            }
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut response = sent?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (token, by) = (header("anabranch-token"), header("anabranch-served-by"));
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(1 << 28).read_to_string()?;
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answer { status, value, token, by })
    }

    pub(crate) fn is_up(&self, port: u16) -> bool {
        matches!(self.send(port, "GET", "/health", &[], None), Reply::Done(..))
    }

    /// The answer to a request that must work.
    #[track_caller]
    pub(crate) fn must(&self, port: u16, method: &str, path: &str, body: Option<&str>) -> Value {
        match self.send(port, method, path, &[], body) {
            Reply::Done(value, _) => value,
            other => panic!("{method} {path}: {other}"),
        }
    }

    #[track_caller]
    pub(crate) fn create(&self, port: u16, collection: &str, resolver: &str) {
        let body = format!("{{\"resolver\":\"{resolver}\"}}");
        self.must(port, "PUT", &format!("/v1/collections/{collection}"), Some(&body));
    }

    #[track_caller]
    pub(crate) fn put(&self, port: u16, collection: &str, key: &str, json: &str) {
        self.must(port, "PUT", &format!("/v1/data/{collection}/{key}"), Some(json));
    }

    #[track_caller]
    pub(crate) fn operate(&self, port: u16, collection: &str, key: &str, json: &str) {
        self.must(port, "POST", &format!("/v1/data/{collection}/{key}"), Some(json));
    }

    /// The value of a key, if it has one here.
    pub(crate) fn value(&self, port: u16, collection: &str, key: &str) -> Option<Value> {
        match self.send(port, "GET", &format!("/v1/data/{collection}/{key}"), &[], None) {
            Reply::Done(mut answer, _) => Some(answer["value"].take()),
            Reply::Refused(404, _) => None,
            other => panic!("{collection}/{key}: {other}"),
        }
    }

    #[track_caller]
    pub(crate) fn status(&self, port: u16) -> Value {
        self.must(port, "GET", "/v1/status", None)
    }

    /// What a node holds, in two words: equal exactly when two nodes hold the same.
    #[track_caller]
    pub(crate) fn holds(&self, port: u16) -> (Value, Value) {
        let mut status = self.status(port);
        let shard = &mut status["shards"][0];
        (shard["version_vector"].take(), shard["digest"].take())
    }
}
