//! One call against the replicas: makes the attempts that are decided on, until there is an answer or a verdict.

mod flights;
mod problem;

use crate::channel::CallError;
use crate::shared::{Shared, micros};
use anabranch_causality::Token;
use anabranch_protocol::{Answer, Ask, Problem, Reply, Request};
use anabranch_session::{AskOne, Attempts, Failure, Purpose, Step, Terms, Verdict};
use flights::{Flight, Flights, Landed};
use std::time::{Duration, Instant};

type Read<'a, T> = &'a (dyn Fn(Answer, &Ask) -> Option<T> + Sync);

/// What a call asks, and what it takes for an answer.
pub(crate) struct Call<'a, T> {
    pub(crate) terms: Terms,
    pub(crate) ask: Ask,
    /// What the answer says; `None` when it is no answer to what was asked, which breaks the protocol.
    pub(crate) read: Read<'a, T>,
}

/// An answer.
pub(crate) struct Answered<T> {
    pub(crate) value: T,
    /// Covers what was sent and what was shown.
    pub(crate) token: Token,
    /// The node that answered.
    pub(crate) by: String,
}

/// The end of a call without one.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) verdict: Verdict,
    /// What a replica said about it.
    pub(crate) problem: Option<Problem>,
    /// Of a refusal: what it showed.
    pub(crate) token: Option<Token>,
}

/// A call under way.
struct Running<'a, T> {
    shared: &'a Shared,
    /// What all its attempts ask, but for how long each may wait.
    request: Request,
    read: Read<'a, T>,
    attempts: Attempts,
    flights: Flights,
    hedge_at: Option<Instant>,
    /// The problem that tells the most of those that were heard.
    problem: Option<(Failure, Problem)>,
    token: Option<Token>,
}

impl<T> Call<'_, T> {
    /// Returns at the deadline at the latest. Dropped before it returns, a write may take effect all the same.
    pub(crate) async fn run(self, shared: &Shared) -> Result<Answered<T>, Unanswered> {
        let Self { terms, ask, read } = self;
        let request = Request {
            id: 0,
            token: terms.token.clone(),
            wait_ms: 0,
            // Who asks one replica only wants its own answer; but a follower never has one to a write.
            forward: terms.only.is_none() || terms.purpose == Purpose::Write,
            max_lag_ms: terms.max_lag_ms.map(|lag| u32::try_from(lag).unwrap_or(u32::MAX)),
            ask,
        };
        let (attempts, flights) = (Attempts::new(terms), Flights::default());
        let (hedge_at, problem, token) = (None, None, None);
        let mut running = Running { shared, request, read, attempts, flights, hedge_at, problem, token };
        loop {
            let step = running.attempts.next(&shared.fleet(), shared.now_ms());
            match step {
                Step::Ask(ask) => running.ask(ask),
                Step::Await => {
                    if let Some(answered) = running.wait().await {
                        return Ok(answered);
                    }
                }
                Step::Pause { until_ms } => tokio::time::sleep_until(shared.at(until_ms).into()).await,
                Step::Stop(verdict) => {
                    let problem = running.problem.map(|(_, problem)| problem);
                    return Err(Unanswered { verdict, problem, token: running.token });
                }
            }
        }
    }
}

impl<T> Running<'_, T> {
    fn ask(&mut self, ask: AskOne) {
        let now = Instant::now();
        self.hedge_at = ask.hedge_after_micros.map(|micros| now + Duration::from_micros(micros));
        self.request.wait_ms = u32::try_from(ask.wait_ms).unwrap_or(u32::MAX).min(Request::MAX_WAIT_MS);
        let give_up = self.shared.at(ask.give_up_ms);
        let channel = self.shared.link(&ask.replica).and_then(|link| link.channel());
        self.flights.push(Flight::start(ask.replica, channel, self.request.encode(), give_up));
    }

    /// Waits for what happens next: an answer, a failure, or that it is time to ask another as well.
    async fn wait(&mut self) -> Option<Answered<T>> {
        let late = self.hedge_at.unwrap_or_else(Instant::now);
        tokio::select! {
            landed = self.flights.next() => self.landed(landed),
            () = tokio::time::sleep_until(late.into()), if self.hedge_at.is_some() => {
                self.hedge_at = None;
                let hedge = self.attempts.hedge(&self.shared.fleet(), self.shared.now_ms());
                if let Some(ask) = hedge {
                    tracing::trace!(replica = ask.replica, "a read is late: asking another replica as well");
                    self.ask(ask);
                }
                None
            }
        }
    }

    fn landed(&mut self, landed: Landed) -> Option<Answered<T>> {
        let Landed { replica, channel, took, result } = landed;
        let failure = match result {
            Ok(reply) => match self.heard(&replica, took, reply) {
                Ok(answered) => return Some(answered),
                Err(Some(failure)) => failure,
                Err(None) => {
                    if let Some(channel) = channel {
                        channel.offend("it answered something else than was asked");
                    }
                    self.shared.note_failure(&replica);
                    Failure::Lost
                }
            },
            // Whoever keeps the connection has noted that there is none.
            Err(CallError::NotSent) => Failure::NotSent,
            Err(CallError::Lost | CallError::Late) => {
                self.shared.note_failure(&replica);
                Failure::Lost
            }
            // It may be about a write that took effect.
            Err(CallError::AnswerTooLarge) if self.attempts.terms().purpose == Purpose::Write => Failure::Lost,
            Err(error @ (CallError::TooLarge | CallError::AnswerTooLarge)) => {
                let (code, detail) = ("too-large".to_owned(), error.to_string());
                self.told(Failure::Refused, Problem { code, detail, more: String::new() });
                Failure::Refused
            }
        };
        self.attempts.failed(&replica, failure, self.shared.now_ms());
        None
    }

    /// What a reply says; `Err(None)` when it is none to what was asked.
    fn heard(&mut self, replica: &str, took: Duration, reply: Reply) -> Result<Answered<T>, Option<Failure>> {
        let Reply { token, by, answer, .. } = reply;
        let purpose = self.attempts.terms().purpose;
        let answer = match answer {
            Answer::Problem(problem) => match problem::failure(&problem, purpose) {
                Some(failure) => {
                    self.note_problem(replica, &problem);
                    if failure == Failure::Refused {
                        self.token = Some(token);
                    }
                    self.told(failure, problem);
                    return Err(Some(failure));
                }
                None => Answer::Problem(problem),
            },
            answer => answer,
        };
        let value = (self.read)(answer, &self.request.ask).ok_or(None)?;
        let mut fleet = self.shared.fleet();
        fleet.note_success(replica);
        if purpose == Purpose::Read {
            fleet.note_read_latency(replica, micros(took));
            // Whoever was asked as well would have taken longer than this.
            for (other, under_way) in self.flights.under_way() {
                fleet.note_read_latency(other, micros(under_way));
            }
        }
        drop(fleet);
        if let Some(link) = self.shared.link_of_node(&by) {
            self.shared.fleet().note_token(&link.name, &token);
        }
        Ok(Answered { value, token, by })
    }

    fn told(&mut self, failure: Failure, problem: Problem) {
        if self.problem.as_ref().is_none_or(|(told, _)| failure.tells() >= told.tells()) {
            self.problem = Some((failure, problem));
        }
    }

    /// What a problem says of the replica, beside what it says of the call.
    fn note_problem(&self, replica: &str, problem: &Problem) {
        let (mut fleet, now_ms) = (self.shared.fleet(), self.shared.now_ms());
        match problem.code.as_str() {
            "not-ready" | "internal" => fleet.note_failure(replica, now_ms),
            "not-writable" => fleet.note_unwritable(replica, now_ms),
            // Whatever it is, the replica answered.
            _ => fleet.note_success(replica),
        }
    }
}
