//! Answers that never end: one JSON value a line.

use super::client::{ANSWER, CONNECT, Client, Request};
use super::problem;
use crate::failure::Failure;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::time::Duration;
use ureq::Agent;

/// A value of sixty-four versions is long, but nothing is endless.
const LONGEST_LINE: u64 = 256 << 20;
/// As much of a refusal is read.
const LONGEST_PROBLEM: u64 = 1 << 20;

/// Why there is no such answer.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    /// Whether it may be otherwise in a while.
    pub(crate) passes: bool,
}

/// The lines of an answer, as they come.
pub(crate) struct Lines(Box<dyn BufRead + Send>);

impl Client {
    /// Sends a request whose answer has no end.
    pub(crate) fn lines(&mut self, request: &Request) -> Result<Lines, Refused> {
        let response = self.call_with(&unending(self.limit()), request);
        let mut response =
            response.map_err(|error| Refused { failure: self.unanswered(request, &error), passes: true })?;
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(Lines(Box::new(BufReader::new(response.into_body().into_reader()))));
        }
        let text = response.body_mut().with_config().limit(LONGEST_PROBLEM).read_to_string().unwrap_or_default();
        let failure = match serde_json::from_str::<Value>(&text) {
            Ok(body) => problem::failure(status, &body),
            Err(_) => self.no_node(status),
        };
        Err(Refused { failure, passes: status == 429 || status >= 500 })
    }
}

/// As the usual one, but for the time that the answer's body takes.
fn unending(limit: Duration) -> Agent {
    let builder = Agent::config_builder().timeout_connect(Some(CONNECT)).timeout_recv_response(Some(limit + ANSWER));
    super::client::build(builder)
}

impl Iterator for Lines {
    type Item = Value;

    /// `None` when the connection is lost, or brings something else.
    fn next(&mut self) -> Option<Value> {
        let mut line = Vec::new();
        (&mut self.0).take(LONGEST_LINE).read_until(b'\n', &mut line).ok()?;
        line.ends_with(b"\n").then(|| serde_json::from_slice(&line).ok()).flatten()
    }
}
