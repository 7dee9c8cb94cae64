//! Errors as RFC 9457 problem documents.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::StatusCode;
use serde_json::{Map, Value};

/// What went wrong, as clients tell it apart. The names are part of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    BadRequest,
    BadToken,
    BadContext,
    BadIdempotencyKey,
    ForeignOrigin,
    NoSuchCollection,
    NoSuchKey,
    NoSuchConflict,
    NotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    ResolverMismatch,
    SlotTaken,
    ConflictOpen,
    ConflictChanged,
    AlreadyResolved,
    IdempotencyKeyReused,
    WrongClusterToken,
    IdempotencyKeyExpired,
    TooLarge,
    NotSupported,
    Rejected,
    Overflow,
    TooManyRequests,
    Internal,
    NotWritable,
    Parked,
    NotReady,
    TokenNotReached,
    AckNotReached,
    /// Only natively: HTTP has no way to ask for freshness.
    Stale,
}

impl Code {
    /// Status, name and title.
    fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "bad-request", "The request is malformed"),
            Self::BadToken => (400, "bad-token", "The causal token cannot be read"),
            Self::BadContext => (400, "bad-context", "The context cannot be used for this key"),
            Self::BadIdempotencyKey => (400, "bad-idempotency-key", "The idempotency key cannot be used"),
            Self::ForeignOrigin => (403, "foreign-origin", "The request comes from a foreign web page"),
            Self::NoSuchCollection => (404, "no-such-collection", "There is no such collection"),
            Self::NoSuchKey => (404, "no-such-key", "There is no such key"),
            Self::NoSuchConflict => (404, "no-such-conflict", "There is no such conflict"),
            Self::NotFound => (404, "not-found", "There is nothing at this path"),
            Self::MethodNotAllowed => (405, "method-not-allowed", "The path does not take this method"),
            Self::UnsupportedMediaType => (415, "unsupported-media-type", "The body must be JSON"),
            Self::ResolverMismatch => (409, "resolver-mismatch", "The collection exists with another kind"),
            Self::SlotTaken => (409, "slot-taken", "The time is taken"),
            Self::ConflictChanged => (409, "conflict-changed", "The conflict is no more as it was seen"),
            Self::AlreadyResolved => (409, "already-resolved", "The conflict was ended before"),
            Self::ConflictOpen => (409, "conflict-open", "Too many versions are in conflict"),
            Self::IdempotencyKeyReused => {
                (409, "idempotency-key-reused", "The idempotency key was used for another request")
            }
            Self::WrongClusterToken => (409, "wrong-cluster-token", "The causal token is another cluster's"),
            Self::IdempotencyKeyExpired => (410, "idempotency-key-expired", "The session is older than 7 days"),
            Self::TooLarge => (413, "too-large", "The request is too large"),
            Self::NotSupported => (422, "not-supported", "The collection has no such operation"),
            Self::Rejected => (422, "rejected", "The resolver refused the operation"),
            Self::Overflow => (422, "overflow", "The sum would leave its range"),
            Self::TooManyRequests => (429, "too-many-requests", "Too many requests are waiting"),
            Self::Internal => (500, "internal", "The server has a fault"),
            Self::NotWritable => (503, "not-writable", "This replica takes no writes now"),
            Self::Parked => (503, "parked", "The collection is parked here"),
            Self::NotReady => (503, "not-ready", "This replica does not serve now"),
            Self::TokenNotReached => (504, "token-not-reached", "This replica has not yet what the token names"),
            Self::AckNotReached => (504, "ack-not-reached", "The write is not yet where it was asked to be"),
            Self::Stale => (503, "stale", "What this replica shows may be older than allowed"),
        }
    }

    /// All of the HTTP API.
    pub(crate) const ALL: [Self; 30] = [
        Self::BadRequest,
        Self::BadToken,
        Self::BadContext,
        Self::BadIdempotencyKey,
        Self::ForeignOrigin,
        Self::NoSuchCollection,
        Self::NoSuchKey,
        Self::NoSuchConflict,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::ResolverMismatch,
        Self::SlotTaken,
        Self::ConflictOpen,
        Self::ConflictChanged,
        Self::AlreadyResolved,
        Self::IdempotencyKeyReused,
        Self::WrongClusterToken,
        Self::IdempotencyKeyExpired,
        Self::TooLarge,
        Self::NotSupported,
        Self::Rejected,
        Self::Overflow,
        Self::TooManyRequests,
        Self::Internal,
        Self::NotWritable,
        Self::Parked,
        Self::NotReady,
        Self::TokenNotReached,
        Self::AckNotReached,
    ];

    /// The name, as clients see it.
    pub(crate) fn name(self) -> &'static str {
        self.parts().1
    }

    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.parts().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// An error answer in the making. What all answers say (request id, token) is added on the way out.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: String,
    more: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Another node's answer, which stands instead.
    elsewhere: Option<Box<Elsewhere>>,
}

/// Another node's answer.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: bytes::Bytes,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let mut problem = Self { code, detail: detail.into(), more: Map::new(), headers: Vec::new(), elsewhere: None };
        if code == Code::TooManyRequests {
            problem.headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
        }
        problem
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, detail)
    }

    /// What another node said natively; `None` when it is nothing that is said over HTTP.
    pub(crate) fn from_native(problem: &anabranch_protocol::Problem) -> Option<Self> {
        let code = Code::ALL.into_iter().find(|code| code.name() == problem.code)?;
        let more = serde_json::from_str(&problem.more).unwrap_or_default();
        Some(Self { more, ..Self::new(code, problem.detail.as_str()) })
    }

    /// No problem: another node has answered.
    pub(crate) fn answered(elsewhere: Elsewhere) -> Self {
        Self { elsewhere: Some(Box::new(elsewhere)), ..Self::new(Code::NotReady, "answered elsewhere") }
    }

    /// Another node's answer, if there is one.
    pub(crate) fn take_elsewhere(&mut self) -> Option<Elsewhere> {
        self.elsewhere.take().map(|elsewhere| *elsewhere)
    }

    /// What happened, for people.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Its further members, as a JSON object; empty for none.
    pub(crate) fn more(&self) -> String {
        if self.more.is_empty() { String::new() } else { Value::Object(self.more.clone()).to_string() }
    }

    /// Adds a member of its own.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// The document, for the request of that id.
    pub(crate) fn document(&self, request: &str) -> Value {
        let (status, code, title) = self.code.parts();
        let mut document = self.more.clone();
        let fixed: [(&str, Value); 6] = [
            ("type", format!("/problems/{code}").into()),
            ("title", title.into()),
            ("status", status.into()),
            ("detail", self.detail.as_str().into()),
            ("instance", request.into()),
            ("code", code.into()),
        ];
        document.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(document)
    }

    /// The whole answer.
    pub(crate) fn render(&self, request: &str) -> Response {
        let mut response = Response::new(Body::from(self.document(request).to_string()));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(self.headers.iter().cloned());
        response
    }
}

/// Without a body: the request id that belongs into it is known to whoever sends the answer.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.code.status();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_says_all_that_it_must() {
        let problem = Problem::new(Code::Overflow, "too much").with("operation", 3);
        let document = problem.document("r1");
        let expected = serde_json::json!({
            "type": "/problems/overflow", "title": "The sum would leave its range", "status": 422,
            "detail": "too much", "instance": "r1", "code": "overflow", "operation": 3,
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn too_many_requests_says_when_to_come_again() {
        let response = Problem::new(Code::TooManyRequests, "busy").render("r");
        assert_eq!(response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()), Some("1"));
    }
}
