//! Answers of handlers, and what library errors become.

use crate::problem::{Code, Problem};
use anabranch::{ReadError, Refusal, Rejection, Token, View, WriteError};
use axum::body::Body;
use axum::response::Response;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// What an answer shows: its token must cover it.
#[derive(Clone)]
pub(crate) enum Shown {
    /// Something of a state.
    State(Arc<View>),
    /// What a token covers.
    Token(Token),
}

/// A JSON answer that shows something of `view`.
pub(crate) fn of(view: &Arc<View>, status: StatusCode, body: &Value) -> Response {
    text(view, status, body.to_string())
}

/// The same, the JSON being written already.
pub(crate) fn text(view: &Arc<View>, status: StatusCode, body: String) -> Response {
    let mut response = plain(status, "application/json", body);
    response.extensions_mut().insert(Shown::State(view.clone()));
    response
}

/// The same for what `token` covers.
pub(crate) fn shows(token: Token, status: StatusCode, body: &Value) -> Response {
    let mut response = plain(status, "application/json", body.to_string());
    response.extensions_mut().insert(Shown::Token(token));
    response
}

/// An answer that shows no data.
pub(crate) fn plain(status: StatusCode, media: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match &error {
            ReadError::NoSuchCollection(_) => Self::new(Code::NoSuchCollection, error.to_string()),
            ReadError::Parked { .. } => Self::new(Code::Parked, error.to_string()),
            ReadError::NotSupported(_) => Self::new(Code::NotSupported, error.to_string()),
            ReadError::BadSince(_) => Self::bad_request(error.to_string()),
            ReadError::Cursor => Self::bad_request(error.to_string()),
            ReadError::Store(_) => Self::new(Code::NotReady, error.to_string()),
            ReadError::Type { .. } | ReadError::Wait(_) => Self::new(Code::Internal, error.to_string()),
        }
    }
}

impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            WriteError::Busy => Self::new(Code::TooManyRequests, error.to_string()),
            WriteError::DiskFull => Self::new(Code::NotWritable, error.to_string()).with("reason", "disk"),
            WriteError::Unknown(_) | WriteError::Closed => Self::new(Code::NotReady, error.to_string()),
            WriteError::Read(error) => error.into(),
            WriteError::Value(_) => Self::new(Code::Internal, error.to_string()),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::NotWritable { reason, .. } => Self::new(Code::NotWritable, detail).with("reason", reason),
            Refusal::ResolverMismatch { resolver, .. } => {
                Self::new(Code::ResolverMismatch, detail).with("resolver", resolver)
            }
            Refusal::NoSuchResolver(_) => Self::new(Code::NotSupported, detail),
            Refusal::Parked { .. } => Self::new(Code::Parked, detail),
            Refusal::SessionExpired => Self::new(Code::IdempotencyKeyExpired, detail),
            Refusal::BadIdempotencyKey(_) => Self::new(Code::BadIdempotencyKey, detail),
            Refusal::IdempotencyKeyReused => Self::new(Code::IdempotencyKeyReused, detail),
            Refusal::Rejected { operation, rejection } => rejected(&rejection).with("operation", json!(operation)),
            Refusal::TooLarge(_) => Self::new(Code::TooLarge, detail),
        }
    }
}

fn rejected(rejection: &Rejection) -> Problem {
    let code = match rejection {
        Rejection::NotSupported(_) => Code::NotSupported,
        Rejection::Rejected(_) => Code::Rejected,
        Rejection::Overflow(_) => Code::Overflow,
        Rejection::ConflictOpen(_) => Code::ConflictOpen,
        Rejection::SlotTaken { .. } => Code::SlotTaken,
        Rejection::ConflictChanged { .. } => Code::ConflictChanged,
        Rejection::AlreadyResolved(_) => Code::AlreadyResolved,
        Rejection::NoSuchConflict(_) => Code::NoSuchConflict,
        Rejection::Read(_) => Code::Internal,
    };
    let problem = Problem::new(code, rejection.to_string());
    match rejection {
        Rejection::SlotTaken { bookings, .. } => problem.with("bookings", json!(bookings)),
        Rejection::ConflictChanged { now, .. } => problem.with("conflict", json!(now.map(|id| id.to_string()))),
        _ => problem,
    }
}
