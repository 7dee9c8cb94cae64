//! Problem documents (RFC 9457), for people.

use super::advice;
use crate::failure::{Exit, Failure};
use serde_json::Value;

/// What a node's refusal means.
pub(crate) fn failure(status: u16, body: &Value) -> Failure {
    let text = |field: &str| body.get(field).and_then(Value::as_str);
    let Some(code) = text("code") else {
        return Failure::failed(format!("the node answered {status}: {body}"));
    };
    let exit = if matches!(status, 503 | 504) { Exit::NotReady } else { Exit::Failed };
    let mut failure = Failure::new(exit, text("title").unwrap_or(code));
    if let Some(detail) = text("detail") {
        failure = failure.line("detail", detail);
    }
    let request = text("instance").map(|id| format!(", request {id}")).unwrap_or_default();
    failure = failure.line("code", format!("{code} ({status}{request})"));
    for extra in ["reason", "dot", "acked", "have", "need", "bookings", "conflict", "outcome"] {
        if let Some(value) = body.get(extra) {
            failure = failure.line(extra, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
    }
    let (state, next) = advice::of(code);
    failure.state(state).next(next)
}

#[cfg(test)]
mod tests {
    use super::failure;
    use serde_json::json;

    #[test]
    fn a_problem_shows_title_detail_code_and_what_to_do() {
        let body = json!({"title": "Not supported", "detail": "a cart has no put", "code": "not-supported"});
        let shown = failure(422, &body).to_string();
        for part in ["Not supported", "a cart has no put", "not-supported (422)", "state:", "next:"] {
            assert!(shown.contains(part), "{part} is missing in {shown}");
        }
    }
}
