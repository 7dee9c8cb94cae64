//! What every request and every answer goes through.

use crate::answer::Shown;
use crate::app::App;
use crate::call::{Asked, PassedOn};
use crate::catch::Catch;
use crate::problem::{self, Code, Problem};
use crate::routes::{self, Matched};
use crate::{cors, guard, headers};
use anabranch::{Names, Token};
use anabranch_protocol::{Answer, Http};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::http::StatusCode;
use std::sync::Arc;
use std::time::Instant;
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
    let names = app.database.names();
    let token = headers::token(request.headers(), &names.cluster);
    let asked = Arc::new(Asked { id, token });
    let answered = answer(&app, router, request, asked.clone()).instrument(span.clone()).await;
    let _inside = span.enter();
    let route = answered.extensions().get::<Matched>().cloned();
    let mut response = with_body(answered, &asked.id, has_empty_name);
    stamp(&app, names, &mut response, &asked, is_api);
    let route = route.as_ref().map_or("none", Matched::pattern);
    app.metrics.request(&method, route, response.status(), started.elapsed());
    tracing::debug!(status = response.status().as_u16(), ms = started.elapsed().as_millis() as u64, "answered");
    response
}

async fn answer(app: &Arc<App>, router: Router, request: Request<Body>, asked: Arc<Asked>) -> Response {
    if let Err(problem) = guard::check(app, request.uri(), request.headers()) {
        return problem.into_response();
    }
    let origin = cors::origin(&request);
    let mut response = match cors::preflight(request.method(), request.headers()) {
        Some(response) => response,
        None => routed(app, router, request, asked).await,
    };
    if let Some(origin) = origin {
        cors::allow(&mut response, origin);
    }
    response
}

async fn routed(app: &Arc<App>, router: Router, mut request: Request<Body>, asked: Arc<Asked>) -> Response {
    request.extensions_mut().insert(asked);
    let routed = Catch::new(routes::answer(app.clone(), router, request));
    match tokio::time::timeout(app.config.request_timeout, routed).await {
        Ok(Ok(response)) => response,
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
        (Some(mut problem), _) => match problem.take_elsewhere() {
            Some(answer) => return passed_back(answer, response),
            None => problem,
        },
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

/// Another node's answer, on its way back; `response` says which route it came by.
fn passed_back(answer: problem::Elsewhere, mut response: Response) -> Response {
    let mut back = Response::new(Body::from(answer.body));
    (*back.status_mut(), *back.headers_mut()) = (answer.status, answer.headers);
    *back.extensions_mut() = std::mem::take(response.extensions_mut());
    back.extensions_mut().insert(Elsewhere);
    back
}

/// Adds what every answer carries.
fn stamp(app: &App, names: Arc<Names>, response: &mut Response, asked: &Asked, is_api: bool) {
    let shown = response.extensions_mut().remove::<Shown>();
    let elsewhere = response.extensions_mut().remove::<Elsewhere>().is_some();
    let headers = response.headers_mut();
    if !elsewhere {
        put(headers, headers::SERVED_BY, HeaderValue::from_str(&names.node).ok());
        put(headers, headers::TOKEN, token(app, names, shown, asked));
    }
    put(headers, headers::REQUEST_ID, HeaderValue::from_str(&asked.id).ok());
    if is_api {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// The token that covers what the request asked for and what the answer shows. An answer that does not say what it shows
/// (a rejection, say) shows at most what there is now.
fn token(app: &App, names: Arc<Names>, shown: Option<Shown>, asked: &Asked) -> Option<HeaderValue> {
    let token = match shown {
        // Given only by handlers that waited for what was asked.
        Some(Shown::State(view)) => return app.last_token.of(&view, names).ok(),
        Some(Shown::Token(token)) => token,
        None => app.covering(asked.token.as_ref().unwrap_or(&Token::new())),
    };
    HeaderValue::try_from(token.encode(&names.cluster)).ok()
}

/// Answers a request that another node passes on, as if it had come by HTTP: the answer, and what it shows.
pub(crate) async fn passed_on(
    app: &Arc<App>,
    http: Http,
    wait_ms: u32,
    token: Token,
) -> Result<(Token, Answer), Problem> {
    let mut request = Request::builder().method(http.method.as_str()).uri(http.target.as_str());
    for (name, value) in &http.headers {
        request = request.header(name.as_str(), value.as_slice());
    }
    // Whoever passed it on has waited for a part of the time.
    request = request.header(headers::WAIT, format!("{wait_ms}ms")).extension(PassedOn);
    let request = request.body(Body::from(http.body));
    let request = request.map_err(|error| Problem::bad_request(format!("not an HTTP request: {error}")))?;
    if !request.uri().path().starts_with("/v1") {
        return Err(Problem::bad_request("only requests to /v1 are passed on"));
    }
    let response = serve(app.clone(), routes::router(app.clone()), request).await;
    let status = response.status().as_u16();
    let kept = |(name, value): (&HeaderName, &HeaderValue)| {
        PASSED_BACK.contains(name).then(|| (name.as_str().to_owned(), value.as_bytes().to_vec()))
    };
    let headers = response.headers().iter().filter_map(kept).collect();
    let body = response.into_body().collect().await;
    let body = body.map_err(|_| Problem::new(Code::Internal, "the answer could not be made"))?;
    Ok((token, Answer::Http { status, headers, body: body.to_bytes().to_vec() }))
}

/// The headers of an answer that go back with it.
static PASSED_BACK: [HeaderName; 7] =
    [CONTENT_TYPE, RETRY_AFTER, ALLOW, headers::TOKEN, headers::CONTEXT, headers::SERVED_BY, headers::REQUEST_ID];

/// The answer is another node's: it says itself what it shows and who gave it.
#[derive(Clone)]
pub(crate) struct Elsewhere;

fn put(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    if let Some(value) = value {
        headers.insert(name, value);
    }
}
