//! Texts as Yjs hands them out.

use crate::answer;
use crate::app::App;
use crate::call::Call;
use crate::path::Query;
use crate::problem::{Code, Problem};
use crate::reads::apart;
use anabranch::resolvers::operation::{from_base64, to_base64};
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::json;

/// The longest state vector, in characters of base64: about 6,000 clients.
const MAX_SINCE: usize = 65_536;

/// Whether a reader asks for something else than the value.
pub(super) fn is_asked(query: &Query) -> Result<bool, Problem> {
    match query.get("format") {
        None if query.get("since").is_some() => Err(Problem::bad_request("since comes with format=yjs")),
        None => Ok(false),
        Some("yjs") => Ok(true),
        Some(_) => Err(Problem::bad_request("format is yjs, or left out for the value")),
    }
}

/// `GET /v1/data/{c}/{key}?format=yjs`
pub(super) async fn get(app: &App, call: &Call, query: &Query) -> Result<Response, Problem> {
    let (path, key) = call.target()?;
    let since = query.get("since").map(|text| {
        let bytes = from_base64(text, MAX_SINCE);
        bytes.ok_or_else(|| Problem::bad_request(format!("since is base64 of at most {MAX_SINCE} characters")))
    });
    let since = since.transpose()?;
    let view = call.view(app).await?;
    let (place, wanted) = (path.clone(), key.clone());
    let exported = apart(view.clone(), move |view| Ok(view.export(&place, &wanted, since.as_deref())?)).await?;
    match exported {
        Some(update) => Ok(answer::of(&view, StatusCode::OK, &json!({ "yjs": to_base64(&update) }))),
        None => Err(Problem::new(Code::NoSuchKey, format!("nothing was ever written to {key:?} in {path}"))),
    }
}
