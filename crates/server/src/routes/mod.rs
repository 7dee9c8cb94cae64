//! The routes, one module per group.

pub(crate) mod changes;
pub(crate) mod collections;
pub(crate) mod conflicts;
pub(crate) mod data;
pub(crate) mod explain;
pub(crate) mod health;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod status;
pub(crate) mod transactions;
mod write;
mod yjs;

use crate::app::App;
use crate::call::Call;
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};
use std::sync::Arc;
use tower::ServiceExt;

/// The route of single keys.
const KEY: &str = "/v1/data/{collection}/{key}";

/// All routes. `/openapi.json` describes exactly these.
pub(crate) fn table() -> [(&'static str, MethodRouter<Arc<App>>); 15] {
    [
        ("/health", get(health::health)),
        ("/ready", get(health::ready)),
        ("/metrics", get(metrics::metrics)),
        ("/openapi.json", get(openapi::openapi)),
        ("/v1/status", get(status::status)),
        ("/v1/collections", get(collections::list)),
        ("/v1/collections/{collection}", put(collections::put).get(collections::one)),
        ("/v1/data/{collection}", get(data::scan)),
        (KEY, get(data::get).put(data::put).delete(data::delete).post(data::post)),
        ("/v1/transactions", post(transactions::post)),
        ("/v1/explain/{collection}/{key}", get(explain::explain)),
        ("/v1/changes", get(changes::changes)),
        ("/v1/conflicts", get(conflicts::list)),
        ("/v1/conflicts/history", get(conflicts::history)),
        ("/v1/conflicts/{conflict}", get(conflicts::one).post(conflicts::resolve)),
    ]
}

/// The router.
pub(crate) fn router(app: Arc<App>) -> Router {
    let routes = table().into_iter().fold(Router::new(), |router, (path, methods)| router.route(path, methods));
    routes.route_layer(from_fn(note_route)).with_state(app)
}

/// Which route an answer came from.
#[derive(Clone)]
pub(crate) enum Matched {
    /// The one of single keys.
    Key,
    /// One that the router found.
    Found(MatchedPath),
}

impl Matched {
    /// Its pattern, which is never what a client sent.
    pub(crate) fn pattern(&self) -> &str {
        match self {
            Self::Key => KEY,
            Self::Found(found) => found.as_str(),
        }
    }
}

/// Lets the answer say which route it came from.
async fn note_route(matched: Option<MatchedPath>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(matched) = matched {
        response.extensions_mut().insert(Matched::Found(matched));
    }
    response
}

/// Answers a request by its route. Reads of single keys go straight to their handler: what the router boxes on the way there
/// costs about a seventh of what the handler does.
pub(crate) async fn answer(app: Arc<App>, router: Router, request: Request<Body>) -> Response {
    if request.method() == Method::GET && is_key(request.uri().path()) {
        let mut response = key(app, request).await;
        response.extensions_mut().insert(Matched::Key);
        return response;
    }
    router.oneshot(request).await.into_response()
}

/// Whether the router would find the route of single keys, both names given.
fn is_key(path: &str) -> bool {
    let segments = path.strip_prefix("/v1/data/").and_then(|rest| rest.split_once('/'));
    segments.is_some_and(|(collection, key)| !collection.is_empty() && !key.is_empty() && !key.contains('/'))
}

async fn key(app: Arc<App>, request: Request<Body>) -> Response {
    let (mut parts, _) = request.into_parts();
    match Call::from_request_parts(&mut parts, &app).await {
        Ok(call) => data::get(State(app), call).await.into_response(),
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use std::collections::BTreeSet;

    #[test]
    fn what_goes_past_the_router_is_what_it_takes_for_a_key() {
        let router = table().into_iter().fold(Router::new(), |router, (path, _)| {
            router.route(path, get(|matched: MatchedPath| async move { matched.as_str().to_owned() }))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let found = |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
            let response = runtime.block_on(router.clone().oneshot(request)).into_response();
            let body = runtime.block_on(axum::body::to_bytes(response.into_body(), 1 << 10)).expect("a body");
            String::from_utf8(body.into()).expect("a pattern")
        };
        for path in ["/v1/data/c/k", "/v1/data/c/k%2Fl?a=b", "/v1/data/%/%", "/v1/data/c~cart/k", "/v1/data/../."] {
            assert!(is_key(path.split('?').next().unwrap_or_default()) && found(path) == KEY, "{path}");
        }
        // An empty name is the router's.
        for path in ["/v1/data//k", "/v1/data/c/", "/v1/data//", "/v1/data/c//k", "/v1/data//c/k"] {
            assert!(!is_key(path), "{path}");
        }
        for path in
            ["/v1/data/c", "/v1/data/", "/v1/data", "/v1/data/c/k/", "/v1/data/c/k/l", "/v1/explain/c/k", "/", "*"]
        {
            assert!(!is_key(path) && found(path) != KEY, "{path}");
        }
    }

    /// That their methods agree, too, is seen from outside: a path that takes a method never answers 405 to it.
    #[test]
    fn the_document_lists_exactly_the_paths() {
        let document: serde_json::Value = serde_json::from_str(openapi::DOCUMENT).expect("JSON");
        let described: BTreeSet<&str> =
            document["paths"].as_object().expect("paths").keys().map(String::as_str).collect();
        assert_eq!(described, table().iter().map(|(path, _)| *path).collect());
    }

    #[test]
    fn the_document_lists_exactly_the_codes() {
        let document: serde_json::Value = serde_json::from_str(openapi::DOCUMENT).expect("JSON");
        let listed = &document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        let listed: BTreeSet<&str> =
            listed.as_array().expect("codes").iter().filter_map(|code| code.as_str()).collect();
        assert_eq!(listed, Code::ALL.iter().map(|code| code.name()).collect());
    }
}
