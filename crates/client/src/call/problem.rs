//! What a problem means for the call.

use anabranch_protocol::Problem;
use anabranch_session::{Failure, Purpose};

/// How long a replica that has too much to do is left alone.
const BUSY_MS: u64 = 100;

/// What came of the attempt; `None` when the problem is an answer: the write is done, but not acknowledged as widely as was
/// asked.
pub(super) fn failure(problem: &Problem, purpose: Purpose) -> Option<Failure> {
    let writes = purpose == Purpose::Write;
    Some(match problem.code.as_str() {
        "ack-not-reached" if writes => return None,
        "token-not-reached" => Failure::TokenNotReached,
        "stale" => Failure::Stale,
        "too-many-requests" => Failure::Busy { retry_after_ms: BUSY_MS },
        // A follower passed it on, and does not know what became of it.
        "not-writable" if field(problem, "outcome").as_deref() == Some("unknown") => Failure::Lost,
        "not-writable" => Failure::NotWritable,
        // A store that fails, or a fault, may come after the write took effect.
        "not-ready" | "internal" if writes => Failure::Lost,
        "not-ready" | "internal" | "parked" => Failure::NotReady,
        _ => Failure::Refused,
    })
}

fn field(problem: &Problem, name: &str) -> Option<String> {
    let more: serde_json::Value = serde_json::from_str(&problem.more).ok()?;
    more.get(name)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: &str, more: &str, purpose: Purpose) -> Option<Failure> {
        failure(&Problem { code: code.into(), detail: String::new(), more: more.into() }, purpose)
    }

    #[test]
    fn whatever_may_have_taken_effect_counts_as_lost() {
        for code in ["not-ready", "internal"] {
            assert_eq!(of(code, "", Purpose::Write), Some(Failure::Lost));
            assert_eq!(of(code, "", Purpose::Read), Some(Failure::NotReady));
        }
        assert_eq!(
            of("not-writable", r#"{"reason":"leader","outcome":"unknown"}"#, Purpose::Write),
            Some(Failure::Lost)
        );
        for more in ["", "{", r#"{"outcome":"none"}"#, r#"{"outcome":1}"#] {
            assert_eq!(of("not-writable", more, Purpose::Write), Some(Failure::NotWritable));
        }
    }

    #[test]
    fn a_code_that_is_not_known_is_a_refusal() {
        assert_eq!(of("slot-taken", "", Purpose::Write), Some(Failure::Refused));
        assert_eq!(of("", "", Purpose::Read), Some(Failure::Refused));
        assert_eq!(of("ack-not-reached", "", Purpose::Write), None);
    }
}
