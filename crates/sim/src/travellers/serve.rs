//! What a node makes of what clients with sessions ask: it waits for the token, then shows or writes.

use super::calls::{COUNTER, COUNTERS, SETS};
use super::{Body, Travel};
use crate::checkers::freshness;
use crate::clients::Ticket;
use crate::lapse::Bug;
use crate::node::{Input, Post};
use crate::queue::Event;
use crate::world::{Checked, World};
use anabranch_causality::{Dot, Kind, Token};
use anabranch_engine::{Refusal, Written, query};
use anabranch_session::Failure;
use serde_json::Value;
use std::collections::BTreeMap;

const MOST_BYTES: usize = 1 << 20;

/// What waits at a node until that has applied its token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    ask: u64,
}

/// What a client is told.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(super) node: usize,
    /// The node's name in histories.
    pub(super) label: String,
    pub(super) token: Token,
    pub(super) answer: Answer,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Shown(Shown),
    Written(Written),
    Failed(Failure),
}

/// What a read shows: members by key, or a counter.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    Members(BTreeMap<String, Vec<u64>>),
    Count(i64),
}

impl Told {
    pub(super) fn written(&self) -> Option<&Written> {
        if let Answer::Written(written) = &self.answer { Some(written) } else { None }
    }

    pub(super) fn seen(&self) -> BTreeMap<String, Vec<u64>> {
        if let Answer::Shown(Shown::Members(seen)) = &self.answer { seen.clone() } else { BTreeMap::new() }
    }

    pub(super) fn count(&self) -> i64 {
        if let Answer::Shown(Shown::Count(count)) = &self.answer { *count } else { 0 }
    }
}

impl World {
    /// An attempt comes to a node. One that is down does not answer; a follower passes writes on.
    pub(super) fn ask_arrives(&mut self, node: usize, ask: u64) -> Checked {
        if !self.nodes[node].is_up() {
            return Ok(());
        }
        let asked = &self.travellers.asks[ask as usize];
        let writes = matches!(asked.body, Body::Write(..) | Body::Add(..));
        if let (true, Post::Follower(leader)) = (writes, self.nodes[node].post) {
            if let Some(arrives) = self.pass_on(node, leader) {
                self.queue.at(arrives, Event::Travel(Travel::Arrive { node: leader, ask }));
            }
            return Ok(());
        }
        if self.reached(node, &asked.token) {
            self.coverage.note(if asked.token.is_empty() { "asked without a token" } else { "tokens had already" });
            return self.serve(node, ask);
        }
        let skips = self.options.lapse.is(if writes { Bug::WritesDoNotWait } else { Bug::ReadsDoNotWait });
        if skips {
            return self.serve(node, ask);
        }
        self.coverage.note(if writes { "writes wait for a token" } else { "reads wait for a token" });
        let named = asked.token.iter().flat_map(|(shard, vector)| vector.iter().map(move |(o, seq)| (shard, o, seq)));
        let mut named = named.map(|(shard, origin, seq)| Dot { shard, origin, seq });
        if named.any(|dot| self.history.is_excused(dot)) {
            self.coverage.note("tokens that name what is lost");
        }
        let until = self.now + asked.wait_ms;
        self.nodes[node].waiting.push(Waiting { ask });
        let life = self.nodes[node].life;
        self.queue.at(until, Event::Travel(Travel::WaitOver { node, life, ask }));
        Ok(())
    }

    /// Whether what a node has published covers a token.
    fn reached(&self, node: usize, token: &Token) -> bool {
        let found = &self.nodes[node];
        token.iter().all(|(shard, need)| shard == found.config.shard && found.durable_vector.covers(need))
    }

    /// A node has published a new state: what waited for it goes on.
    pub(crate) fn look_again(&mut self, node: usize) -> Checked {
        if self.nodes[node].waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut self.nodes[node].waiting);
        for one in waiting {
            if self.reached(node, &self.travellers.asks[one.ask as usize].token) {
                self.coverage.note("waits that reached the token");
                self.serve(node, one.ask)?;
            } else {
                self.nodes[node].waiting.push(one);
            }
        }
        Ok(())
    }

    /// A definite answer: the token was not reached in time.
    pub(super) fn wait_over(&mut self, node: usize, life: u64, ask: u64) {
        let found = &mut self.nodes[node];
        if found.life != life {
            return;
        }
        let before = found.waiting.len();
        found.waiting.retain(|one| one.ask != ask);
        if found.waiting.len() < before {
            self.coverage.note("refused: token not reached");
            self.tell(node, ask, Answer::Failed(Failure::TokenNotReached));
        }
    }

    fn serve(&mut self, node: usize, ask: u64) -> Checked {
        let asked = &self.travellers.asks[ask as usize];
        let answer = match &asked.body {
            Body::Write(_, _, request) | Body::Add(_, request) => {
                let ticket = self.clients.tickets.len() as u64;
                self.clients.tickets.push(Ticket { request: *request, created: None, ask: Some(ask) });
                self.bring(node, Input::Write { ticket });
                return Ok(());
            }
            _ if self.is_stale(node, asked.max_lag_ms) => {
                self.coverage.note("refused: stale");
                Answer::Failed(Failure::Stale)
            }
            Body::Read(keys) => {
                let members = keys.iter().map(|key| Ok((key.clone(), self.members(node, key)?)));
                let members: Result<_, String> = members.collect();
                Answer::Shown(Shown::Members(members.map_err(|what| self.violation("values", what))?))
            }
            Body::Count => {
                let count = self.counted(node);
                Answer::Shown(Shown::Count(count.map_err(|what| self.violation("values", what))?))
            }
        };
        if matches!(answer, Answer::Shown(_)) {
            self.check_freshness(node)?;
            self.coverage.note(if self.nodes[node].is_leader() { "reads at leaders" } else { "reads at followers" });
        }
        self.tell(node, ask, answer);
        Ok(())
    }

    /// What a node says of how old what it shows may be is true. After a disk was put back it may not be: what its node wrote
    /// before comes from elsewhere, and nobody knows when.
    fn check_freshness(&mut self, node: usize) -> Checked {
        let Some(slack_ms) = self.plan.longest_under_way() else { return Ok(()) };
        let found = &self.nodes[node];
        let behind = found.engine.as_ref().and_then(|engine| engine.behind_ms(self.time(node)));
        let Some(behind_ms) = behind.filter(|_| self.nodes.iter().all(|node| node.put_back == 0)) else {
            return Ok(());
        };
        self.coverage.note("ages checked");
        let checked = freshness::check(&self.written, &found.durable_vector, self.now, behind_ms, slack_ms);
        checked.map_err(|what| self.violation("freshness", format!("node {node}: {what}")))
    }

    /// Whether what a node shows may be older than allowed.
    fn is_stale(&self, node: usize, max_lag_ms: Option<u64>) -> bool {
        let behind = self.nodes[node].engine.as_ref().and_then(|engine| engine.behind_ms(self.time(node)));
        max_lag_ms.is_some_and(|most| behind.is_none_or(|behind| behind > most))
    }

    /// The writes that a set shows at a node.
    pub(super) fn members(&self, node: usize, key: &str) -> Result<Vec<u64>, String> {
        let value = self.value(node, (SETS, Kind::OR_SET), key)?;
        let Some(members) = value else { return Ok(Vec::new()) };
        let members = members.as_array().ok_or("a set that is no array")?.iter();
        members.map(|member| member.as_u64().ok_or_else(|| format!("{member} is no write"))).collect()
    }

    /// What the counter shows at a node.
    pub(super) fn counted(&self, node: usize) -> Result<i64, String> {
        let value = self.value(node, (COUNTERS, Kind::G_COUNTER), COUNTER)?;
        value.map_or(Ok(0), |value| value.as_i64().ok_or_else(|| format!("{value} is no count")))
    }

    fn value(&self, node: usize, (name, kind): (&str, Kind), key: &str) -> Result<Option<Value>, String> {
        let found = &self.nodes[node];
        let engine = found.engine.as_ref().ok_or("a node that is down is read")?;
        let Some(collection) = engine.catalog().get(name, kind) else { return Ok(None) };
        let outcome = query::value(&self.registry, &found.store, collection, key, None, MOST_BYTES);
        Ok(outcome.map_err(|error| error.to_string())?.map(|outcome| outcome.value))
    }

    /// What a leader answered to a write of theirs.
    pub(crate) fn tell_written(&mut self, node: usize, ask: u64, answer: &Result<Written, Refusal>) {
        let answer = match answer {
            Ok(written) => Answer::Written(*written),
            Err(Refusal::NotWritable { .. }) => Answer::Failed(Failure::NotWritable),
            Err(_) => Answer::Failed(Failure::Refused),
        };
        self.tell(node, ask, answer);
    }

    fn tell(&mut self, node: usize, ask: u64, answer: Answer) {
        let token = self.answered_token(node, ask);
        let label = self.nodes[node].label();
        self.trace.note(self.now, "tell", node, format!("{answer:?}").as_bytes());
        let random = &mut self.travellers.random;
        let travel = random.range(0, 5);
        if self.healing || !random.chance(self.plan.lose_replies) {
            let told = Box::new(Told { node, label, token, answer });
            self.queue.at(self.now + travel, Event::Travel(Travel::Hear { ask, told }));
        }
    }

    /// Covers what was asked for and what the node has published.
    fn answered_token(&self, node: usize, ask: u64) -> Token {
        let (found, asked) = (&self.nodes[node], &self.travellers.asks[ask as usize].token);
        if self.options.lapse.is(Bug::TokensLackWhatWasShown) {
            return asked.clone();
        }
        let Some(engine) = &found.engine else { return asked.clone() };
        let mut token = Token::of(found.config.shard, engine.durable_vector());
        if !self.reached(node, asked) {
            token.join(asked);
        }
        token
    }
}
