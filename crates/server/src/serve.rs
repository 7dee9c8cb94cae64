//! What every request and every answer goes through.

use crate::answer::Shown;
use crate::app::App;
use crate::call::Asked;
use crate::catch::Catch;
use crate::problem::{Code, Problem};
use crate::{guard, headers};
use anabranch::Token;
use axum::Router;
use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_LENGTH, HeaderValue};
use hyper::http::StatusCode;
use std::sync::Arc;
use std::time::Instant;
use tower::ServiceExt;
use tracing::Instrument;

/// Answers one request: always, and always with a request id, a token and the node's name.
pub(crate) async fn serve(app: Arc<App>, router: Router, request: Request<Body>) -> Response {
    let started = Instant::now();
    let id = headers::request_id(request.headers());
    let method = request.method().clone();
    // Debug formatting escapes what could break a line.
    let span = tracing::info_span!("request", id, %method, path = ?request.uri().path());
    let path = request.uri().path();
    let is_api = path.starts_with("/v1");
    let has_empty_name = is_api && path.split('/').skip(1).any(str::is_empty);
    let asked = Asked(headers::token(request.headers(), &app.database.names().cluster));
    let answered = answer(&app, router, request, asked.clone()).instrument(span.clone()).await;
    let _inside = span.enter();
    let route = answered.extensions().get::<MatchedPath>().cloned();
    let mut response = with_body(answered, &id, has_empty_name);
    stamp(&app, &mut response, &asked, &id, is_api);
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    app.metrics.request(&method, route, response.status(), started.elapsed());
    tracing::debug!(status = response.status().as_u16(), ms = started.elapsed().as_millis() as u64, "answered");
    response
}

async fn answer(app: &App, router: Router, mut request: Request<Body>, asked: Asked) -> Response {
    if let Err(problem) = guard::check(app, request.uri(), request.headers()) {
        return problem.into_response();
    }
    request.extensions_mut().insert(asked);
    let routed = Catch::new(router.oneshot(request));
    match tokio::time::timeout(app.config.request_timeout, routed).await {
        Ok(Ok(response)) => response.into_response(),
        Ok(Err(_)) => {
            tracing::error!("a handler panicked: this is a fault of this program");
            Problem::new(Code::Internal, "this is a fault of the server; it serves on").into_response()
        }
        Err(_) => {
            let detail = "the request took too long: whether it took effect is unknown; it can be sent again \
                          with its idempotency key";
            Problem::new(Code::NotReady, detail).into_response()
        }
    }
}

/// Problems get their documents, those of the router included.
fn with_body(mut response: Response, id: &str, has_empty_name: bool) -> Response {
    let problem = match (response.extensions_mut().remove::<Problem>(), response.status()) {
        (Some(problem), _) => problem,
        (None, StatusCode::NOT_FOUND) if has_empty_name => Problem::bad_request("a name in the path is empty"),
        (None, StatusCode::NOT_FOUND) => Problem::new(Code::NotFound, "see /openapi.json for what there is"),
        (None, StatusCode::METHOD_NOT_ALLOWED) => {
            Problem::new(Code::MethodNotAllowed, "see the Allow header for the methods that it takes")
        }
        (None, _) => return response,
    };
    if problem.code().status().is_server_error() {
        tracing::info!(problem = %problem.document(id), "refused");
    }
    let mut rendered = problem.render(id);
    // A context or the allowed methods, say; the body's own headers are the document's.
    for (name, value) in response.headers() {
        if *name != CONTENT_LENGTH && !rendered.headers().contains_key(name) {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    *rendered.extensions_mut() = std::mem::take(response.extensions_mut());
    rendered
}

/// Adds what every answer carries.
fn stamp(app: &App, response: &mut Response, asked: &Asked, id: &str, is_api: bool) {
    let shown = response.extensions_mut().remove::<Shown>().map(|Shown(token)| token);
    let names = app.database.names();
    let token = covering(app, shown, asked).encode(&names.cluster);
    let headers = response.headers_mut();
    put(headers, &headers::TOKEN, &token);
    put(headers, &headers::SERVED_BY, &names.node);
    put(headers, &headers::REQUEST_ID, id);
    if is_api {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The token that covers what the request asked for and what the answer shows. An answer that does not say what it shows
/// (a rejection, say) shows at most what there is now.
fn covering(app: &App, shown: Option<Token>, Asked(asked): &Asked) -> Token {
    if let Some(shown) = shown {
        // Given only by handlers that waited for what was asked.
        return shown;
    }
    let view = app.database.view();
    let mut token = view.token();
    if let Ok(asked) = asked
        && view.satisfies(asked).is_err()
    {
        token.join(asked);
        if token.encode(&app.database.names().cluster).len() > Token::MAX_TEXT {
            // It could not be sent again. The answer is about the wait alone, and shows no data.
            return asked.clone();
        }
    }
    token
}

fn put(headers: &mut HeaderMap, name: &hyper::header::HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name.clone(), value);
    }
}

/// Lets the answer say which route it came from.
pub(crate) async fn note_route(matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        response.extensions_mut().insert(matched);
    }
    response
}
