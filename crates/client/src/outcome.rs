//! What came of a call, in terms of whoever made it.

use crate::call::Unanswered;
use crate::error::ClientError;
use crate::shared::Shared;
use crate::value::{Found, Written};
use anabranch_causality::{Dot, Origin, ShardId};
use anabranch_protocol::{Answer, Ask, Problem};
use anabranch_resolvers::Change;
use anabranch_session::{Failure, Verdict};

/// A write that took effect.
pub(crate) enum WriteOutcome {
    /// As widely acknowledged as was asked.
    Written(anabranch_protocol::Written, Option<Found>),
    /// Durable, but not acknowledged so.
    NotAcknowledged { dot: Dot, acked: Vec<String> },
}

impl WriteOutcome {
    /// `None` when it is no answer to what was asked.
    pub(crate) fn read(answer: Answer, ask: &Ask) -> Option<Self> {
        let Ask::Write { write, .. } = ask else { return None };
        match answer {
            Answer::Written(mut written) => {
                let value = match (written.shown.take(), write.changes.first()) {
                    (None, _) => None,
                    (Some(shown), Some(Change::Operate { collection, key, .. })) => {
                        Some(Found::from_shown(shown, collection, key)?)
                    }
                    (Some(_), _) => return None,
                };
                Some(Self::Written(written, value))
            }
            Answer::Problem(problem) => not_acknowledged(&problem),
            _ => None,
        }
    }

    pub(crate) fn dot(&self) -> Dot {
        match self {
            Self::Written(written, _) => written.dot,
            Self::NotAcknowledged { dot, .. } => *dot,
        }
    }

    pub(crate) fn finish(self, replica: String) -> Result<Written, ClientError> {
        match self {
            Self::Written(anabranch_protocol::Written { dot, repeated, incomplete, .. }, value) => {
                Ok(Written { dot, repeated, incomplete, replica, value })
            }
            Self::NotAcknowledged { dot, acked } => Err(ClientError::AckNotReached { dot, acked }),
        }
    }
}

fn not_acknowledged(problem: &Problem) -> Option<WriteOutcome> {
    let more: serde_json::Value = serde_json::from_str(&problem.more).ok()?;
    let dot = dot(more.get("dot")?.as_str()?)?;
    let acked = more.get("acked").and_then(|acked| acked.as_array()).into_iter().flatten();
    let acked = acked.filter_map(|region| region.as_str().map(str::to_owned)).collect();
    Some(WriteOutcome::NotAcknowledged { dot, acked })
}

/// A dot as it is shown: `shard:origin:sequence`.
fn dot(text: &str) -> Option<Dot> {
    let mut fields = text.split(':');
    let shard = ShardId(fields.next()?.parse().ok()?);
    let origin: Origin = fields.next()?.parse().ok()?;
    let seq = fields.next()?.parse().ok()?;
    fields.next().is_none().then_some(Dot { shard, origin, seq })
}

/// Why a call has no answer; `counter` is the write's.
pub(crate) fn error(unanswered: &Unanswered, counter: u64, shared: &Shared) -> ClientError {
    let told = unanswered.problem.as_ref().map(|problem| problem.detail.clone());
    let detail = told.unwrap_or_else(|| shared.problems());
    match unanswered.verdict {
        Verdict::Refused { earlier_unknown } => {
            let code = unanswered.problem.as_ref().map_or_else(String::new, |problem| problem.code.clone());
            ClientError::Refused { code, detail, earlier_unknown }
        }
        Verdict::Unknown => ClientError::Unknown { counter, detail },
        Verdict::NoEffect(failure) => match failure {
            Failure::TokenNotReached => ClientError::TokenNotReached(detail),
            Failure::Stale => ClientError::Stale(detail),
            Failure::Busy { .. } => ClientError::Busy(detail),
            Failure::NotWritable => ClientError::NotWritable(detail),
            Failure::NotReady | Failure::Refused => ClientError::NotReady(detail),
            Failure::NotSent | Failure::Lost => ClientError::Unreachable(shared.problems()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_protocol::AckLevel;
    use anabranch_resolvers::Write;

    #[test]
    fn dots_are_read_as_they_are_shown() {
        let shown = Dot { shard: ShardId(0), origin: Origin(0xab), seq: 7 };
        assert_eq!(dot(&shown.to_string()), Some(shown));
        for bad in ["", "0:ab:7", "0:00000000000000ab", "0:00000000000000ab:7:1", "x:00000000000000ab:7"] {
            assert_eq!(dot(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_write_that_was_not_acknowledged_says_where_it_is() {
        let more = r#"{"written":true,"dot":"0:00000000000000ab:7","acked":["eu","us"]}"#;
        let problem = |more: &str| Problem { code: "ack-not-reached".into(), detail: String::new(), more: more.into() };
        let write = Write { changes: Vec::new(), key: None };
        let ask = Ask::Write { write, ack: AckLevel::All, show: false };
        let outcome = WriteOutcome::read(Answer::Problem(problem(more)), &ask).expect("an outcome");
        let dot = outcome.dot();
        let error = outcome.finish("n".into()).expect_err("not as it was asked");
        assert_eq!(error, ClientError::AckNotReached { dot, acked: vec!["eu".into(), "us".into()] });
        assert!(WriteOutcome::read(Answer::Problem(problem("")), &ask).is_none(), "it must say where");
    }
}
