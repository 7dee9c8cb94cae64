//! Three engines, and writes, deliveries, duplicates, losses, partitions and restarts in the order that the input says. When
//! all is healed they must be equal, and hold what the definition says.

use crate::definition;
use crate::input::Input;
use crate::replica::{REGISTRY, Replica, add, frame, operate, session};
use crate::{drawn, specs};
use anabranch_causality::{Context, Dot, Kind, SessionId, Transaction};
use anabranch_engine::{Alarm, Change, Output, Write, query};
use anabranch_protocol::Message;
use anabranch_resolvers::laws::Random;
use std::collections::{BTreeMap, VecDeque};

const NAMES: [&str; 3] = ["a", "b", "c"];
/// From whom to whom.
const LINKS: [(usize, usize); 6] = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)];
/// The most steps of a schedule.
const MOST: usize = 96;
/// How many rounds of 250 ms of virtual time may pass until all is quiet.
const ROUNDS: usize = 80;

/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let cluster = play(bytes);
    cluster.judge(&cluster.transactions());
}

/// A schedule, until all is healed.
fn play(bytes: &[u8]) -> Cluster {
    let mut input = Input::new(bytes);
    let mut cluster = Cluster::new();
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        cluster.step(&mut input);
    }
    cluster.heal();
    cluster
}

struct Cluster {
    nodes: Vec<Option<Replica>>,
    /// Frames under way, by sender and receiver; none where the two are not connected.
    links: BTreeMap<(usize, usize), VecDeque<Vec<u8>>>,
    starts: u64,
    counters: BTreeMap<SessionId, u64>,
    /// Writes whose client may ask again elsewhere.
    keyed: Vec<Write>,
    /// What leaders said that they have on disk.
    acknowledged: Vec<Dot>,
}

impl Cluster {
    fn new() -> Self {
        let nodes = NAMES.iter().zip(1..).map(|(name, origin)| Some(Replica::new(name, origin))).collect();
        let mut cluster = Self {
            nodes,
            links: BTreeMap::new(),
            starts: NAMES.len() as u64,
            counters: BTreeMap::new(),
            keyed: Vec::new(),
            acknowledged: Vec::new(),
        };
        cluster.connect_all();
        cluster
    }

    fn node(&mut self, node: usize) -> &mut Replica {
        self.nodes[node].as_mut().expect("only taken out to be put back")
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..=4 => {
                let node = input.below(3);
                let write = self.draw(node, input);
                self.write(node, &write);
            }
            5 => {
                if let Some(write) = self.keyed.get(input.below(self.keyed.len())).cloned() {
                    self.write(input.below(3), &write);
                }
            }
            6 | 7 => {
                let (from, to) = pair(input);
                while self.deliver(from, to) {}
            }
            8 => {
                let (from, to) = pair(input);
                self.deliver(from, to);
            }
            9 => {
                let link = self.links.get_mut(&pair(input));
                if let Some(link) = link
                    && let Some(frame) = link.front().cloned()
                {
                    link.push_back(frame);
                }
            }
            10 => self.lose(pair(input)),
            11 => {
                let (a, b) = pair(input);
                self.cut(a, b);
            }
            12 => {
                let (a, b) = pair(input);
                self.connect(a, b);
            }
            13 => self.stop(input),
            14 => {
                // What is under way arrives, and the answers, and theirs.
                for _ in 0..4 + input.below(12) {
                    for (from, to) in LINKS {
                        self.deliver(from, to);
                    }
                }
            }
            _ => self.tick(u64::from(input.byte()) * 10),
        }
    }

    /// Seldom: who has just come back hears little.
    fn stop(&mut self, input: &mut Input<'_>) {
        let node = input.below(3);
        match input.below(4) {
            0 => self.restart(node),
            1 => {
                // Handled, but lost before it is on disk.
                let write = self.draw(node, input);
                let Replica { engine, store, time, .. } = self.node(node);
                engine.handle_write(store, *time, 2, &write).expect("the store is sound");
                self.restart(node);
            }
            _ => self.tick(250),
        }
    }

    /// A write of one or two changes, of a session or of none, by somebody who sees what is at that node.
    fn draw(&mut self, node: usize, input: &mut Input<'_>) -> Write {
        let count = 1 + usize::from(input.byte() & 7 == 7);
        let changes = (0..count).map(|_| change(input, self.node(node))).collect();
        let key = match input.byte() {
            who @ 0..=127 => {
                let session = session(who % 3);
                let counter = self.counters.entry(session).or_default();
                *counter += 1;
                Some((session, *counter))
            }
            _ => None,
        };
        let write = Write { changes, key };
        if key.is_some() {
            self.keyed.push(write.clone());
        }
        write
    }

    fn write(&mut self, node: usize, write: &Write) {
        let (answer, outputs) = self.node(node).write(write);
        if let Ok(written) = answer {
            self.acknowledged.push(written.dot);
        }
        self.carry_out(node, outputs);
    }

    fn settle(&mut self, node: usize) {
        let outputs = self.node(node).settle();
        self.carry_out(node, outputs);
    }

    fn carry_out(&mut self, node: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { peer, message } => {
                    let to = NAMES.iter().position(|name| *name == peer).expect("a node");
                    if let Some(link) = self.links.get_mut(&(node, to)) {
                        link.push_back(frame(&message));
                    }
                }
                Output::Alarm(Alarm::ClockSkew { .. }) | Output::Reply { .. } => {}
                wrong => panic!("{} among honest peers: {wrong:?}", NAMES[node]),
            }
        }
    }

    fn deliver(&mut self, from: usize, to: usize) -> bool {
        let Some(frame) = self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front) else { return false };
        let message = Message::decode(&frame).expect("what was encoded");
        self.node(to).take(NAMES[from], message);
        self.settle(to);
        true
    }

    fn lose(&mut self, (from, to): (usize, usize)) {
        if self.links.get_mut(&(from, to)).and_then(VecDeque::pop_front).is_some() {
            self.node(to).engine.handle_lost(NAMES[from]);
            self.settle(to);
        }
    }

    fn cut(&mut self, a: usize, b: usize) {
        for (one, other) in [(a, b), (b, a)] {
            if self.links.remove(&(one, other)).is_some() {
                self.node(one).engine.handle_disconnected(NAMES[other]);
                self.settle(one);
            }
        }
    }

    fn connect(&mut self, a: usize, b: usize) {
        self.cut(a, b);
        let origins = [self.node(a).engine.origin(), self.node(b).engine.origin()];
        self.links.extend([((a, b), VecDeque::new()), ((b, a), VecDeque::new())]);
        self.node(a).connect(NAMES[b], origins[1]);
        self.node(b).connect(NAMES[a], origins[0]);
        self.settle(a);
        self.settle(b);
    }

    fn connect_all(&mut self) {
        [(0, 1), (0, 2), (1, 2)].into_iter().for_each(|(a, b)| self.connect(a, b));
    }

    fn restart(&mut self, node: usize) {
        let others: Vec<usize> = (0..3).filter(|other| self.links.contains_key(&(node, *other))).collect();
        self.starts += 1;
        let stopped = self.nodes[node].take().expect("only taken out to be put back");
        self.nodes[node] = Some(stopped.restart(self.starts));
        for other in others {
            self.links.remove(&(node, other));
            self.cut(node, other);
            self.connect(node, other);
        }
    }

    fn tick(&mut self, ms: u64) {
        for node in 0..3 {
            self.node(node).pass(ms);
            self.settle(node);
        }
    }

    /// All are connected, and time passes until everybody has everything.
    fn heal(&mut self) {
        self.connect_all();
        for _ in 0..ROUNDS {
            self.tick(250);
            let mut moved = true;
            while moved {
                moved = false;
                for (from, to) in LINKS {
                    // Not until the link is empty: heartbeats answer each other for ever only when time passes.
                    moved |= self.deliver(from, to);
                }
            }
            if self.is_equal() {
                return;
            }
        }
        let vectors: Vec<String> =
            self.nodes.iter().flatten().map(|node| node.engine.durable_full().to_string()).collect();
        panic!("after {ROUNDS} rounds of peace the replicas have {vectors:?}");
    }

    fn is_equal(&self) -> bool {
        let vectors: Vec<_> = self.nodes.iter().flatten().map(|node| node.engine.durable_full()).collect();
        vectors.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// What one of them applied, which must be what all did.
    fn transactions(&self) -> Vec<Transaction> {
        let log = self.nodes[0].as_ref().expect("only taken out to be put back").log();
        log.into_iter().map(|(transaction, _)| transaction).collect()
    }

    fn judge(&self, transactions: &[Transaction]) {
        let nodes: Vec<&Replica> = self.nodes.iter().flatten().collect();
        for dot in &self.acknowledged {
            let kept = nodes[0].engine.durable_full().get(dot.origin) >= dot.seq;
            assert!(kept, "{dot} was acknowledged, and nobody has it");
        }
        for node in &nodes {
            assert_eq!(node.digest(), nodes[0].digest(), "equal transactions, other rows at {}", node.name);
            definition::check(node, transactions);
            let status = node.engine.status(node.time);
            assert_eq!((status.buffered, status.parked_origins.len(), status.parked_collections.len()), (0, 0, 0));
            for found in node.engine.catalog().iter() {
                let other = nodes[0].engine.catalog().get(&found.name, found.kind).expect("everybody has it");
                let told = |collection: &anabranch_engine::Collection| {
                    (collection.created, collection.resolver.clone(), collection.fields.clone())
                };
                assert_eq!(told(found), told(other), "{} at {}", found.name, node.name);
            }
        }
    }
}

/// Two different nodes.
fn pair(input: &mut Input<'_>) -> (usize, usize) {
    let drawn = input.below(6);
    let (from, step) = (drawn / 2, 1 + drawn % 2);
    (from, (from + step) % 3)
}

fn change(input: &mut Input<'_>, seen: &Replica) -> Change {
    let kind = input.byte() % 16;
    if kind >= 13
        && let Some(decision) = drawn::decision(input, seen)
    {
        return decision;
    }
    let key = ["k", "l"][input.below(2)];
    let random = &mut Random::new(u64::from(input.byte()) << 8 | u64::from(input.byte()));
    match kind {
        0 => operate("names", Kind::REGISTER, key, specs::any_register_operation(random)),
        1 => with_context(operate("names", Kind::REGISTER, key, specs::any_register_operation(random)), seen),
        2 => add(key, random.below(9) as i64 - 4),
        3 => operate("tags", Kind::OR_SET, key, specs::any_set_operation(random)),
        4 | 5 => operate("forms", Kind::MAP, key, specs::any_map_operation(random)),
        6 => operate("carts", Kind::CART, key, specs::any_cart_operation(random)),
        7 => operate("ups", Kind::G_COUNTER, key, specs::any_g_operation(random)),
        8 => Change::Declare {
            collection: "names".into(),
            kind: Kind::REGISTER,
            resolver: ["lww", "keep-all", "escalate"][random.index(3)].into(),
        },
        9 => Change::Field {
            collection: "forms".into(),
            field: ["a", "n"][random.index(2)].into(),
            resolver: ["lww", "keep-all", "escalate"][random.index(3)].into(),
        },
        10 | 11 => operate("notes", Kind::TEXT, key, drawn::any_text_operation(random)),
        _ => operate("rooms", Kind::CALENDAR, key, drawn::any_calendar_operation(random)),
    }
}

/// With the versions that are seen.
fn with_context(mut change: Change, seen: &Replica) -> Change {
    if let Change::Operate { collection, kind, key, context, .. } = &mut change
        && let Some(found) = seen.engine.catalog().get(collection, *kind)
    {
        let value = query::value(&REGISTRY, &seen.store, found, key, None, 1 << 20).expect("values can be read");
        *context = value.map(|outcome| Context::new(outcome.versions));
    }
    change
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_engine::{KeyRows, resolutions};
    use anabranch_resolvers::Rows;
    use std::collections::BTreeSet;

    /// Whether any text was merged there.
    fn has_snapshot(replica: &Replica) -> bool {
        let Some(notes) = replica.engine.catalog().get("notes", Kind::TEXT) else { return false };
        let head = |key| KeyRows::new(&replica.store, notes.id, key).pile(&[]).expect("the store is sound");
        ["k", "l"].into_iter().filter_map(head).any(|head| head.snapshot > 0)
    }

    /// Else what must hold would hold of nothing.
    #[test]
    fn schedules_write_all_that_can_be_written() {
        let random = &mut Random::new(1);
        let (mut written, mut merged) = (BTreeSet::new(), 0);
        for _ in 0..40 {
            let bytes: Vec<u8> = (0..600).map(|_| random.next() as u8).collect();
            let cluster = play(&bytes);
            let transactions = cluster.transactions();
            cluster.judge(&transactions);
            written.extend(transactions.into_iter().flat_map(|one| one.effects).map(|effect| effect.collection));
            merged += cluster.nodes.iter().flatten().filter(|node| has_snapshot(node)).count();
        }
        let all = ["names", "likes", "tags", "forms", "carts", "ups", "notes", "rooms", resolutions::RESOLUTIONS];
        let missing: Vec<&str> = all.into_iter().filter(|name| !written.contains(*name)).collect();
        assert!(missing.is_empty(), "{missing:?} of {written:?}");
        assert!(merged > 0, "no text was merged");
    }
}
