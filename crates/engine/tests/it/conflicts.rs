//! The index of open conflicts: always what the rows call for, and free where there is no conflict.

use crate::replica::{Replica, keyed, one, operate, sent};
use anabranch_causality::Kind;
use anabranch_engine::store::{Batch, Read, Space, Store, StoreError, Visit};
use anabranch_engine::{Catalog, Change, conflicts, keys};
use anabranch_protocol::Message;
use anabranch_resolvers::{Booking, Keep, Member, Moment, Operation, Registry, Resolution, Span};
use anabranch_store::MemoryStore;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}

/// What all histories do: writes of all kinds, several at once, some refused, the same one at two leaders, resolutions.
fn change(random: &mut Random, replica: &Replica) -> Change {
    let key = format!("k{}", random.below(3));
    let value = || Operation::Put(key.len().into());
    match random.below(15) {
        0..4 => operate("notes", Kind::REGISTER, &key, Operation::Put(random.below(3).into())),
        4 => operate("notes", Kind::REGISTER, &key, Operation::Delete),
        5 => operate("plain", Kind::REGISTER, &key, value()),
        6 => {
            let fields = [(format!("f{}", random.below(2)), random.below(9).into())];
            operate("maps", Kind::MAP, &key, Operation::SetFields(fields.into()))
        }
        7 => operate("tags", Kind::OR_SET, &key, Operation::AddMembers(vec![Member::Bool(true)])),
        8 => operate("carts", Kind::CART, &key, Operation::AddItem { item: "i".into(), quantity: 1 }),
        9 => operate("maps", Kind::MAP, &key, Operation::Delete),
        11..14 => operate("rooms", Kind::CALENDAR, &key, booking(random)),
        // Refused, with all that came before it in the request.
        10 => operate("likes", Kind::G_COUNTER, &key, Operation::Add(-1)),
        _ => resolution(random, replica).unwrap_or_else(|| operate("notes", Kind::REGISTER, &key, value())),
    }
}

/// An hour of a short day, or the end of a booking.
fn booking(random: &mut Random) -> Operation {
    let id = format!("b{}", random.below(6));
    if random.below(4) == 0 {
        return Operation::Cancel { booking: id, by: "ann".into() };
    }
    let hour = random.below(3) as i64;
    let at = |hour: i64| Moment::from_ms(hour * 3_600_000).expect("a moment");
    let span = Span { start: at(hour), end: at(hour + 2) };
    Operation::Book(Booking { booking: Some(id), span, title: "x".into(), by: "ann".into() })
}

fn resolution(random: &mut Random, replica: &Replica) -> Option<Change> {
    let catalog = replica.engine.catalog();
    let page = conflicts::page(&Registry::builtin(), &replica.store, catalog, None, None, 10).expect("a page");
    let open = page.open.get(random.below(10) as usize)?;
    let keep = match random.below(2) {
        0 => Keep::Options(vec![open.conflict.options[0].id.clone()]),
        _ => Keep::Value(random.below(3).into()),
    };
    let resolution = Resolution { conflict: open.conflict.id, keep, by: Some("ann".into()), note: None };
    Some(operate(&open.collection, open.kind, &open.key, Operation::Resolve(resolution)))
}

fn check(replica: &Replica, when: &str) -> usize {
    let right = conflicts::recompute(&replica.store, replica.engine.catalog(), &Registry::builtin()).expect("rows");
    let [by_place, by_id] = conflicts::indexed(&replica.store).expect("an index");
    assert_eq!(by_place, right, "by place, {when}");
    assert_eq!(by_id, right, "by id, {when}");
    right.len()
}

fn history(seed: u64) -> (usize, usize, usize) {
    let mut random = Random(seed);
    let mut replicas = [Replica::new("a", 1), Replica::new("b", 2)];
    replicas[0].connect("b", 2);
    replicas[1].connect("a", 1);
    let declare = |name: &str, resolver: &str| {
        one(Change::Declare { collection: name.into(), kind: Kind::REGISTER, resolver: resolver.into() })
    };
    let mut outbox: [Vec<Vec<u8>>; 2] = Default::default();
    let (mut most, mut resolved, mut rooms) = (0, 0, 0);
    let mut counter = 0;
    for step in 0..60 {
        let at = random.below(2) as usize;
        let mut write = one(change(&mut random, &replicas[at]));
        if random.below(4) == 0 {
            write.changes.push(change(&mut random, &replicas[at]));
        }
        if step < 2 {
            write = declare("notes", "keep-all");
        }
        let is_resolution = write
            .changes
            .iter()
            .any(|change| matches!(change, Change::Operate { operation: Operation::Resolve(_), .. }));
        let places: &[usize] = if step >= 2 && random.below(4) == 0 { &[0, 1] } else { &[at] };
        if places.len() == 2 {
            counter += 1;
            write = keyed(write.changes.remove(0), counter);
        }
        for &place in places {
            let replica = &mut replicas[place];
            let time = replica.time;
            replica.engine.handle_write(&replica.store, time, 1, &write).expect("handled");
            let outputs = replica.settle();
            let done =
                outputs.iter().any(|output| matches!(output, anabranch_engine::Output::Reply { answer: Ok(_), .. }));
            resolved += usize::from(done && is_resolution);
            outbox[place].extend(sent(&outputs, ["b", "a"][place]));
        }
        if random.below(3) == 0 {
            let from = random.below(2) as usize;
            let list = std::mem::take(&mut outbox[from]);
            let outputs = replicas[1 - from].message(["a", "b"][from], Message::Transactions(list));
            outbox[1 - from].extend(sent(&outputs, ["b", "a"][1 - from]));
        }
        for replica in &replicas {
            most = most.max(check(replica, &format!("seed {seed}, step {step}")));
            let contested = replica.engine.catalog().get("rooms", Kind::CALENDAR);
            let count = |id| conflicts::count(&replica.store, id, 100).expect("counted");
            rooms += contested.map_or(0, |found| count(found.id)) as usize;
        }
    }
    (most, resolved, rooms)
}

#[test]
fn the_index_is_what_the_rows_call_for_after_any_history() {
    let (mut most, mut resolved, mut rooms) = (0, 0, 0);
    for seed in 0..150 {
        let (open, done, contested) = history(seed);
        rooms += contested;
        most = most.max(open);
        resolved += done;
    }
    assert!(most >= 5, "the histories make conflicts: at most {most} were open");
    assert!(rooms >= 20, "the histories contest bookings: {rooms} times");
    assert!(resolved >= 20, "the histories resolve conflicts: {resolved} were");
}

/// Counts what is read, by space.
struct Counting<'a> {
    store: &'a MemoryStore,
    read: RefCell<Vec<Space>>,
}

impl<'a> Counting<'a> {
    fn new(store: &'a MemoryStore) -> Self {
        Self { store, read: RefCell::default() }
    }
}

impl Read for Counting<'_> {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read.borrow_mut().push(space);
        self.store.get(space, key)
    }
    fn scan(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.read.borrow_mut().push(space);
        self.store.scan(space, from, to, &mut |key, value| {
            self.read.borrow_mut().push(space);
            visit(key, value)
        })
    }
    fn scan_back(&self, space: Space, from: &[u8], to: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.read.borrow_mut().push(space);
        self.store.scan_back(space, from, to, visit)
    }
    fn log(&self, index: u64, visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.store.log(index, visit)
    }
}

#[test]
fn a_write_to_a_key_without_conflict_pays_nothing() {
    let mut a = Replica::new("a", 1);
    a.write(&one(operate("notes", Kind::REGISTER, "k", Operation::Put(0.into())))).expect("written");
    // So that nothing is known from before.
    let mut a = a.reopen("a", 2, Registry::builtin());
    a.write(&one(operate("other", Kind::REGISTER, "k", Operation::Put(0.into())))).expect("written");
    for operation in [Operation::Put(1.into()), Operation::Put(2.into()), Operation::Delete] {
        let write = one(operate("notes", Kind::REGISTER, "k", operation));
        let counting = Counting::new(&a.store);
        a.engine.handle_write(&counting, a.time, 1, &write).expect("handled");
        let read = counting.read.take();
        assert!(read.iter().all(|space| *space == Space::Rows) && read.len() <= 2, "{read:?}");
        a.engine.seal();
        let written = a.engine.batch().rows.keys().filter(|(space, _)| *space == Space::Conflicts).count();
        assert_eq!(written, 0);
        a.settle();
    }
}

/// Two replicas that wrote without hearing of each other, so many keys each time, and what the second sent.
fn divided(keys: usize, conflicts: usize) -> Replica {
    let mut b = Replica::new("b", 2);
    b.connect("a", 1);
    let put =
        |key: usize, value: u64| operate("notes", Kind::REGISTER, &format!("k{key:07}"), Operation::Put(value.into()));
    let mut from_b = Vec::new();
    let write = |replica: &mut Replica, changes: Vec<Change>| {
        let write = anabranch_engine::Write { changes, key: None };
        replica.engine.handle_write(&replica.store, replica.time, 1, &write).expect("handled");
        replica.settle()
    };
    let declare = Change::Declare { collection: "notes".into(), kind: Kind::REGISTER, resolver: "escalate".to_owned() };
    from_b.extend(sent(&write(&mut b, vec![declare]), "a"));
    for key in 0..conflicts {
        from_b.extend(sent(&write(&mut b, vec![put(key * (keys / conflicts), 2)]), "a"));
    }
    let mut a = Replica::new("a", 1);
    let all: Vec<usize> = (0..keys).collect();
    for some in all.chunks(1_000) {
        write(&mut a, some.iter().map(|key| put(*key, 1)).collect());
    }
    a.connect("b", 2);
    a.message("b", Message::Transactions(from_b));
    a
}

fn listing_costs_what_is_open(keys: usize) {
    let a = divided(keys, 10);
    let counting = Counting::new(&a.store);
    let page = conflicts::page(&Registry::builtin(), &counting, a.engine.catalog(), None, None, 100).expect("a page");
    assert_eq!((page.open.len(), page.next), (10, None));
    let read = counting.read.take();
    let (rows, index): (Vec<Space>, Vec<Space>) = read.into_iter().partition(|space| *space == Space::Rows);
    assert!(rows.len() <= 10 * 16, "{} reads of rows for ten conflicts of two versions", rows.len());
    assert!(index.len() <= 10 * 3, "{} reads of the index for ten conflicts", index.len());
    let counting = Counting::new(&a.store);
    let id = page.open[3].conflict.id;
    let one = conflicts::one(&Registry::builtin(), &counting, a.engine.catalog(), id).expect("a look-up");
    assert_eq!(one.as_ref(), Some(&page.open[3]));
    assert!(counting.read.take().len() <= 20);
}

#[test]
fn listing_ten_conflicts_among_many_keys_reads_about_ten_rows() {
    listing_costs_what_is_open(20_000);
}

#[test]
#[ignore = "a million keys: run it in release"]
fn listing_ten_conflicts_among_a_million_keys_reads_about_ten_rows() {
    listing_costs_what_is_open(1_000_000);
}

/// The store as it would be without the index.
fn without_index(mut store: MemoryStore) -> MemoryStore {
    let mut batch = Batch::default();
    let mut remove = |space: Space, key: &[u8]| drop(batch.rows.insert((space, key.to_vec()), None));
    remove(Space::Meta, keys::meta::CONFLICTS);
    let scanned = store.scan(Space::Conflicts, &[], &[], &mut |key, _| {
        remove(Space::Conflicts, key);
        ControlFlow::Continue(())
    });
    scanned.expect("a scan");
    store.commit(&batch).expect("a commit");
    assert_eq!(store.len(Space::Conflicts), 0);
    store
}

fn all(store: &MemoryStore) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let scanned = store.scan(Space::Conflicts, &[], &[], &mut |key, _| {
        all.insert(key.to_vec());
        ControlFlow::Continue(())
    });
    scanned.expect("a scan");
    all
}

#[test]
fn a_data_directory_from_before_the_index_gets_one_step_by_step() {
    let mut a = divided(6_000, 5_000);
    let page = conflicts::page(&Registry::builtin(), &a.store, a.engine.catalog(), None, None, 1).expect("a page");
    let open = &page.open[0];
    let keep = Keep::Value("settled".into());
    let resolution = Resolution { conflict: open.conflict.id, keep, by: Some("ann".into()), note: None };
    let resolve = operate("notes", Kind::REGISTER, &open.key, Operation::Resolve(resolution));
    a.write(&one(resolve)).expect("resolved");
    let before = all(&a.store);
    assert!(before.len() > 2 * 4_999, "places, ids and a record");

    // It stops half way, and goes on where it was; a write in between is in it.
    let mut a = Replica::open("a", 3, without_index(a.store), Registry::builtin());
    assert!(!a.engine.is_indexed() && a.engine.wants_turn(), "it takes several batches");
    a.settle();
    let mut a = a.reopen("a", 4, Registry::builtin());
    assert!(!a.engine.is_indexed());
    a.write(&one(operate("notes", Kind::REGISTER, "k0000003", Operation::Put("a third".into())))).expect("written");
    let mut turns = 0;
    while !a.engine.is_indexed() {
        a.settle();
        turns += 1;
        assert!(turns < 10, "it comes to an end");
    }
    a.settle();
    check(&a, "made anew");
    let after = all(&a.store);
    let joined = |entry: &&Vec<u8>| entry.windows(8).any(|part| part == b"k0000003");
    let gone: Vec<_> = before.difference(&after).filter(|entry| !joined(entry)).collect();
    assert_eq!(gone.len(), 0, "what was there is found again: {gone:?}");
    let mut a = a.reopen("a", 5, Registry::builtin());
    assert!(a.engine.is_indexed(), "that was that");
    a.settle();
    assert_eq!(all(&a.store), after);
}

#[test]
fn pages_go_through_all_conflicts_in_order_and_begin_again_anywhere() {
    let a = divided(300, 100);
    let (catalog, registry): (&Catalog, _) = (a.engine.catalog(), Registry::builtin());
    let whole = conflicts::page(&registry, &a.store, catalog, None, None, 1_000).expect("a page");
    assert_eq!((whole.open.len(), whole.next), (100, None));
    let only = catalog.find("notes");
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = conflicts::page(&registry, &a.store, catalog, only, after.as_ref(), 7).expect("a page");
        assert!(page.open.len() <= 7);
        found.extend(page.open);
        let Some(next) = page.next else { break };
        let text = next.encode();
        after = conflicts::Cursor::decode(&text);
        assert_eq!(after.as_ref(), Some(&next), "a cursor goes through its text");
    }
    assert_eq!(found, whole.open);
    for text in ["", "AA", "not a cursor", &"A".repeat(9_000)] {
        assert_eq!(conflicts::Cursor::decode(text), None, "{text}");
    }
}

#[test]
fn what_waited_in_a_parked_collection_is_indexed_when_it_catches_up() {
    let mut without_maps = Registry::new();
    for name in Registry::builtin().names().filter(|name| *name != "map") {
        without_maps.register(Registry::builtin().by_name(name).expect("a resolver")).expect("a free name");
    }
    let mut a = Replica::open("a", 1, MemoryStore::new(), without_maps);
    for (name, origin) in [("b", 2), ("c", 3)] {
        let mut other = Replica::new(name, origin);
        other.connect("a", 1);
        let set = Operation::SetFields([("f".to_owned(), origin.into())].into());
        let time = other.time;
        other.engine.handle_write(&other.store, time, 1, &one(operate("maps", Kind::MAP, "k", set))).expect("handled");
        let list = sent(&other.settle(), "a");
        a.connect(name, origin);
        a.message(name, Message::Transactions(list));
    }
    assert_eq!(a.engine.status(a.time).parked_collections.len(), 1);
    assert_eq!(a.store.len(Space::Conflicts), 0);
    let a = a.reopen("a", 4, Registry::builtin());
    assert_eq!(check(&a, "caught up"), 1);
}
