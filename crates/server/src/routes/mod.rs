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
use crate::serve::note_route;
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{MethodRouter, get, post, put};
use std::sync::Arc;

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
        ("/v1/data/{collection}/{key}", get(data::get).put(data::put).delete(data::delete).post(data::post)),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Code;
    use std::collections::BTreeSet;

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
