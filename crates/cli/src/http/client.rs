//! Requests and answers.

use super::problem;
use super::session::Session;
use crate::args::Connection;
use crate::failure::{Exit, Failure};
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http;
use ureq::typestate::AgentScope;

/// How long connecting may take.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// How long an answer may take beyond what the node was allowed to wait.
pub(super) const ANSWER: Duration = Duration::from_secs(10);
/// The longest wait that a node accepts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A page of a thousand large values is long, but nothing is endless.
const LONGEST_ANSWER: u64 = 1 << 30;

/// A node's API, within one session.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    base: String,
    session: Session,
    wait: Option<Duration>,
}

/// One request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    /// Such as `GET`.
    pub(crate) method: &'static str,
    /// Path and query, encoded.
    pub(crate) path: String,
    /// Besides those that every request has.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// JSON.
    pub(crate) body: Option<String>,
}

/// A node's answer that is no problem.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The versions of the key that it shows.
    pub(crate) context: Option<String>,
    /// Its JSON.
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn get(path: String) -> Self {
        Self { method: "GET", path, ..Self::default() }
    }

    fn writes(&self) -> bool {
        self.method != "GET"
    }

    fn repeatable(&self) -> bool {
        self.headers.iter().any(|(name, _)| *name == "idempotency-key")
    }
}

impl Client {
    /// A client of the node at the given address. Nothing is sent yet.
    pub(crate) fn new(args: &Connection) -> Result<Self, Failure> {
        let wait = args.wait.map(|span| span.0);
        if wait.is_some_and(|wait| wait > LONGEST_WAIT) {
            return Err(Failure::usage("--wait is at most 30s").state("nothing was sent"));
        }
        let limit = ANSWER + wait.unwrap_or(Duration::from_secs(1));
        Ok(Self { agent: agent(limit), base: base(&args.url)?, session: Session::of(args)?, wait })
    }

    /// A client without a session that gives up soon, for asking many nodes again and again.
    pub(crate) fn impatient(url: &str, limit: Duration) -> Result<Self, Failure> {
        Ok(Self { agent: agent(limit), base: base(url)?, session: Session::default(), wait: None })
    }

    /// Sends a request and waits for its answer; a problem document becomes a [`Failure`].
    pub(crate) fn send(&mut self, request: Request) -> Result<Answer, Failure> {
        let mut response = self.call(&request).map_err(|error| self.unanswered(&request, &error))?;
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, token, context) =
            (response.status().as_u16(), header("anabranch-token"), header("anabranch-context"));
        // Every node says so with every answer: other JSON is somebody else's.
        let is_node = header("anabranch-served-by").is_some();
        let text = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
        let text = text.map_err(|error| self.unanswered(&request, &error))?;
        let body = serde_json::from_str::<Value>(&text).ok();
        if let Some(token) = token
            && !body.as_ref().is_some_and(refuses_token)
        {
            self.session.learn(token)?;
        }
        match body {
            Some(body) if status >= 400 => Err(problem::failure(status, &body)),
            Some(body) if is_node => Ok(Answer { status, context, body }),
            _ => Err(self.no_node(status)),
        }
    }

    fn call(&self, request: &Request) -> Result<http::Response<ureq::Body>, ureq::Error> {
        self.call_with(&self.agent, request)
    }

    /// How long the node may wait.
    pub(super) fn limit(&self) -> Duration {
        self.wait.unwrap_or(Duration::from_secs(1))
    }

    pub(super) fn call_with(
        &self,
        agent: &Agent,
        request: &Request,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let mut builder = http::Request::builder().method(request.method).uri(format!("{}{}", self.base, request.path));
        builder = builder.header("accept", "application/json");
        if let Some(tokens) = self.session.header() {
            builder = builder.header("anabranch-token", tokens);
        }
        if let Some(wait) = self.wait {
            builder = builder.header("anabranch-wait", format!("{}ms", wait.as_millis()));
        }
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        match &request.body {
            Some(body) => agent.run(builder.header("content-type", "application/json").body(body.clone())?),
            None => agent.run(builder.body(())?),
        }
    }

    /// There is no whole answer: was the request carried out?
    pub(super) fn unanswered(&self, request: &Request, error: &ureq::Error) -> Failure {
        let not_sent = match error {
            ureq::Error::ConnectionFailed | ureq::Error::HostNotFound | ureq::Error::Http(_) => true,
            ureq::Error::Timeout(which) => matches!(which, ureq::Timeout::Connect | ureq::Timeout::Resolve),
            ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
            _ => false,
        };
        let failure = Failure::failed(format!("no answer from {}: {error}", self.base));
        if not_sent {
            let next = "is the node running there? Start it with `anabranch serve`, or name another with --url";
            return failure.state("nothing was sent").next(next);
        }
        match (request.writes(), request.repeatable()) {
            (false, _) => failure.state("nothing was changed").next("try again, or ask another node with --url"),
            (true, true) => failure
                .state("the write may or may not have taken effect")
                .next("send it again with the same --idempotency-key, here or at another leader: it takes effect once"),
            (true, false) => failure
                .state("the write may or may not have taken effect")
                .next("read the key to see; with an --idempotency-key it could simply be sent again"),
        }
    }

    pub(super) fn no_node(&self, status: u16) -> Failure {
        Failure::new(Exit::Failed, format!("{} answered {status}, and not as a node does", self.base))
            .state("unknown: this does not look like a node of Anabranch")
            .next("check --url: it is the address under `http` in the node's configuration")
    }
}

/// An answer that could not read the session's token does not cover it: what the session has must not be replaced by that.
fn refuses_token(body: &Value) -> bool {
    matches!(body["code"].as_str(), Some("bad-token" | "wrong-cluster-token"))
}

fn agent(limit: Duration) -> Agent {
    build(Agent::config_builder().timeout_connect(Some(CONNECT.min(limit))).timeout_global(Some(limit)))
}

pub(super) fn build(builder: ConfigBuilder<AgentScope>) -> Agent {
    builder
        // Problem documents come with error statuses: they are answers.
        .http_status_as_error(false)
        .max_redirects(0)
        // A cluster's API is not behind whatever proxy the environment names for the web.
        .proxy(None)
        .user_agent(concat!("anabranch/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// The address without the slash at its end.
fn base(url: &str) -> Result<String, Failure> {
    let bad = |why: &str| {
        Err(Failure::usage(format!("{url:?} is not a node's address: {why}"))
            .state("nothing was sent")
            .next("write it as http://HOST:PORT"))
    };
    let trimmed = url.trim_end_matches('/');
    if trimmed.starts_with("https://") {
        return bad("nodes speak plain HTTP");
    }
    match trimmed.strip_prefix("http://") {
        None => bad("it does not begin with http://"),
        Some("") => bad("it names no host"),
        Some(rest) if rest.contains(['/', '?', '#', '@']) => bad("it has more than a host and a port"),
        Some(rest) if !has_sound_port(rest) => bad("its port is not one of 1 to 65535"),
        Some(_) if trimmed.parse::<http::Uri>().is_err() => bad("it is no URL"),
        Some(_) => Ok(trimmed.to_owned()),
    }
}

/// Whether what follows the host, if anything does, is a port: another port would be asked otherwise.
fn has_sound_port(host: &str) -> bool {
    // The colons in brackets are those of an IPv6 address.
    let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn an_address_is_scheme_host_and_port() {
        assert_eq!(base("http://127.0.0.1:7501/").ok().as_deref(), Some("http://127.0.0.1:7501"));
        for good in ["http://x", "http://[::1]", "http://[::1]:7501"] {
            assert_eq!(base(good).ok().as_deref(), Some(good));
        }
        for bad in ["", "127.0.0.1:7501", "https://x", "http://", "http://x/v1", "http://a b", "http://u:p@x"] {
            assert!(base(bad).is_err(), "{bad:?}");
        }
        for bad in ["http://x:", "http://x:0", "http://x:70000", "http://x:y", "http://[::1]:z"] {
            assert!(base(bad).is_err(), "{bad:?}");
        }
    }
}
