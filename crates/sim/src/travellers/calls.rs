//! A call of a client, from its beginning to what came of it.

use super::{Ask, Body, Call, Travel, ways};
use crate::clients::Request;
use crate::lapse::Bug;
use crate::queue::Event;
use crate::world::World;
use anabranch_causality::{Kind, Token};
use anabranch_engine::{Change, Write};
use anabranch_resolvers::{Member, Operation};
use anabranch_session::{AskOne, Attempts, Guarantees, Purpose, Step, Terms};

/// The collection of sets that clients with sessions write to, and their counter.
pub(super) const SETS: &str = "walls";
pub(super) const COUNTERS: &str = "hits";
pub(super) const COUNTER: &str = "all";
/// After so long the keys are others, so that sets stay small.
const KEYS_LAST_MS: u64 = 4_000;

impl World {
    /// A client begins a call.
    pub(super) fn call(&mut self, traveller: usize) {
        let random = &mut self.travellers.random;
        let other = random.chance(self.plan.travel.other_guarantees);
        let other = other.then(|| if random.chance(500) { Guarantees::NONE } else { ways::some_guarantees(random) });
        let guarantees = other.unwrap_or(self.travellers.list[traveller].session.guarantees());
        let invoke_us = self.travellers.record.stamp(self.now);
        let (body, token) = if self.travellers.random.chance(self.plan.travel.writes) {
            self.begin_write(traveller, guarantees)
        } else {
            (self.what_to_read(), self.travellers.list[traveller].session.token_for_read(guarantees))
        };
        let attempts = Attempts::new(self.terms(traveller, &body, token.clone()));
        let found = &mut self.travellers.list[traveller];
        found.calls += 1;
        let number = found.calls;
        found.call = Some(Call { number, body, attempts, guarantees, token, invoke_us, asks: 0, again: false });
        self.coverage.note("calls");
        self.go_on(traveller, number);
    }

    fn key(&mut self) -> String {
        format!("{}-{}", self.now / KEYS_LAST_MS, self.travellers.random.range(1, self.plan.travel.keys))
    }

    fn what_to_read(&mut self) -> Body {
        if self.travellers.random.chance(self.plan.travel.counts) {
            return Body::Count;
        }
        let count = self.travellers.random.range(1, 3);
        Body::Read((0..count).map(|_| self.key()).collect())
    }

    fn begin_write(&mut self, traveller: usize, guarantees: Guarantees) -> (Body, Token) {
        let session = &mut self.travellers.list[traveller].session;
        let begun = session.begin_write(guarantees);
        let key = Some((session.id(), begun.counter));
        let (number, request) = (self.travellers.record.number(), self.clients.requests.len());
        let (body, changes) = if self.travellers.random.chance(self.plan.travel.counts) {
            (Body::Add(number, request), vec![change(COUNTERS, Kind::G_COUNTER, COUNTER, Operation::Add(1))])
        } else {
            let keys: Vec<String> = (0..self.travellers.random.range(1, 2)).map(|_| self.key()).collect();
            let member = Member::Integer(number.into());
            let add = |key: &String| change(SETS, Kind::OR_SET, key, Operation::AddMembers(vec![member.clone()]));
            let changes = keys.iter().map(add).collect();
            (Body::Write(number, keys, request), changes)
        };
        self.clients.requests.push(Request::of_traveller(Write { changes, key }));
        (body, begun.token)
    }

    pub(super) fn terms(&mut self, traveller: usize, body: &Body, token: Token) -> Terms {
        let (random, plan) = (&mut self.travellers.random, &self.plan.travel);
        let reads = matches!(body, Body::Read(_) | Body::Count);
        let bounded = reads && random.chance(plan.bounded_lag);
        Terms {
            session: self.travellers.list[traveller].session.id(),
            purpose: if reads { Purpose::Read } else { Purpose::Write },
            token,
            max_lag_ms: bounded.then(|| random.range(100, 1_500)),
            wait_ms: random.range(plan.wait_ms / 10, plan.wait_ms),
            deadline_ms: self.now + random.range(plan.call_ms / 4, plan.call_ms),
            repeatable: true,
            hedge: random.chance(plan.hedge),
            only: None,
        }
    }

    /// Does what is to be done next about a call.
    pub(super) fn go_on(&mut self, traveller: usize, number: u64) {
        let now = self.now;
        let found = &mut self.travellers.list[traveller];
        let Some(call) = found.call.as_mut().filter(|call| call.number == number) else { return };
        match call.attempts.next(&found.fleet, now) {
            Step::Ask(one) => self.ask(traveller, one),
            Step::Await => {}
            Step::Pause { until_ms } => {
                self.queue.at(until_ms, Event::Travel(Travel::Go { traveller, call: number }));
            }
            Step::Stop(verdict) => self.stop_call(traveller, verdict),
        }
    }

    pub(super) fn ask(&mut self, traveller: usize, one: AskOne) {
        let is_named = |node: &usize| self.nodes[*node].name == one.replica && !self.nodes[*node].is_gone;
        let copies: Vec<usize> = (0..self.nodes.len()).filter(is_named).collect();
        let node = match copies[..] {
            [] => return,
            [node] => node,
            _ => self.travellers.random.pick(&copies),
        };
        let Some(call) = &mut self.travellers.list[traveller].call else { return };
        call.asks += 1;
        let terms = call.attempts.terms();
        let forgets = call.asks > 1 && self.options.lapse.is(Bug::AskedAgainWithoutToken);
        let ask = Ask {
            traveller,
            call: call.number,
            node,
            body: call.body.clone(),
            token: if forgets { Token::new() } else { terms.token.clone() },
            wait_ms: one.wait_ms,
            max_lag_ms: terms.max_lag_ms,
            sent_ms: self.now,
            over: false,
        };
        let number = self.travellers.asks.len() as u64;
        self.travellers.asks.push(ask);
        self.queue.at(one.give_up_ms, Event::Travel(Travel::GiveUp { ask: number }));
        if let Some(micros) = one.hedge_after_micros {
            self.queue.at(self.now + micros.div_ceil(1_000), Event::Travel(Travel::Late { ask: number }));
        }
        self.send_ask(node, number);
    }

    fn send_ask(&mut self, node: usize, ask: u64) {
        let random = &mut self.travellers.random;
        let late = !self.healing && random.chance(self.plan.late / 10);
        let travel = if late { random.range(1_000, 4_000) } else { random.range(0, 5) };
        if !self.nodes[node].is_up() && random.chance(700) {
            self.queue.at(self.now + travel, Event::Travel(Travel::Unreachable { ask }));
        } else if self.healing || !random.chance(self.plan.lose_requests) {
            self.queue.at(self.now + travel, Event::Travel(Travel::Arrive { node, ask }));
        }
    }
}

fn change(collection: &str, kind: Kind, key: &str, operation: Operation) -> Change {
    Change::Operate { collection: collection.to_owned(), kind, key: key.to_owned(), operation, context: None }
}
