//! A request on its way to another node, and the answer on its way back.

use super::Call;
use crate::app::App;
use crate::forward::{Unanswered, no_leader};
use crate::headers;
use crate::problem::{Elsewhere, Problem};
use anabranch_protocol::{Answer, Ask, Http, Reply, Request};
use axum::http::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::StatusCode;

impl Call {
    /// The request as it is passed on to another node. What it says of a write was checked before.
    pub(super) fn request(&self, app: &App, writes: bool) -> Request {
        let query = self.uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let mut headers = vec![pair(&headers::REQUEST_ID, self.id.as_bytes())];
        if !self.token.is_empty() {
            headers.push(pair(&headers::TOKEN, self.token.encode(&app.database.names().cluster).as_bytes()));
        }
        let of_write = headers::OF_WRITES.iter().filter(|_| writes);
        headers.extend(of_write.filter_map(|name| Some(pair(name, self.headers.get(name)?.as_bytes()))));
        let http = Http {
            method: self.method.to_string(),
            target: format!("{}{query}", self.uri.path()),
            headers,
            body: self.body.get().map(|body| body.to_vec()).unwrap_or_default(),
        };
        let (token, ask) = (self.token.clone(), Ask::Http(http));
        Request { id: 0, token, wait_ms: 0, forward: false, max_lag_ms: None, ask }
    }
}

fn pair(name: &HeaderName, value: &[u8]) -> (String, Vec<u8>) {
    (name.as_str().to_owned(), value.to_vec())
}

/// Another node's answer, which stands instead of one from here.
pub(super) fn passed_back(reply: Reply) -> Problem {
    let answered = match reply.answer {
        Answer::Http { status, headers, body } => elsewhere(status, headers, body),
        // It was too much for that node, say: it is not done.
        Answer::Problem(problem) => Problem::from_native(&problem),
        _ => None,
    };
    answered.unwrap_or_else(|| no_leader(&reply.by, Unanswered::Unknown))
}

fn elsewhere(status: u16, headers: Vec<(String, Vec<u8>)>, body: Vec<u8>) -> Option<Problem> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_bytes(&value).ok()?);
    }
    let status = StatusCode::from_u16(status).ok()?;
    Some(Problem::answered(Elsewhere { status, headers: map, body: body.into() }))
}
