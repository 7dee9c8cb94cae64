//! A client that writes without end, at any leader, and records what was acknowledged.

use super::api::{Api, Reply};
use super::ledger::{Ask, Ledger};
use super::random::Random;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A client's session: numbered requests, and the token of what it has seen.
pub(crate) struct Writer {
    api: Api,
    ports: Vec<u16>,
    random: Random,
    id: String,
    counter: u64,
    token: Option<String>,
    /// Members that it put into sets and has not taken out.
    joined: Vec<(String, String)>,
    takes_away: bool,
    /// What was acknowledged.
    pub(crate) acknowledged: Ledger,
    /// The request that was under way when it stopped, if its fate is unknown.
    pub(crate) unknown: Option<Ask>,
    /// How many attempts failed.
    pub(crate) retries: usize,
}

impl Writer {
    /// A writer that asks any of these nodes. `takes_away` also lets it remove what it put into sets.
    pub(crate) fn new(ports: Vec<u16>, seed: u64, takes_away: bool) -> Self {
        Self {
            api: Api::new(),
            ports,
            random: Random::new(seed),
            id: uuid::Uuid::now_v7().to_string(),
            counter: 0,
            token: None,
            joined: Vec::new(),
            takes_away,
            acknowledged: Ledger::default(),
            unknown: None,
            retries: 0,
        }
    }

    /// Writes in a thread of its own until told to stop; each request is retried until it is acknowledged.
    pub(crate) fn run(mut self, stop: &Arc<AtomicBool>) -> JoinHandle<Self> {
        let stop = stop.clone();
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                self.next();
                self.insist();
            }
            self
        })
    }

    /// Writes in a thread of its own until an attempt fails, which is then not repeated.
    pub(crate) fn run_until_failure(mut self) -> JoinHandle<Self> {
        std::thread::spawn(move || {
            loop {
                self.next();
                if !self.attempt() {
                    return self;
                }
            }
        })
    }

    /// Makes up the next request.
    fn next(&mut self) {
        self.counter += 1;
        let key = format!("k{}", self.random.below(4));
        let ask = match self.random.below(if self.takes_away { 8 } else { 6 }) {
            0 | 1 => Ask::Count { key, by: 1 + self.random.below(9).cast_signed() },
            2 | 3 => {
                let item = format!("i{}", self.random.below(3));
                Ask::Buy { key, item, quantity: 1 + self.random.below(4).cast_signed() }
            }
            6.. if !self.joined.is_empty() => {
                let at = self.random.below(self.joined.len() as u64) as usize;
                let (key, member) = self.joined.swap_remove(at);
                Ask::Leave { key, member }
            }
            _ => {
                let member = format!("{}-{}", &self.id[24..], self.counter);
                self.joined.push((key.clone(), member.clone()));
                Ask::Join { key, member }
            }
        };
        self.unknown = Some(ask);
    }

    /// Sends the request again and again, at any leader, until it is acknowledged.
    pub(crate) fn insist(&mut self) {
        let began = Instant::now();
        while !self.attempt() {
            assert!(began.elapsed() < Duration::from_secs(20), "nobody takes {:?}", self.unknown);
            self.retries += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends the request to some leader; says whether it was acknowledged.
    fn attempt(&mut self) -> bool {
        let Some(ask) = self.unknown.take() else { return true };
        let port = self.ports[self.random.below(self.ports.len() as u64) as usize];
        let key = format!("{}/{}", self.id, self.counter);
        let mut headers = vec![("idempotency-key", key.as_str()), ("anabranch-wait", "500ms")];
        if let Some(token) = &self.token {
            headers.push(("anabranch-token", token));
        }
        match self.api.send(port, "POST", &ask.path(), &headers, Some(&ask.body())) {
            Reply::Done(_, token) => {
                self.token = token.or(self.token.take());
                self.acknowledged.add(&ask);
                return true;
            }
            Reply::Refused(503 | 504 | 429, _) | Reply::Unknown(_) => {}
            refused @ Reply::Refused(..) => panic!("{ask:?} as {key}: {refused}"),
        }
        self.unknown = Some(ask);
        false
    }

    /// What must be there in the end: all that was acknowledged.
    pub(crate) fn all(writers: &[Self]) -> Ledger {
        let mut all = Ledger::default();
        writers.iter().for_each(|writer| all.merge(&writer.acknowledged));
        all
    }
}
