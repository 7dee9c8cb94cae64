//! Writes that need nothing but this node's disk: submitted as they come, answered together when they are on it.
//!
//! A commit ends many writes of a stream at once. A task of its own for each, woken from the writer's thread, with a timer
//! of its own, costs several times as much as what there is to do for it.

use super::answer::shown;
use super::handle::late;
use super::pending::Pending;
use crate::app::App;
use crate::metrics::Wait;
use crate::path;
use crate::problem::Problem;
use crate::reads::has_few_rows;
use anabranch::{AckLevel, Change, Token, View, Write, WriteError, names};
use anabranch_protocol::{Answer, Ask, Reply, Request, Shown, Written, parts};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

/// A value above this many bytes is left out of the answer to a write.
const MOST_VALUE: usize = 4096;

/// The places that a request takes until it is answered.
pub(super) type Places = [OwnedSemaphorePermit; 2];

/// The writes of one stream, and what became of them; nothing of those that are late.
pub(super) type Writes = Pending<Waiting, Result<anabranch::Written, WriteError>>;

/// A write with what became of it.
pub(super) type Answered = (Waiting, Option<Result<anabranch::Written, WriteError>>);

/// A write that waits for its answer.
pub(super) struct Waiting {
    app: Arc<App>,
    id: u64,
    asked: Token,
    /// The change whose key's value is to be shown.
    shown: Option<Change>,
    _places: Places,
}

/// Submits a request that is such a write; gives back any other.
pub(super) fn submit(
    writes: &Arc<Writes>,
    app: &Arc<App>,
    request: Request,
    places: Places,
) -> Option<(Request, Places)> {
    if !is_of_this_node(app, &request) {
        return Some((request, places));
    }
    let Request { id, token: asked, ask: Ask::Write { write, show, .. }, .. } = request else {
        return Some((request, places));
    };
    if !asked.is_empty() {
        app.metrics.token_wait(Wait::None);
    }
    let shown = if show { write.changes.first().cloned() } else { None };
    let waiting = Waiting { app: app.clone(), id, asked, shown, _places: places };
    let number = writes.push(Instant::now() + app.config.request_timeout, waiting);
    let ticket = Ticket { writes: Some(writes.clone()), number };
    app.database.submit(write, move |outcome| ticket.answer(outcome));
    None
}

/// What the writer answers by. Dropped unused, it says that the database was closed.
struct Ticket {
    writes: Option<Arc<Writes>>,
    number: u64,
}

impl Ticket {
    fn answer(mut self, outcome: Result<anabranch::Written, WriteError>) {
        if let Some(writes) = self.writes.take() {
            writes.answer(self.number, outcome);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(writes) = self.writes.take() {
            writes.answer(self.number, Err(WriteError::Closed));
        }
    }
}

/// Whether a request is a write that can be submitted at once, and its answer made without waiting: nothing is wrong with it,
/// nothing it names is missing, nobody else must have it, and no more than a few rows are to be read.
fn is_of_this_node(app: &App, request: &Request) -> bool {
    let Ask::Write { write, ack: AckLevel::Local, show } = &request.ask else { return false };
    let is_quick = match write.changes.first() {
        Some(Change::Operate { kind, .. }) => has_few_rows(*kind),
        _ => true,
    };
    (is_quick || !show)
        && app.database.leader().is_none()
        && check(write).is_ok()
        && app.database.view().satisfies(&request.token).is_ok()
}

/// What the HTTP API checks in paths and bodies.
pub(super) fn check(write: &Write) -> Result<(), Problem> {
    if write.changes.is_empty() {
        return Err(Problem::bad_request("a write has at least one change"));
    }
    for change in &write.changes {
        names::check_collection(change.collection()).map_err(|error| Problem::bad_request(error.to_string()))?;
        if let Change::Operate { key, .. } = change {
            path::check_key(key)?;
        }
    }
    Ok(())
}

/// The answer to a write that is done: what it has become, and the value of the key that `change` changed.
pub(super) fn written(view: &View, written: &anabranch::Written, change: Option<&Change>) -> Answer {
    let (dot, repeated, incomplete) = (written.dot, written.repeated, written.incomplete);
    Answer::Written(Written { dot, repeated, incomplete, shown: change.and_then(|change| value(view, change)) })
}

fn value(view: &View, change: &Change) -> Option<Shown> {
    let Change::Operate { collection, kind, key, operation, .. } = change else { return None };
    let found = view.catalog().get(collection, *kind).filter(|found| !found.is_system())?;
    // What was written stays written, whether or not it can be shown.
    let outcome = view.value_in(found, key, Some(operation), MOST_VALUE).ok()??;
    Some(shown(found, key, &outcome))
}

/// The frames that carry answers, all at one state.
pub(super) fn frames(answered: &[Answered]) -> Vec<Vec<u8>> {
    let Some(first) = answered.first() else { return Vec::new() };
    let app = &first.0.app;
    let (view, names) = (app.database.view(), app.database.names());
    let token = view.token();
    let mut frames = Vec::with_capacity(answered.len());
    for (waiting, outcome) in answered {
        let (token, answer) = match outcome {
            // Resolvers may be others' code: for one that panics, there is no value to show.
            Some(Ok(done)) => {
                let shown = catch_unwind(AssertUnwindSafe(|| written(&view, done, waiting.shown.as_ref())));
                (token.clone(), shown.unwrap_or_else(|_| written(&view, done, None)))
            }
            Some(Err(error)) => (app.covering(&waiting.asked), Problem::from(error.clone()).into()),
            None => (app.covering(&waiting.asked), late().into()),
        };
        let reply = Reply { id: waiting.id, token, by: names.node.clone(), answer };
        match reply.frame() {
            Some(frame) => frames.push(frame),
            None => frames.extend(parts(reply.id, &reply.encode())),
        }
    }
    frames
}
