//! What a browser wants to hear before a page of another origin may read an answer.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use hyper::http::StatusCode;
use hyper::{HeaderMap, Method};

const METHODS: &str = "GET, PUT, POST, DELETE";
const REQUEST_HEADERS: &str = "Content-Type, Idempotency-Key, Last-Event-ID, Anabranch-Token, Anabranch-Context, Anabranch-Wait, \
                               Anabranch-Fallback, Anabranch-Ack";
const RESPONSE_HEADERS: &str = "Anabranch-Token, Anabranch-Context, Anabranch-Served-By, X-Request-Id, Retry-After";
/// How long a browser need not ask again, in seconds.
const MAX_AGE: &str = "600";

/// The answer to a browser that asks whether it may ask. Whether its origin may was looked at before.
pub(crate) fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    let asks = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    if !(asks && headers.contains_key(ORIGIN)) {
        return None;
    }
    let told = [
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    Some((StatusCode::NO_CONTENT, told).into_response())
}

/// The page's origin, if a page asks.
pub(crate) fn origin(request: &Request) -> Option<HeaderValue> {
    request.headers().get(ORIGIN).cloned()
}

/// Lets a page read the answer: called only for origins that may ask.
pub(crate) fn allow(response: &mut Response, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(RESPONSE_HEADERS));
    headers.append(VARY, HeaderValue::from_static("origin"));
}
