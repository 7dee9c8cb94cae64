//! `/v1/changes`.

use crate::answer::{self, Shown};
use crate::app::App;
use crate::call::Call;
use crate::changes::{Changes, Form, HangUp};
use crate::headers;
use crate::path;
use crate::problem::{Code, Problem};
use anabranch::{Filter, Token, names};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use hyper::header::ACCEPT;
use hyper::http::StatusCode;
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;

const EVENT_STREAM: &str = "text/event-stream";

/// `GET /v1/changes`. The log keeps everything yet; once it does not, a token that it no longer reaches back to is
/// `410 token-too-old`, where the watch looks for its first transaction.
pub(crate) async fn changes(
    State(app): State<Arc<App>>,
    hang_up: Option<Extension<HangUp>>,
    call: Call,
) -> Result<Response, Problem> {
    let query = call.query(&["collection", "prefix", "since"])?;
    let filter = filter(query.get("collection"), query.get("prefix"))?;
    let cluster = app.database.names().cluster.clone();
    // What a browser adds when it comes again is newer than what stands in its address.
    let since = match headers::last_event_id(&call.headers)? {
        Some(id) => Some(headers::decode(id, &cluster)?),
        None => query.get("since").map(|since| headers::decode(since, &cluster)).transpose()?,
    };
    let asked = call.view_since(&app, since.as_ref().unwrap_or(&Token::new())).await?;
    let place = enter(&app)?;
    let database = app.database.clone();
    let opened = tokio::task::spawn_blocking(move || database.watch(filter, since.as_ref())).await;
    let watch = opened.map_err(|_| Problem::new(Code::Internal, "the log could not be read"))??;
    let form = Form { server_sent: wants_events(&call.headers), cluster: cluster.into() };
    let mut shown = watch.token().clone();
    shown.join(&asked);
    let media = form.media();
    let hang_up = hang_up.map(|Extension(hang_up)| hang_up).unwrap_or_default();
    let told = app.readers.tell(place, Changes(watch), form, hang_up);
    let mut response = answer::plain(StatusCode::OK, media, Body::new(told));
    response.extensions_mut().insert(Shown::Token(shown));
    Ok(response)
}

/// A place for one more reader.
pub(super) fn enter(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    let too_many = || {
        let detail = format!("{} read changes already: try again later, or at another node", app.readers.most());
        Problem::new(Code::TooManyRequests, detail)
    };
    app.readers.enter().ok_or_else(too_many)
}

fn filter(collection: Option<&str>, prefix: Option<&str>) -> Result<Filter, Problem> {
    if let Some(collection) = collection {
        path::check_collection(collection)?;
    }
    let prefix = prefix.unwrap_or_default().to_owned();
    if prefix.len() > names::MAX_KEY {
        return Err(Problem::bad_request(format!("a key has at most {} bytes", names::MAX_KEY)));
    }
    Ok(Filter { collection: collection.map(str::to_owned), prefix })
}

/// Whether the client asks for server-sent events by name.
pub(super) fn wants_events(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut media = accepted.flat_map(|value| value.split(',')).filter_map(|range| range.split(';').next());
    media.any(|media| media.trim().eq_ignore_ascii_case(EVENT_STREAM))
}
