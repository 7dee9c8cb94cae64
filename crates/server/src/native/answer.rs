//! What native answers are made of.

use crate::problem::Problem;
use anabranch::{Collection, Kind, Outcome, View};
use anabranch_protocol::{Answer, Shown};

/// The longest further members of a problem: longer ones are no answer to whoever reads them.
const MAX_MORE: usize = 64 << 10;

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let (code, detail) = (problem.code().name().to_owned(), problem.detail().to_owned());
        let more = Some(problem.more()).filter(|more| more.len() <= MAX_MORE).unwrap_or_default();
        Self::Problem(anabranch_protocol::Problem { code, detail, more })
    }
}

/// A value as answers show it.
pub(super) fn shown(collection: &Collection, key: &str, outcome: &Outcome) -> Shown {
    let is_register = collection.kind == Kind::REGISTER;
    Shown {
        json: if outcome.truncated { String::new() } else { outcome.value.to_string() },
        conflicts: outcome.conflicts,
        overflow: outcome.overflow,
        truncated: outcome.truncated,
        context: is_register.then(|| View::context(outcome).encode(&collection.name, key)),
    }
}
