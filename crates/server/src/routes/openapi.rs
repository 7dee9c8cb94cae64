//! `/openapi.json`.

use crate::answer;
use axum::response::Response;
use hyper::http::StatusCode;

/// The document, written by hand; a test compares it with the routes.
pub(crate) const DOCUMENT: &str = include_str!("../openapi.json");

/// `GET /openapi.json`
pub(crate) async fn openapi() -> Response {
    answer::plain(StatusCode::OK, "application/json", DOCUMENT)
}
