//! Travellers over HTTP: a token and a key in each request are all it takes.

use super::ask::{Ask, COUNTERS, Era, Heard, SETS, Said, Way};
use super::world::World;
use crate::support::api::{Answer, Api, NoAnswer};
use crate::support::random::Random;
use anabranch_sim::histories::{Guarantees, parse_dot};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Longer than any answer may take: what has none by then hangs.
const PATIENCE: Duration = Duration::from_secs(15);
/// So short that many a write takes effect which its client gives up.
const HASTE: Duration = Duration::from_millis(8);

pub(super) struct OverHttp {
    world: Arc<World>,
    patient: Api,
    hasty: Api,
    random: Random,
    id: String,
    counter: u64,
    /// Whether it sends along what it carries.
    carries: bool,
    token: Option<String>,
}

impl OverHttp {
    pub(super) fn new(world: &Arc<World>, random: Random, carries: bool) -> Self {
        let (patient, hasty) = (Api::with_patience(PATIENCE), Api::with_patience(HASTE));
        let id = uuid::Uuid::now_v7().to_string();
        Self { world: world.clone(), patient, hasty, random, id, counter: 0, carries, token: None }
    }
}

impl Way for OverHttp {
    fn guarantees(&self) -> Guarantees {
        if self.carries { Guarantees::ALL } else { Guarantees::NONE }
    }

    fn token(&self) -> Option<String> {
        self.token.clone()
    }

    fn join(&mut self, token: &str) {
        self.token = Some(self.token.take().map_or_else(|| token.to_owned(), |own| format!("{own}, {token}")));
    }

    fn attempt(&mut self, at: usize, ask: &Ask, again: bool) -> Heard {
        let (allowed, wait) = [(300, "300ms"), (1_000, "1s")][self.random.below(2) as usize];
        self.counter += u64::from(ask.writes() && !again);
        let key = format!("{}/{}", self.id, self.counter);
        let mut headers = vec![("anabranch-wait", wait)];
        headers.extend(self.token.as_deref().filter(|_| self.carries).map(|token| ("anabranch-token", token)));
        if ask.writes() {
            headers.push(("idempotency-key", &key));
            headers.extend((self.random.below(16) == 0).then_some(("anabranch-ack", "regions:2")));
        }
        headers.extend((self.random.below(4) == 0).then_some(("anabranch-fallback", "fail")));
        let (method, path, body) = request(ask);
        let api = if ask.writes() && self.random.below(8) == 0 { &self.hasty } else { &self.patient };
        let began = Instant::now();
        let answer = api.ask(self.world.nodes[at].http, method, &path, &headers, body.as_deref());
        let took = began.elapsed();
        let heard = Heard { took, allowed: Duration::from_millis(allowed), ..told(answer, ask) };
        if self.carries && !matches!(heard.said, Said::Not | Said::Unknown) {
            // It covers what was sent, too.
            self.token.clone_from(&heard.token);
        }
        heard
    }
}

fn request(ask: &Ask) -> (&'static str, String, Option<String>) {
    match ask {
        Ask::Get(key) => ("GET", format!("/v1/data/{SETS}/{key}"), None),
        Ask::Page(era) => ("GET", format!("/v1/data/{SETS}?prefix={}", era.prefix()), None),
        Ask::Count { counter, .. } => ("GET", format!("/v1/data/{COUNTERS}/{counter}"), None),
        Ask::Add { counter, .. } => {
            ("POST", format!("/v1/data/{COUNTERS}/{counter}?return=none"), Some(json!({ "add": 1 }).to_string()))
        }
        Ask::Write { number, keys } => match keys.as_slice() {
            [key] => {
                let body = json!({ "add": [number] }).to_string();
                ("POST", format!("/v1/data/{SETS}/{key}?return=none"), Some(body))
            }
            keys => {
                let one = |key| json!({ "collection": SETS, "key": key, "op": { "add": [number] } });
                let operations: Vec<_> = keys.iter().map(one).collect();
                ("POST", "/v1/transactions".to_owned(), Some(json!({ "operations": operations }).to_string()))
            }
        },
    }
}

fn told(answer: Result<Answer, NoAnswer>, ask: &Ask) -> Heard {
    let (said, why, by, token) = match answer {
        Ok(answer) => {
            assert!(answer.token.is_some() && answer.by.is_some(), "every answer has a token and a name: {answer:?}");
            (said(&answer, ask), format!("{} {}", answer.status, answer.value), answer.by, answer.token)
        }
        Err(NoAnswer::Lost(why)) if ask.writes() => (Said::Unknown, why, None, None),
        Err(NoAnswer::NotSent(why) | NoAnswer::Lost(why)) => (Said::Not, why, None, None),
    };
    Heard { said, why, by, token, took: Duration::ZERO, allowed: Duration::ZERO }
}

fn said(answer: &Answer, ask: &Ask) -> Said {
    match answer.status {
        200 => shown(&answer.value, ask),
        404 if answer.value["code"] == "no-such-key" => shown(&Value::Null, ask),
        _ => refused(answer, ask),
    }
}

fn shown(answer: &Value, ask: &Ask) -> Said {
    match ask {
        Ask::Get(key) => Said::Seen([(key.clone(), members(&answer["value"]))].into()),
        Ask::Page(era) => page(answer, *era),
        Ask::Count { .. } => Said::Counted(answer["value"].as_i64().unwrap_or(0)),
        Ask::Write { .. } | Ask::Add { .. } => written(answer),
    }
}

fn page(answer: &Value, era: Era) -> Said {
    assert_eq!(answer["next"], Value::Null, "a page that holds all");
    let mut seen: BTreeMap<_, _> = era.keys().map(|key| (key, Vec::new())).collect();
    for item in answer["items"].as_array().expect("items") {
        seen.insert(item["key"].as_str().expect("a key").to_owned(), members(&item["value"]));
    }
    Said::Seen(seen)
}

fn members(value: &Value) -> Vec<u64> {
    value.as_array().into_iter().flatten().map(|member| member.as_u64().expect("a number")).collect()
}

fn written(answer: &Value) -> Said {
    let dot = answer["dot"].as_str().and_then(parse_dot).unwrap_or_else(|| panic!("a dot in {answer}"));
    Said::Written { dot, repeated: answer["repeated"] == true }
}

/// Anything else is not for a traveller to hear.
fn refused(answer: &Answer, ask: &Ask) -> Said {
    match (answer.status, answer.value["code"].as_str().unwrap_or_default()) {
        (504, "ack-not-reached") => written(&answer.value),
        (503, "not-writable") if answer.value["outcome"] == "unknown" => Said::Unknown,
        (503, "not-ready") if ask.writes() => Said::Unknown,
        (504, "token-not-reached") | (429, "too-many-requests") | (503, "not-writable" | "not-ready") => Said::Not,
        _ => panic!("{ask:?}: {answer:?}"),
    }
}
