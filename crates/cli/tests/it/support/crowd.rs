//! Thousands who wait at the same time for what a token names and what does not come.

use anabranch_client::{Client, ClientError, Session};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// How many come at once.
const AT_ONCE: usize = 100;
const PAUSE: Duration = Duration::from_millis(5);
/// How much longer than one wait a native call may take: it asks again when it is refused.
const MORE: Duration = Duration::from_secs(3);
/// What has no answer by then hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What they ask.
pub(crate) struct Crowd {
    pub(crate) port: u16,
    pub(crate) path: &'static str,
    pub(crate) token: String,
    pub(crate) wait: Duration,
}

/// What they were answered.
#[derive(Default)]
pub(crate) struct Answers {
    /// How many were told what.
    told: BTreeMap<String, usize>,
    longest: Duration,
    /// The most that one took longer than it may.
    late: Duration,
}

/// What one was told, how long that took, and how long it may.
type Told = (String, Duration, Duration);

const WAITED: &str = "504 token-not-reached";
const REFUSED: &str = "429 too-many-requests";

/// As many sockets as the system allows, in this process and those that it starts.
pub(crate) fn raise_file_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("more open files");
}

impl Crowd {
    /// How many requests a client makes: the most on one stream, but for what it asks for itself.
    pub(crate) const PER_CLIENT: usize = 990;

    /// Asks on that many connections, and natively with these clients; returns when all are answered.
    pub(crate) async fn ask(&self, connections: usize, clients: &[Client]) -> Answers {
        let mut asked = JoinSet::new();
        let request = format!(
            "GET {} HTTP/1.1\r\nhost: localhost\r\nanabranch-token: {}\r\nanabranch-wait: {}ms\r\nconnection: close\r\n\r\n",
            self.path,
            self.token,
            self.wait.as_millis()
        );
        let request: Arc<str> = request.into();
        for number in 0..connections {
            asked.spawn(over_http(self.port, request.clone(), self.wait));
            in_turn(number).await;
        }
        for client in clients {
            client.connected(1, PATIENCE).await.expect("the node is there");
            for number in 0..Self::PER_CLIENT {
                asked.spawn(natively(self.session(client), self.wait + MORE));
                in_turn(number).await;
            }
        }
        let mut answers = Answers::default();
        while let Some(answer) = asked.join_next().await {
            answers.add(answer.expect("an answer"));
        }
        answers
    }

    fn session(&self, client: &Client) -> Session {
        let session = client.session().wait(self.wait).deadline(self.wait + MORE);
        session.join(&self.token).expect("a token of this cluster");
        session
    }
}

async fn in_turn(number: usize) {
    if number % AT_ONCE == AT_ONCE - 1 {
        tokio::time::sleep(PAUSE).await;
    }
}

async fn over_http(port: u16, request: Arc<str>, allowed: Duration) -> Told {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a connection");
    let began = Instant::now();
    let mut answer = Vec::new();
    let exchange = async {
        // Whoever is not let in may hear of it before all is sent.
        let _ = stream.write_all(request.as_bytes()).await;
        stream.read_to_end(&mut answer).await
    };
    let read = tokio::time::timeout(PATIENCE, exchange).await;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let code = answer.split_once("\"code\":\"").and_then(|(_, rest)| rest.split('"').next());
    let told = match (status, code) {
        (Some(status), Some(code)) => format!("{status} {code}"),
        _ => format!("{read:?} {answer}"),
    };
    (told, began.elapsed(), allowed)
}

async fn natively(session: Session, allowed: Duration) -> Told {
    let began = Instant::now();
    let told = match session.get("likes", "post").await {
        Err(ClientError::TokenNotReached(_)) => WAITED.to_owned(),
        Err(ClientError::Busy(_)) => REFUSED.to_owned(),
        other => format!("{other:?}"),
    };
    (told, began.elapsed(), allowed)
}

impl Answers {
    fn add(&mut self, (told, took, allowed): Told) {
        *self.told.entry(told).or_default() += 1;
        self.longest = self.longest.max(took);
        self.late = self.late.max(took.saturating_sub(allowed));
    }

    /// How many waited as long as they were to.
    pub(crate) fn waited(&self) -> usize {
        self.told.get(WAITED).copied().unwrap_or(0)
    }

    /// How many were too much.
    pub(crate) fn refused(&self) -> usize {
        self.told.get(REFUSED).copied().unwrap_or(0)
    }

    #[track_caller]
    pub(crate) fn must_be_definite(&self, count: usize, grace: Duration) {
        assert_eq!(self.waited() + self.refused(), count, "{self}");
        assert!(self.late <= grace, "{:?} too late, and not {grace:?}: {self}", self.late);
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (told, count) in &self.told {
            write!(f, "{count} x {told}, ")?;
        }
        write!(f, "the longest after {:.2?}, at most {:.2?} longer than it may", self.longest, self.late)
    }
}
