//! A collection's resolver changes while its replicas write: nothing is lost, and equal transactions give equal resolvers.

use crate::replica::{Replica, one, sent};
use anabranch_causality::{Context, Kind, ShardId, Tag};
use anabranch_engine::{Change, Collection, Output, query};
use anabranch_protocol::Message;
use anabranch_resolvers::{Operation, Registry};
use std::collections::{BTreeMap, BTreeSet};

const NAMES: [&str; 3] = ["keep-all", "escalate", "lww"];
const KEYS: [&str; 2] = ["k", "l"];

/// Small numbers from one seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Three replicas, all transactions that they made, and what is to come of them.
struct World {
    replicas: Vec<Replica>,
    /// Per replica, its own transactions.
    made: Vec<Vec<Vec<u8>>>,
    /// Per replica, how many of each one's it has.
    has: Vec<[usize; 3]>,
    /// What was put, per key, and the name that was declared.
    put: BTreeMap<(&'static str, Tag), String>,
    superseded: BTreeSet<(&'static str, Tag)>,
}

/// Stands for the declarations among the keys.
const DECLARED: &str = "";

impl World {
    fn new() -> Self {
        let mut replicas: Vec<Replica> =
            ["a", "b", "c"].iter().zip(1..).map(|(name, origin)| Replica::new(name, origin)).collect();
        for replica in &mut replicas {
            // Whoever listens is sent what it makes.
            replica.connect("tap", 99);
        }
        let (made, has) = (vec![Vec::new(); 3], vec![[0; 3]; 3]);
        Self { replicas, made, has, put: BTreeMap::new(), superseded: BTreeSet::new() }
    }

    fn write(&mut self, at: usize, change: Change) -> Tag {
        let replica = &mut self.replicas[at];
        replica.time.wall_ms += 1;
        replica.engine.handle_write(&replica.store, replica.time, 7, &one(change)).expect("handled");
        let outputs = replica.settle();
        let written = outputs.iter().find_map(|output| match output {
            Output::Reply { ticket: 7, answer } => Some(answer.clone()),
            _ => None,
        });
        written.expect("an answer").expect("written");
        let bytes = sent(&outputs, "tap");
        assert_eq!(bytes.len(), 1);
        self.made[at].extend(bytes);
        self.has[at][at] += 1;
        let shown = anabranch_causality::Transaction::decode(self.made[at].last().expect("it was made"));
        Tag { operation: shown.expect("a transaction").operation, position: 0 }
    }

    /// What that replica has of a key.
    fn seen(&self, at: usize, key: &str) -> Vec<Tag> {
        let replica = &self.replicas[at];
        let (collection, key) = if key == DECLARED { ("_resolvers", "names") } else { ("names", key) };
        let Some(found) = replica.engine.catalog().get(collection, Kind::REGISTER) else { return Vec::new() };
        let versions = query::versions(&replica.store, ShardId(0), found, key, 1_000).expect("versions");
        versions.into_iter().map(|version| version.tag).collect()
    }

    /// A write that has seen all that its replica has, or nothing.
    fn put(&mut self, at: usize, key: &'static str, sees: bool) {
        let seen = if sees { self.seen(at, key) } else { Vec::new() };
        let value = format!("{}", self.put.len());
        let (operation, context) = (Operation::Put(value.as_str().into()), Some(Context::new(seen.iter().copied())));
        let (collection, kind) = ("names".to_owned(), Kind::REGISTER);
        let tag = self.write(at, Change::Operate { collection, kind, key: key.into(), operation, context });
        self.put.insert((key, tag), value);
        self.superseded.extend(seen.into_iter().map(|tag| (key, tag)));
    }

    fn declare(&mut self, at: usize, name: &str) {
        let seen = self.seen(at, DECLARED);
        let (collection, kind, resolver) = ("names".to_owned(), Kind::REGISTER, name.to_owned());
        let tag = self.write(at, Change::Declare { collection, kind, resolver });
        self.put.insert((DECLARED, tag), name.to_owned());
        self.superseded.extend(seen.into_iter().map(|tag| (DECLARED, tag)));
    }

    /// One more of another's transactions arrives, if it has one.
    fn deliver(&mut self, to: usize, from: usize) -> bool {
        let next = self.has[to][from];
        let Some(bytes) = self.made[from].get(next).cloned().filter(|_| to != from) else { return false };
        self.replicas[to].message("tap", Message::Transactions(vec![bytes]));
        self.has[to][from] += 1;
        true
    }

    fn surviving(&self, key: &str) -> BTreeSet<(Tag, &str)> {
        let standing = self.put.iter().filter(|(place, _)| place.0 == key && !self.superseded.contains(*place));
        standing.map(|((_, tag), value)| (*tag, value.as_str())).collect()
    }

    fn collection(&self, at: usize) -> Collection {
        self.replicas[at].engine.catalog().find("names").expect("it exists").clone()
    }
}

fn concurrent(world: &World) -> Vec<String> {
    let names: BTreeSet<&str> = world.surviving(DECLARED).into_iter().map(|(_, name)| name).collect();
    if names.len() > 1 { names.into_iter().map(str::to_owned).collect() } else { Vec::new() }
}

#[test]
fn resolvers_change_while_three_replicas_write_and_no_version_is_lost() {
    let mut with_several = 0;
    for seed in 0..40 {
        let (mut world, mut random) = (World::new(), Random(seed));
        world.declare(0, "lww");
        for step in 0..60 {
            let at = random.below(3);
            match random.below(10) {
                0 | 1 => world.declare(at, NAMES[step % 3]),
                2..=5 => {
                    let (key, sees) = (KEYS[random.below(2)], random.below(3) > 0);
                    world.put(at, key, sees);
                }
                _ => drop(world.deliver(at, random.below(3))),
            }
        }
        // The rest arrives everywhere in another order.
        let mut quiet = 0;
        while quiet < 200 {
            quiet = if world.deliver(random.below(3), random.below(3)) { 0 } else { quiet + 1 };
        }
        let whole: [usize; 3] = std::array::from_fn(|from| world.made[from].len());
        assert_eq!(world.has, [whole; 3], "seed {seed}: all is everywhere");
        let first = world.collection(0);
        assert_eq!(first.concurrent, concurrent(&world), "seed {seed}");
        assert!(world.surviving(DECLARED).iter().any(|(_, name)| *name == first.resolver), "seed {seed}");
        with_several += u32::from(!first.concurrent.is_empty());
        for at in 0..3 {
            let found = world.collection(at);
            assert_eq!((&found.resolver, &found.concurrent), (&first.resolver, &first.concurrent), "seed {seed}");
            assert_eq!(world.replicas[at].digest(), world.replicas[0].digest(), "seed {seed}");
            for key in KEYS {
                let seen: BTreeSet<Tag> = world.seen(at, key).into_iter().collect();
                let surviving: BTreeSet<Tag> = world.surviving(key).into_iter().map(|(tag, _)| tag).collect();
                assert_eq!(seen, surviving, "seed {seed}, {key} at {at}: no version is lost, none comes back");
                assert_eq!(world.replicas[at].value("names", key), world.replicas[0].value("names", key));
            }
        }
        settles(world, seed);
    }
    assert!((5..40).contains(&with_several), "{with_several} of 40 end with several");
}

/// A declaration that saw the others supersedes them, at every replica and over a restart.
fn settles(mut world: World, seed: u64) {
    let before = world.collection(1);
    let again = world.replicas.remove(1).reopen("b", 2, Registry::builtin());
    world.replicas.insert(1, again);
    world.replicas[1].connect("tap", 99);
    let found = world.collection(1);
    assert_eq!(
        (found.resolver, found.concurrent),
        (before.resolver, before.concurrent),
        "seed {seed}: after a restart"
    );
    world.declare(2, "keep-all");
    for to in 0..2 {
        assert!(world.deliver(to, 2));
    }
    for at in 0..3 {
        let found = world.collection(at);
        assert_eq!((found.resolver.as_str(), found.concurrent.len()), ("keep-all", 0), "seed {seed}");
    }
    // All that survives is shown now: what another resolver hid was there all along.
    for key in KEYS {
        let mut expected: Vec<&str> = world.surviving(key).into_iter().map(|(_, value)| value).collect();
        let shown = world.replicas[0].value("names", key).unwrap_or_else(|| serde_json::json!([]));
        let mut shown: Vec<&str> =
            shown.as_array().expect("a list").iter().filter_map(|value| value.as_str()).collect();
        expected.sort_unstable();
        shown.sort_unstable();
        assert_eq!(shown, expected, "seed {seed}");
    }
}
