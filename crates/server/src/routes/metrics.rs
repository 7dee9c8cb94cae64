//! `/metrics`.

use crate::answer;
use crate::app::App;
use crate::metrics::Metrics;
use crate::problem::{Code, Problem};
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use std::sync::Arc;

const MEDIA: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let text = Metrics::text(&app).await;
    let text = text.map_err(|_| Problem::new(Code::Internal, "the metrics cannot be written"))?;
    Ok(answer::plain(StatusCode::OK, MEDIA, text))
}
