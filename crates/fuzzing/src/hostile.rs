//! An engine among peers that do not follow the protocol: whatever they send, it keeps its invariants, and serves an honest
//! peer afterwards as if nothing had been.

use crate::editors::UPDATES;
use crate::input::Input;
use crate::replica::{self, BUFFER, REGISTRY, Replica, add, frame, operate};
use crate::{definition, drawn, specs};
use anabranch_causality::{
    Actor, Add, Dot, Effect, Fold, Hlc, Kind, Lineage, OperationId, Origin, ShardId, Supersede, Tag, Transaction,
    VersionVector, hash64,
};
use anabranch_engine::{Change, Output, QueryError, Write, query};
use anabranch_protocol::{Ack, BucketSample, Heartbeat, Message};
use anabranch_resolvers::Outcome;
use anabranch_resolvers::laws::Random;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The most steps of a schedule.
const MOST: usize = 96;
/// Peers that do as the input says; each has an origin.
const PEERS: [(&str, Origin); 2] = [("x", Origin(2)), ("y", Origin(3))];
/// What a waiting transaction costs at least, as the engine reckons.
const WAITING: usize = 512;

/// What two honest nodes wrote under these origins, and what one of them decided about it: something to send in any order,
/// and to damage.
static GENUINE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let [mut node, mut other] = PEERS.map(|(name, origin)| Replica::new(name, origin.0));
    let escalate = ("names".to_owned(), "escalate".to_owned());
    let declare = Change::Declare { collection: escalate.0, kind: Kind::REGISTER, resolver: escalate.1 };
    write(&mut node, declare);
    for n in 0..18 {
        write(&mut node, genuine_change(n));
        write(&mut other, genuine_change(n + 100));
    }
    node.connect(PEERS[1].0, PEERS[1].1);
    for (_, bytes) in other.log() {
        node.take(PEERS[1].0, Message::Transactions(vec![bytes]));
    }
    node.settle();
    let decide = |n| drawn::decision(&mut Input::new(&[n, n, 3]), &node);
    let decisions: Vec<Change> = (0..4).filter_map(decide).collect();
    assert!(decisions.len() > 2, "there is something to decide");
    decisions.into_iter().for_each(|decision| write(&mut node, decision));
    node.log().into_iter().map(|(_, bytes)| bytes).collect()
});

/// Their effects, to be put together anew.
static EFFECTS: LazyLock<Vec<Effect>> = LazyLock::new(|| {
    let decoded = GENUINE.iter().map(|bytes| Transaction::decode(bytes).expect("what was encoded"));
    decoded.flat_map(|transaction| transaction.effects).collect()
});

fn genuine_change(n: u64) -> Change {
    let key = ["k", "l"][(n / 6 % 2) as usize];
    let random = &mut Random::new(n);
    match n % 6 {
        0 => add(key, n as i64),
        1 => operate("names", Kind::REGISTER, key, specs::any_register_operation(random)),
        2 => operate("tags", Kind::OR_SET, key, specs::any_set_operation(random)),
        3 => operate("forms", Kind::MAP, key, specs::any_map_operation(random)),
        4 => operate("notes", Kind::TEXT, key, drawn::any_text_operation(random)),
        _ => operate("rooms", Kind::CALENDAR, key, drawn::any_calendar_operation(random)),
    }
}

/// A refusal (of a removal of nothing) makes no transaction.
fn write(node: &mut Replica, change: Change) {
    drop(node.write(&Write { changes: vec![change], key: None }));
}

/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let node = play(bytes);
    let honest = Origin(hash64("anabranch fuzzing", &[bytes]) | 1 << 63);
    judge(node, honest);
}

/// A schedule; what it leaves.
fn play(bytes: &[u8]) -> Replica {
    let mut input = Input::new(bytes);
    let mut scene = Scene { node: Replica::new("a", 1), starts: 1 };
    PEERS.iter().for_each(|(peer, origin)| scene.node.connect(peer, *origin));
    scene.settle();
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        scene.step(&mut input);
    }
    scene.settle();
    scene.node
}

struct Scene {
    node: Replica,
    starts: u64,
}

impl Scene {
    fn step(&mut self, input: &mut Input<'_>) {
        let (peer, origin) = PEERS[input.below(2)];
        match input.byte() % 14 {
            0 => {
                if let Ok(message) = Message::decode(input.chunk()) {
                    self.node.take(peer, message);
                }
            }
            1 => self.node.take(peer, Message::Transactions(vec![input.chunk().to_vec()])),
            2 | 3 => {
                let list = genuine(input, &self.node);
                self.node.take(peer, Message::Transactions(list));
            }
            4..=6 => {
                let list = (0..1 + input.below(3)).map(|_| forged(input, &self.node).encode()).collect();
                self.node.take(peer, Message::Transactions(list));
            }
            7 => self.node.take(peer, Message::Ack(ack(input))),
            8 => self.node.take(peer, Message::Heartbeat(heartbeat(input))),
            9 => self.node.pass(input.number().min(1 << 32)),
            10 => self.node.engine.handle_disconnected(peer),
            11 => self.node.connect(peer, if input.flag() { origin } else { any_origin(input) }),
            12 => {
                let change = add("own", i64::from(input.byte()));
                let outputs = self.node.try_write(&change).expect("the store is sound");
                self.look_at(outputs);
            }
            _ => match input.below(4) {
                0 => {
                    self.starts += 1;
                    // Origins of its own begin where nobody else's do.
                    let origin = 1 << 40 | self.starts;
                    let fresh = Replica::new("a", 0);
                    self.node = std::mem::replace(&mut self.node, fresh).restart(origin);
                }
                1 => self.node.engine.handle_lost(peer),
                _ => {}
            },
        }
        // Else more comes into the same batch.
        if input.flag() {
            self.settle();
        }
    }

    fn settle(&mut self) {
        let outputs = self.node.settle();
        self.look_at(outputs);
    }

    fn look_at(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Disconnect { peer, .. } => self.node.engine.handle_disconnected(&peer),
                Output::Send { message, .. } => drop(frame(&message)),
                Output::Reply { .. } | Output::Alarm(_) => {}
            }
        }
        let status = self.node.engine.status(self.node.time);
        assert!(status.buffered as usize * WAITING <= BUFFER, "{} transactions wait", status.buffered);
        assert!(status.parked_origins.len() <= 1_000 && status.peers.len() <= PEERS.len());
    }
}

/// What must hold at the end.
fn judge(mut node: Replica, honest: Origin) {
    let log = node.log();
    let mut applied = VersionVector::new();
    for (transaction, _) in &log {
        let Dot { origin, seq, .. } = transaction.dot;
        assert_eq!(applied.get(origin) + 1, seq, "the log has no gaps");
        assert!(applied.covers(&transaction.dependencies), "{} is before what it depends on", transaction.dot);
        applied.raise(origin, seq);
    }
    assert_eq!(&applied, node.engine.durable_full(), "the vector says what the log holds");

    let mut again = Replica::new("z", honest.0 - 1);
    again.connect("a", Origin(0));
    for (_, bytes) in &log {
        again.take("a", Message::Transactions(vec![bytes.clone()]));
    }
    again.settle();
    assert_eq!(again.engine.durable_full(), &applied, "another replica takes all of it");
    assert_eq!(again.digest(), node.digest(), "another replica makes the same of it");
    assert_eq!(shown(&again), shown(&node), "whoever applies it in the same order shows the same");
    [&again, &node].into_iter().for_each(definition::check_index);

    let mut peer = Replica::new("h", honest.0);
    peer.time = node.time;
    serve(&mut node, &mut peer);
    if !is_cut_short(&node) {
        assert_eq!(peer.digest(), node.digest(), "the honest peer makes the same of it");
    }
    definition::check_index(&peer);
    let mut values = [shown(&peer), shown(&node)];
    // Editors who use another's client id may see different texts, each in its own order.
    values.iter_mut().for_each(|values| values.retain(|(_, kind, _), _| *kind != Kind::TEXT));
    assert_eq!(values[0], values[1], "the honest peer shows the same");

    let (digest, vector) = (node.digest(), node.engine.durable_full().clone());
    let node = node.restart(honest.0 - 2);
    assert_eq!((node.digest(), node.engine.durable_full()), (digest, &vector), "opened again it is the same");
}

/// Whether a collection is parked since something malformed came: what came before that is applied, and what is before is
/// each replica's own order.
fn is_cut_short(replica: &Replica) -> bool {
    let mut catalog = replica.engine.catalog().iter();
    catalog.any(|found| found.parked.is_some() && REGISTRY.default_for(found.kind).is_some())
}

/// What people read, wherever anything was written that can be applied here.
fn shown(replica: &Replica) -> BTreeMap<(String, Kind, String), Option<Outcome>> {
    let mut all = BTreeMap::new();
    for found in replica.engine.catalog().iter() {
        let mut last: Option<String> = None;
        while let Some(key) = query::next_key(&replica.store, found, "", last.as_deref()).expect("rows can be read") {
            match query::value(&REGISTRY, &replica.store, found, &key, None, 1 << 20) {
                Ok(outcome) => drop(all.insert((found.name.clone(), found.kind, key.clone()), outcome)),
                Err(QueryError::Parked { .. }) => {}
                Err(QueryError::Store(error)) => panic!("{}/{key} was let in, and cannot be read: {error}", found.name),
            }
            last = Some(key);
        }
    }
    all
}

/// An honest peer comes and writes: in a few seconds both have the same.
fn serve(node: &mut Replica, peer: &mut Replica) {
    let origins = (node.engine.origin(), peer.engine.origin());
    node.connect("h", origins.1);
    peer.connect("a", origins.0);
    let (answer, _) = peer.write(&Write { changes: vec![add("honest", 1)], key: None });
    let may_write = answer.is_ok();
    for _ in 0..80 {
        for _ in 0..4 {
            exchange(node, peer);
            exchange(peer, node);
        }
        let has_written = !may_write || node.engine.durable_full().get(origins.1) == 1;
        if has_written && node.engine.durable_full() == peer.engine.durable_full() {
            return;
        }
        node.pass(250);
        peer.pass(250);
    }
    let (one, other) = (node.engine.durable_full(), peer.engine.durable_full());
    panic!("after 20 s the honest peer has {other}, the replica {one}");
}

/// Carries what one wants sent to the other.
fn exchange(from: &mut Replica, to: &mut Replica) {
    for output in from.settle() {
        match output {
            Output::Send { peer, message } if peer == to.name => {
                let message = Message::decode(&frame(&message)).expect("what was encoded");
                to.take(&from.name, message);
            }
            Output::Disconnect { peer, reason } if peer == to.name => {
                panic!("{} sends {peer} away: {reason}", from.name)
            }
            _ => {}
        }
    }
}

/// Genuine transactions, the next ones or any, one of them perhaps damaged.
fn genuine(input: &mut Input<'_>, node: &Replica) -> Vec<Vec<u8>> {
    let (from, count) = (usize::from(input.byte()), 1 + input.below(6));
    let is_new = |bytes: &Vec<u8>| {
        let dot = Transaction::decode(bytes).expect("what was encoded").dot;
        node.engine.durable_full().get(dot.origin) < dot.seq
    };
    let next = || GENUINE.iter().position(is_new).unwrap_or_default();
    let from = if from < 128 { next() } else { from % GENUINE.len() };
    let mut list: Vec<Vec<u8>> = GENUINE[from..].iter().take(count).cloned().collect();
    if input.flag() {
        let (which, place) = (input.below(list.len()), input.byte());
        let bytes = &mut list[which];
        let place = usize::from(place) % bytes.len();
        bytes[place] = input.byte();
    }
    list
}

fn any_origin(input: &mut Input<'_>) -> Origin {
    match input.byte() {
        small @ 0..=249 => Origin(u64::from(small % 6)),
        // The origins that the node itself had after its starts.
        own => Origin(1 << 40 | u64::from(own - 249)),
    }
}

fn vector(input: &mut Input<'_>) -> VersionVector {
    let entries: BTreeMap<Origin, u64> = (0..input.below(4)).map(|_| (any_origin(input), seq(input))).collect();
    entries.into_iter().collect()
}

/// A sequence number that can be encoded: neither 0 nor the last.
fn seq(input: &mut Input<'_>) -> u64 {
    input.number().clamp(1, u64::MAX - 1)
}

fn ack(input: &mut Input<'_>) -> Ack {
    let origins = |input: &mut Input<'_>| {
        let set: std::collections::BTreeSet<Origin> = (0..input.below(4)).map(|_| any_origin(input)).collect();
        set.into_iter().collect()
    };
    let (vector, rewind) = (vector(input), input.flag());
    Ack { shard: ShardId(0), vector, want: origins(input), parked: origins(input), rewind }
}

fn heartbeat(input: &mut Input<'_>) -> Heartbeat {
    let wall_ms = match input.byte() {
        near @ 0..=199 => replica::START_MS + u64::from(near) * 100,
        _ => input.number(),
    };
    let behind_ms = input.flag().then(|| input.number());
    let vector = vector(input);
    let digest = input.flag().then(|| input.number());
    let sample = |input: &mut Input<'_>| BucketSample {
        bucket: input.number() as u16,
        touched: input.number(),
        digest: input.number(),
    };
    let buckets = (0..input.below(3)).map(|_| sample(input)).collect();
    Heartbeat { shard: ShardId(0), wall_ms, behind_ms, vector, digest, buckets }
}

/// A transaction as nobody would write it, but in the one form that is read; often one that can be applied.
fn forged(input: &mut Input<'_>, node: &Replica) -> Transaction {
    let origin = any_origin(input);
    let seq = if input.byte() < 160 { node.engine.durable_full().get(origin) + 1 } else { seq(input) };
    let dot = Dot { shard: ShardId(0), origin, seq: seq.min(u64::MAX - 1) };
    let hlc = match input.byte() {
        near @ 0..=199 => Hlc::from_ms(replica::START_MS + u64::from(near)),
        _ => Hlc(input.number()),
    };
    let operation = match input.byte() {
        who @ 0..=99 => OperationId {
            actor: Actor::Session(replica::session(who % 3)),
            counter: input.number().max(1),
            hash: input.number(),
        },
        _ => OperationId::numbered(origin, dot.seq),
    };
    let mut dependencies = if input.byte() < 160 { VersionVector::new() } else { vector(input) };
    dependencies.set(origin, 0);
    let lineage = (dot.seq == 1).then(|| {
        let previous = input.flag().then(|| (any_origin(input), input.number().max(1)));
        Lineage { node: "x".into(), region: "x".into(), previous }
    });
    let mut position = 0;
    let effects = (0..input.below(4)).map(|_| effect(input, &mut position)).collect();
    Transaction { dot, hlc, operation, dependencies, lineage, effects }
}

fn effect(input: &mut Input<'_>, position: &mut u32) -> Effect {
    const COLLECTIONS: [&str; 8] = ["likes", "names", "tags", "forms", "_resolvers", "_resolutions", "rooms", "notes"];
    const KEYS: [&str; 6] = ["k", "l", "own", "names", "forms/a", "forms/"];
    let collection = COLLECTIONS[input.below(COLLECTIONS.len())];
    let mut effect = match input.byte() {
        0..=69 => return genuine_effect(input, position),
        70..=99 => genuine_effect(input, position),
        kind => Effect::new(collection, Kind(kind % 10), KEYS[input.below(KEYS.len())]),
    };
    for _ in 0..input.below(3) {
        let tags = (0..input.below(3)).map(|_| tag(input)).collect();
        effect.supersedes.push(Supersede { subkey: subkey(input), tags });
    }
    for _ in 0..input.below(3) {
        *position += 1 + u32::from(input.byte() == 255) * 1_000;
        effect.adds.push(Add { position: *position - 1, subkey: subkey(input), payload: payload(input) });
    }
    for _ in 0..input.below(3) {
        effect.folds.push(Fold { subkey: subkey(input), payload: payload(input) });
    }
    effect
}

/// What an honest node did, as if another request had.
fn genuine_effect(input: &mut Input<'_>, position: &mut u32) -> Effect {
    let mut effect = EFFECTS[input.below(EFFECTS.len())].clone();
    for add in &mut effect.adds {
        *position += 1;
        add.position = *position - 1;
    }
    effect
}

/// A row or a change to a sum of an honest node.
fn part(input: &mut Input<'_>) -> (Vec<u8>, Vec<u8>) {
    let effect = &EFFECTS[input.below(EFFECTS.len())];
    let adds = effect.adds.iter().map(|add| (&add.subkey, &add.payload));
    let folds = effect.folds.iter().map(|fold| (&fold.subkey, &fold.payload));
    let part = adds.chain(folds).next();
    part.map(|(subkey, payload)| (subkey.clone(), payload.clone())).unwrap_or_default()
}

fn tag(input: &mut Input<'_>) -> Tag {
    let actor = match input.byte() {
        who @ 0..=99 => Actor::Session(replica::session(who % 3)),
        _ => Actor::Leader(any_origin(input)),
    };
    let hash = if matches!(actor, Actor::Session(_)) { input.number() } else { 0 };
    let operation = OperationId { actor, counter: input.number().max(1), hash };
    Tag { operation, position: u32::from(input.byte()) }
}

fn subkey(input: &mut Input<'_>) -> Vec<u8> {
    match input.byte() {
        0..=99 => Vec::new(),
        100..=149 => b"a".to_vec(),
        150..=219 => part(input).0,
        _ => input.chunk().to_vec(),
    }
}

fn payload(input: &mut Input<'_>) -> Vec<u8> {
    match input.byte() {
        // Sums of 1 and -1, and texts that name resolvers and values.
        0..=49 => vec![2],
        50..=99 => vec![1],
        100..=149 => b"\"keep-all\"".to_vec(),
        150..=169 => b"{\"x\":[1]}".to_vec(),
        170..=209 => part(input).1,
        210..=229 => UPDATES[input.below(UPDATES.len())].clone(),
        _ => input.chunk().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Else what must hold would hold of nothing.
    #[test]
    fn what_peers_send_is_let_in_and_shown() {
        let random = &mut Random::new(1);
        let mut written = BTreeSet::new();
        for _ in 0..150 {
            let bytes: Vec<u8> = (0..1_000).map(|_| random.next() as u8).collect();
            let node = play(&bytes);
            let is_there = |(_, outcome): &(_, Option<Outcome>)| outcome.is_some();
            written.extend(shown(&node).into_iter().filter(is_there).map(|((_, kind, _), _)| kind));
        }
        for kind in [Kind::REGISTER, Kind::PN_COUNTER, Kind::OR_SET, Kind::MAP, Kind::CALENDAR, Kind::TEXT] {
            assert!(written.contains(&kind), "{kind} of {written:?}");
        }
    }
}
