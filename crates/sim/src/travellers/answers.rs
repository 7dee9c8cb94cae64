//! What comes of a client's attempts, and what it notes of its calls.

use super::calls::COUNTER;
use super::serve::Answer;
use super::{Body, Call, Told};
use crate::histories::{Action, Outcome};
use crate::node::CLUSTER;
use crate::world::World;
use anabranch_session::{Attempts, Failure, Purpose, Verdict};

impl World {
    /// A read is late: perhaps it is asked of another replica as well.
    pub(super) fn hedge(&mut self, ask: u64) {
        let asked = &self.travellers.asks[ask as usize];
        let (traveller, number) = (asked.traveller, asked.call);
        let now = self.now;
        let found = &mut self.travellers.list[traveller];
        let Some(call) = found.call.as_mut().filter(|call| call.number == number) else { return };
        if let Some(one) = call.attempts.hedge(&found.fleet, now) {
            self.coverage.note("reads hedged");
            self.ask(traveller, one);
        }
    }

    /// An attempt took too long.
    pub(super) fn give_up(&mut self, ask: u64) {
        self.fail(ask, Failure::Lost);
    }

    /// An attempt never left.
    pub(super) fn unreachable(&mut self, ask: u64) {
        self.fail(ask, Failure::NotSent);
    }

    fn fail(&mut self, ask: u64, failure: Failure) {
        let now = self.now;
        let asked = &mut self.travellers.asks[ask as usize];
        let (traveller, number) = (asked.traveller, asked.call);
        let was_over = std::mem::replace(&mut asked.over, true);
        let name = &self.nodes[asked.node].name;
        let found = &mut self.travellers.list[traveller];
        let Some(call) = found.call.as_mut().filter(|call| call.number == number && !was_over) else { return };
        match failure {
            Failure::NotSent | Failure::Lost | Failure::NotReady => found.fleet.note_failure(name, now),
            Failure::NotWritable => found.fleet.note_unwritable(name, now),
            _ => found.fleet.note_success(name),
        }
        call.attempts.failed(name, failure, now);
        self.go_on(traveller, number);
    }

    /// A client is answered, perhaps when it is too late.
    pub(super) fn hear(&mut self, ask: u64, told: Told) {
        if let Answer::Failed(failure) = told.answer {
            return self.fail(ask, failure);
        }
        let asked = &mut self.travellers.asks[ask as usize];
        let took = self.now - asked.sent_ms;
        let (traveller, number) = (asked.traveller, asked.call);
        asked.over = true;
        let found = &mut self.travellers.list[traveller];
        let name = &self.nodes[asked.node].name;
        found.fleet.note_success(name);
        if told.node == asked.node {
            found.fleet.note_token(name, &told.token);
        }
        if matches!(told.answer, Answer::Shown(_)) {
            found.fleet.note_read_latency(name, took * 1_000);
        }
        let Some(call) = found.call.take_if(|call| call.number == number) else {
            self.coverage.note("answers too late");
            return;
        };
        self.answered(traveller, call, told);
    }

    fn answered(&mut self, traveller: usize, call: Call, told: Told) {
        let found = &mut self.travellers.list[traveller];
        found.in_vain = 0;
        let (sent, answered) = (call.attempts.terms().token.clone(), told.token.clone());
        match &told.answer {
            Answer::Shown(_) => found.session.note_read(&sent, &answered),
            Answer::Written(written) => found.session.note_written(written.dot, &sent, &answered, false),
            Answer::Failed(_) => {}
        }
        self.log(traveller, &call, Outcome::Ok, Some(&told));
    }

    pub(super) fn stop_call(&mut self, traveller: usize, verdict: Verdict) {
        let Some(mut call) = self.travellers.list[traveller].call.take() else { return };
        let writes = call.attempts.terms().purpose == Purpose::Write;
        if verdict == Verdict::Unknown && !call.again && !self.healing && self.travellers.random.chance(500) {
            self.coverage.note("unknown writes asked for again");
            let session = &mut self.travellers.list[traveller].session;
            let token = session.repeat_write(session.counter(), call.guarantees).token;
            call.attempts = Attempts::new(self.terms(traveller, &call.body, token));
            call.again = true;
            let number = call.number;
            self.travellers.list[traveller].call = Some(call);
            return self.go_on(traveller, number);
        }
        self.coverage.note(match verdict {
            Verdict::Unknown => "writes of which nobody knows",
            Verdict::NoEffect(Failure::TokenNotReached) => "calls without effect: token not reached",
            Verdict::NoEffect(Failure::Stale) => "calls without effect: stale",
            Verdict::NoEffect(_) => "calls without effect: nobody answers",
            Verdict::Refused { .. } => "calls refused",
        });
        self.travellers.list[traveller].in_vain += 1;
        let unknown = call.again || matches!(verdict, Verdict::Unknown | Verdict::Refused { earlier_unknown: true });
        self.log(traveller, &call, if unknown && writes { Outcome::Info } else { Outcome::Fail }, None);
    }

    fn log(&mut self, traveller: usize, call: &Call, result: Outcome, told: Option<&Told>) {
        let record = &mut self.travellers.record;
        let deadline_ms = call.attempts.terms().deadline_ms;
        if self.now > deadline_ms {
            record.complain(format!("a call that had until {deadline_ms} ms went on until {} ms", self.now));
        }
        let dot = told.and_then(|told| told.written()).map(|written| written.dot);
        let (action, request) = match &call.body {
            Body::Read(_) => (Action::Read { seen: told.map(Told::seen).unwrap_or_default() }, None),
            Body::Count => {
                let value = told.map_or(0, Told::count);
                (Action::Count { counter: COUNTER.to_owned(), value, last: false }, None)
            }
            Body::Write(write, keys, request) => {
                let sequenced_at = dot.and_then(|dot| record.origins.get(&dot.origin)).cloned();
                let (write, keys, attempts) = (*write, keys.clone(), call.asks);
                (Action::Write { write, keys, dot, sequenced_at, attempts }, Some(*request))
            }
            Body::Add(operation, request) => {
                (Action::Add { operation: *operation, counter: COUNTER.to_owned() }, Some(*request))
            }
        };
        let session = self.travellers.list[traveller].session.id().to_string();
        let event = record.ended(self.now, &session, call.invoke_us, action);
        event.node = told.map(|told| told.label.clone());
        event.guarantees = call.guarantees;
        event.result = result;
        event.token_in = Some(call.token.encode(CLUSTER));
        event.token_out = told.map(|told| told.token.encode(CLUSTER));
        let id = event.id;
        self.trace.line(self.now, || format!("a client notes {event:?}"));
        if let Some(request) = request {
            record.requests.insert(id, request);
        }
    }
}
