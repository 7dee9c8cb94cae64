//! `/v1/explain`.

use crate::answer;
use crate::app::App;
use crate::call::Call;
use crate::clock::rfc3339;
use crate::problem::{Code, Problem};
use crate::reads::apart;
use anabranch::ExplainedVersion;
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// `GET /v1/explain/{c}/{key}`
pub(crate) async fn explain(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    let (collection, key) = call.target()?;
    call.query(&[])?;
    let view = call.view(&app).await?;
    let explained = apart(view.clone(), move |view| {
        let explained = view.explain(&collection, &key)?;
        let missing = || Problem::new(Code::NoSuchKey, format!("there is no key {key:?} in {collection}"));
        let outcome = explained.outcome.ok_or_else(missing)?;
        Ok((explained.versions, outcome))
    });
    let (versions, outcome) = explained.await?;
    let versions: Vec<Value> = versions.iter().map(version).collect();
    let body = json!({ "versions": versions, "outcome": outcome.value, "reason": outcome.reason });
    Ok(answer::of(&view, StatusCode::OK, &body))
}

fn version(version: &ExplainedVersion) -> Value {
    let (region, node) = match &version.place {
        Some((region, node)) => (Some(region), Some(node)),
        None => (None, None),
    };
    json!({
        "operation": version.operation().to_string(),
        "dot": version.dot.to_string(),
        "region": region,
        "hlc": version.hlc.to_string(),
        "at": rfc3339(version.hlc.ms()),
        "by": node,
        "value": version.value,
    })
}
