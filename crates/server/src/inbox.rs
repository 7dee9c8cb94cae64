//! Conflicts as JSON, and how many are open.

use crate::clock::rfc3339;
use anabranch::conflicts::{ConflictOption, OpenConflict, OpenCounts, Past};
use anabranch::resolvers::{Decided, Keep};
use anabranch::{Database, ReadError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

/// How many entries of the index are looked at for counting.
const MOST_COUNTED: u64 = 10_000;

/// How many conflicts are open, counted once per state.
#[derive(Default)]
pub(crate) struct Counts {
    /// The log index after the last transaction of the state, and what was counted.
    last: Mutex<Option<(u64, Arc<OpenCounts>)>>,
}

impl Counts {
    /// The numbers of the state after the last commit, or after one that was the last when this was called.
    pub(crate) async fn of(self: &Arc<Self>, database: &Database) -> Result<Arc<OpenCounts>, ReadError> {
        let (counts, database) = (self.clone(), database.clone());
        // One counts, others wait for the number: on threads that may wait.
        let counted = tokio::task::spawn_blocking(move || {
            // A panic of another thread leaves it whole: it is assigned at once.
            let mut last = counts.last.lock().unwrap_or_else(PoisonError::into_inner);
            let view = database.view();
            if let Some((_, known)) = last.as_ref().filter(|(index, _)| *index == view.position()) {
                return Ok(known.clone());
            }
            let counted = Arc::new(view.count_conflicts(MOST_COUNTED)?);
            *last = Some((view.position(), counted.clone()));
            Ok(counted)
        });
        counted.await.unwrap_or(Err(ReadError::Wait(anabranch::WaitError::Closed)))
    }
}

/// An open conflict.
pub(crate) fn conflict(conflict: &OpenConflict) -> Value {
    let mut shown = json!({
        "conflict": conflict.id.to_string(),
        "collection": conflict.collection,
        "key": conflict.key,
        "since": rfc3339(conflict.since.ms()),
        "options": conflict.options.iter().map(option).collect::<Vec<_>>(),
    });
    if let Some(field) = &conflict.field {
        shown["field"] = field.as_str().into();
    }
    if !conflict.outcomes.is_empty() {
        shown["outcomes"] = conflict.outcomes.iter().map(outcome).collect();
    }
    shown
}

fn option(option: &ConflictOption) -> Value {
    json!({
        "option": option.id,
        "value": option.value,
        "region": option.region,
        "by": option.by.as_ref().or(option.node.as_ref()),
        "at": rfc3339(option.at.ms()),
    })
}

fn outcome(decided: &Decided) -> Value {
    json!({ "keep": decided.keep, "by": decided.by, "note": decided.note, "at": rfc3339(decided.stamp.ms()) })
}

/// Who decided what.
pub(crate) fn decision(past: &Past) -> Value {
    let options = past.options.iter().map(|(option, value)| json!({ "option": option, "value": value }));
    let mut shown = json!({
        "conflict": past.conflict.to_string(),
        "collection": past.collection,
        "key": past.key,
        "options": options.collect::<Vec<_>>(),
        "by": past.by,
        "note": past.note,
        "region": past.region,
        "at": rfc3339(past.at.ms()),
    });
    match &past.keep {
        Keep::Options(options) => shown["keep"] = options.clone().into(),
        Keep::Value(value) => shown["value"] = value.clone(),
    }
    shown
}
