//! Answering one native request.

use super::answer::shown;
use super::stream::{Lane, Lanes};
use super::writes;
use crate::app::App;
use crate::call::not_reached;
use crate::forward::{self, no_leader, not_here};
use crate::path;
use crate::problem::{Code, Problem};
use crate::reach::{Reached, Wish, reach};
use crate::reads::apart;
use crate::{acknowledge, serve};
use anabranch::{AckLevel, Asker, Token, View, Write};
use anabranch_protocol::{Answer, Ask, Described, Page, Reply, Request, Standing};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most keys of a page, and about how many bytes of JSON.
const MAX_LIMIT: u32 = 1_000;
const PAGE_BYTES: usize = 4 << 20;
/// How many keys are read before looking at that again.
const AT_ONCE: usize = 16;

/// The answer, and its lane: always one, within the time that the request gives and what reading takes.
pub(super) async fn handle(app: &Arc<App>, asker: &Asker, request: Request, lanes: &Lanes) -> (Reply, Lane) {
    let (id, asked) = (request.id, request.token.clone());
    let answered = answer(app, asker, request, lanes);
    let answered = match tokio::time::timeout(app.config.request_timeout, answered).await {
        Ok(answered) => answered,
        Err(_) => Err(late()),
    };
    let by = app.database.names().node.clone();
    match answered {
        Ok((Answered::Elsewhere(reply), lane)) => (Reply { id, ..reply }, lane),
        Ok((Answered::Here(token, answer), lane)) => (Reply { id, token, by, answer }, lane),
        Err(problem) => (Reply { id, token: app.covering(&asked), by, answer: problem.into() }, None),
    }
}

/// At the end of the time that requests may take in all.
pub(super) fn late() -> Problem {
    Problem::new(Code::NotReady, "the request took too long: whether it took effect is unknown")
}

enum Answered {
    Here(Token, Answer),
    Elsewhere(Reply),
}

async fn answer(app: &Arc<App>, asker: &Asker, request: Request, lanes: &Lanes) -> Result<(Answered, Lane), Problem> {
    let deadline = Instant::now() + Duration::from_millis(u64::from(request.wait_ms));
    // What a peer asks, it passes on for another.
    let request = Request { forward: request.forward && !asker.is_peer, ..request };
    match &request.ask {
        Ask::Standing => Ok((standing(app, &request.token).await?, None)),
        // What is rare and large has a place of its own: a task is as large as the largest of what it may do.
        Ask::Http(_) => Ok((Box::pin(http(app, asker, request)).await?, lanes.enter().await)),
        Ask::Write { .. } => Ok((write(app, asker, request, deadline).await?, None)),
        Ask::Get { .. } | Ask::Scan { .. } | Ask::Collections => show(app, request, deadline, lanes).await,
    }
}

async fn standing(app: &App, asked: &Token) -> Result<Answered, Problem> {
    let status = app.database.status_async().await.ok_or_else(closed)?;
    let standing = Standing {
        region: app.database.names().region.clone(),
        role: app.database.role(),
        behind_ms: status.behind_ms,
        lagging: app.is_lagging(&status),
        vector: app.database.view().vector().clone(),
    };
    Ok(Answered::Here(app.covering(asked), Answer::Standing(standing)))
}

fn closed() -> Problem {
    Problem::new(Code::NotReady, "the database is closed or its store failed")
}

/// An HTTP request that another node passes on.
async fn http(app: &Arc<App>, asker: &Asker, request: Request) -> Result<Answered, Problem> {
    let Ask::Http(http) = request.ask else { return Err(Problem::bad_request("not an HTTP request")) };
    if !asker.is_peer {
        return Err(Problem::new(Code::NotSupported, "only nodes pass HTTP requests on"));
    }
    let (token, answer) = serve::passed_on(app, http, request.wait_ms, request.token).await?;
    Ok(Answered::Here(token, answer))
}

async fn show(app: &Arc<App>, request: Request, deadline: Instant, lanes: &Lanes) -> Result<(Answered, Lane), Problem> {
    check_read(&request.ask)?;
    let view = match wait(app, &request, deadline, false).await? {
        Reached::Elsewhere(reply) => return Ok((Answered::Elsewhere(reply), lanes.enter().await)),
        Reached::Here(view) => view,
    };
    let view = fresh(app, request.max_lag_ms, view).await?;
    let (lane, ask) = (lanes.enter().await, request.ask);
    let answer = match &ask {
        Ask::Get { collection, .. } => {
            let kind = view.collection(collection)?.kind;
            app.reads.key(&view, kind, move |view| shown_of(view, &ask)).await?
        }
        _ => apart(view.clone(), move |view| shown_of(view, &ask)).await?,
    };
    Ok((Answered::Here(view.token(), answer), lane))
}

async fn wait(app: &App, request: &Request, deadline: Instant, writes: bool) -> Result<Reached, Problem> {
    let wish = Wish { token: &request.token, deadline, forward: request.forward, writes };
    let reached = reach(app, wish, || request.clone()).await;
    reached.map_err(|error| not_reached(app, &request.token, &error))
}

/// What the HTTP API checks in paths and queries.
fn check_read(ask: &Ask) -> Result<(), Problem> {
    match ask {
        Ask::Get { collection, key } => {
            path::check_collection(collection)?;
            path::check_key(key)
        }
        Ask::Scan { collection, limit, .. } => {
            path::check_collection(collection)?;
            match (1..=MAX_LIMIT).contains(limit) {
                true => Ok(()),
                false => Err(Problem::bad_request(format!("limit is from 1 to {MAX_LIMIT}"))),
            }
        }
        _ => Ok(()),
    }
}

/// A state that is no older than allowed.
async fn fresh(app: &App, max_lag_ms: Option<u32>, view: Arc<View>) -> Result<Arc<View>, Problem> {
    let Some(most) = max_lag_ms else { return Ok(view) };
    let status = app.database.status_async().await.ok_or_else(closed)?;
    match status.behind_ms {
        Some(behind) if behind <= u64::from(most) => Ok(app.database.view()),
        behind => {
            let known = behind.map_or_else(|| "an unknown time".to_owned(), |behind| format!("{behind} ms"));
            let detail = format!("what this replica shows may be {known} old, and {most} ms are allowed: ask another");
            Err(Problem::new(Code::Stale, detail))
        }
    }
}

fn shown_of(view: &View, ask: &Ask) -> Result<Answer, Problem> {
    match ask {
        Ask::Get { collection, key } => {
            let found = view.collection(collection)?;
            let outcome = view.value_in(found, key, None, usize::MAX)?;
            let shown = outcome.map(|outcome| shown(found, key, &outcome));
            Ok(Answer::Value { resolver: found.resolver.clone(), shown })
        }
        Ask::Scan { collection, prefix, after, limit } => {
            page(view, collection, prefix, after.as_deref(), *limit as usize).map(Answer::Page)
        }
        _ => Ok(Answer::Collections(view.collections().map(|found| described(view, found)).collect())),
    }
}

fn described(view: &View, found: &anabranch::Collection) -> Described {
    Described { name: view.catalog().path(found), resolver: found.resolver.clone(), kind: found.kind.0 }
}

fn page(view: &View, path: &str, prefix: &str, after: Option<&str>, limit: usize) -> Result<Page, Problem> {
    let collection = view.collection(path)?;
    let mut page = Page { resolver: collection.resolver.clone(), items: Vec::new(), next: after.map(str::to_owned) };
    let mut bytes = 0;
    loop {
        let found = view.scan(path, prefix, page.next.as_deref(), AT_ONCE.min(limit - page.items.len()))?;
        for entry in found.entries {
            let shown = shown(collection, &entry.key, &entry.outcome);
            bytes += shown.json.len();
            page.items.push((entry.key, shown));
        }
        page.next = found.next;
        if page.next.is_none() || page.items.len() >= limit || bytes > PAGE_BYTES {
            return Ok(page);
        }
    }
}

async fn write(app: &App, asker: &Asker, request: Request, deadline: Instant) -> Result<Answered, Problem> {
    if let Some(leader) = app.database.leader() {
        if asker.is_peer {
            return Err(not_here(leader));
        }
        let reply = Box::pin(forward::ask(app, leader, request, deadline)).await;
        return reply.map(Answered::Elsewhere).map_err(|error| no_leader(leader, error));
    }
    if let Ask::Write { write, ack, .. } = &request.ask {
        writes::check(write)?;
        acknowledge::check(app, *ack)?;
    }
    if let Reached::Elsewhere(reply) = wait(app, &request, deadline, true).await? {
        return Ok(Answered::Elsewhere(reply));
    }
    let Ask::Write { write, ack, show } = request.ask else { return Err(Problem::bad_request("not a write")) };
    written(app, write, ack, show, deadline).await
}

async fn written(app: &App, write: Write, ack: AckLevel, show: bool, deadline: Instant) -> Result<Answered, Problem> {
    let first = if show { write.changes.first().cloned() } else { None };
    let written = app.database.apply_async(write).await?;
    let view = app.database.view();
    let answer = writes::written(&view, &written, first.as_ref());
    acknowledge::wait(app, written.dot, ack, deadline).await?;
    Ok(Answered::Here(view.token(), answer))
}
