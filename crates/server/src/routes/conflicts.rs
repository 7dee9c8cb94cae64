//! `/v1/conflicts`.

use super::changes::{enter, wants_events};
use super::data::{self, DEPTH};
use super::write::{self, One};
use crate::answer::{self, Shown};
use crate::app::App;
use crate::call::Call;
use crate::changes::{Form, HangUp, Inbox};
use crate::headers;
use crate::inbox;
use crate::path::{self, Query};
use crate::problem::{Code, Problem};
use crate::reads::apart;
use anabranch::resolvers::{ConflictId, OperationError, Resolution};
use anabranch::{Operation, Token, View};
use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use hyper::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

/// A page ends early when its conflicts have this many bytes of JSON.
const PAGE_BYTES: usize = 4 << 20;
/// How many conflicts are read before looking at that again.
const AT_ONCE: usize = 16;

/// `GET /v1/conflicts`
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    hang_up: Option<Extension<HangUp>>,
    call: Call,
) -> Result<Response, Problem> {
    let query = call.query(&["collection", "after", "limit"])?;
    let collection = collection(&query)?;
    if wants_events(&call.headers) {
        return stream(&app, &call, collection, hang_up.map(|Extension(hang_up)| hang_up).unwrap_or_default()).await;
    }
    let limit = data::limit(&query)?;
    let after = query.get("after").map(str::to_owned);
    let view = call.view(&app).await?;
    let body = apart(view.clone(), move |view| page(view, collection.as_deref(), after, limit)).await?;
    Ok(answer::text(&view, StatusCode::OK, body))
}

fn collection(query: &Query) -> Result<Option<String>, Problem> {
    let collection = query.get("collection").map(str::to_owned);
    collection.as_deref().map_or(Ok(()), path::check_collection)?;
    Ok(collection)
}

/// The body of a page, written little by little so that large values are not held twice.
fn page(view: &View, collection: Option<&str>, after: Option<String>, limit: usize) -> Result<String, Problem> {
    let mut body = "{\"conflicts\":[".to_owned();
    let (mut next, mut count) = (after, 0);
    loop {
        let found = view.conflicts(collection, next.as_deref(), AT_ONCE.min(limit - count))?;
        // Where nothing was found, enough was looked at.
        let fruitless = found.conflicts.is_empty();
        for conflict in &found.conflicts {
            if count > 0 {
                body.push(',');
            }
            body.push_str(&inbox::conflict(conflict).to_string());
            count += 1;
        }
        next = found.next;
        if next.is_none() || fruitless || count >= limit || body.len() > PAGE_BYTES {
            break;
        }
    }
    body.push_str(&format!("],\"next\":{}}}", json!(next)));
    Ok(body)
}

/// The inbox as server-sent events: what is open, then what appears and what ends.
async fn stream(app: &App, call: &Call, collection: Option<String>, hang_up: HangUp) -> Result<Response, Problem> {
    let asked = call.view_since(app, &Token::new()).await?;
    let place = enter(app)?;
    let database = app.database.clone();
    let opened = tokio::task::spawn_blocking(move || database.watch_conflicts(collection.as_deref())).await;
    let watch = opened.map_err(|_| Problem::new(Code::Internal, "the inbox could not be read"))??;
    let mut shown = watch.view()?.token();
    shown.join(&asked);
    let form = Form { server_sent: true, cluster: app.database.names().cluster.clone().into() };
    let media = form.media();
    let source = Inbox { database: app.database.clone(), watch };
    let mut response = answer::plain(StatusCode::OK, media, Body::new(app.readers.tell(place, source, form, hang_up)));
    response.extensions_mut().insert(Shown::Token(shown));
    Ok(response)
}

/// `GET /v1/conflicts/{conflict}`
pub(crate) async fn one(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    call.query(&[])?;
    let id = call.conflict()?;
    let view = call.view(&app).await?;
    let found = apart(view.clone(), move |view| Ok(view.conflict(id)?)).await?;
    let found = found.ok_or_else(|| no_such_conflict(id))?;
    Ok(answer::of(&view, StatusCode::OK, &inbox::conflict(&found)))
}

fn no_such_conflict(id: ConflictId) -> Problem {
    Problem::new(
        Code::NoSuchConflict,
        format!("there is no conflict {id} here: it was ended or has changed, or never was"),
    )
}

/// `GET /v1/conflicts/history`
pub(crate) async fn history(State(app): State<Arc<App>>, call: Call) -> Result<Response, Problem> {
    let query = call.query(&["collection", "key", "after", "limit"])?;
    let collection = collection(&query)?;
    let key = query.get("key").map(str::to_owned);
    key.as_deref().map_or(Ok(()), path::check_key)?;
    if key.is_some() && collection.is_none() {
        return Err(Problem::bad_request("key needs collection: keys of different collections have nothing in common"));
    }
    let (limit, after) = (data::limit(&query)?, query.get("after").map(str::to_owned));
    let view = call.view(&app).await?;
    let page = apart(view.clone(), move |view| {
        Ok(view.resolutions(collection.as_deref(), key.as_deref(), after.as_deref(), limit)?)
    });
    let page = page.await?;
    let history: Vec<Value> = page.decisions.iter().map(inbox::decision).collect();
    Ok(answer::of(&view, StatusCode::OK, &json!({ "history": history, "next": page.next })))
}

/// `POST /v1/conflicts/{conflict}`
pub(crate) async fn resolve(State(app): State<Arc<App>>, call: Call, body: Body) -> Result<Response, Problem> {
    let id = call.conflict()?;
    let terms = call.terms(&app)?;
    if call.headers.contains_key(headers::CONTEXT) {
        let detail = format!("{} is for writes of a key: a conflict's id says what was seen", headers::CONTEXT);
        return Err(Problem::new(Code::NotSupported, detail));
    }
    // One more than a value, for `{"value":value}`.
    let resolution = Resolution::from_json(id, call.json(&app, body, DEPTH + 1).await?).map_err(malformed)?;
    let view = call.base(&app).await?;
    let place = apart(view, move |view| {
        let found = view.place_of_conflict(id)?;
        Ok(found.map(|(collection, key)| (view.catalog().path(&collection), collection, key)))
    });
    let (path, collection, key) = place.await?.ok_or_else(|| no_such_conflict(id))?;
    let operation = Operation::Resolve(resolution);
    let answer = write::one(&app, One { path, collection, key, operation, context: None }, &terms).await;
    match answer {
        Err(problem) if problem.code() == Code::AlreadyResolved => {
            let decisions = apart(app.database.view(), move |view| Ok(view.ended(id)?)).await?;
            Err(problem.with("outcome", decisions.iter().map(inbox::decision).collect::<Vec<_>>()))
        }
        answer => answer,
    }
}

fn malformed(error: OperationError) -> Problem {
    Problem::bad_request(error.to_string())
}
