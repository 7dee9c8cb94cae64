//! Texts: what edits do, and what the laws' histories of editors come to.

use crate::laws::options;
use crate::world::{World, by};
use anabranch_causality::{Actor, Dot, Effect, Fold, Hlc, Kind, OperationId, Origin, ShardId, Transaction};
use anabranch_resolvers::laws::{self, Applied, Naive, Options, Random, Replica};
use anabranch_resolvers::{Exported, Memo, Operation, Pile, Prepare, Rejection, Resolver, Text};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeSet;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, GetString, OffsetKind, ReadTxn, Text as _, Transact, Update};

/// Editors like those in browsers, each with a document of its own, which sometimes see what others did. What they send
/// may come in any order, or never.
pub(crate) struct Editors {
    docs: Vec<Doc>,
}

pub(crate) fn doc(client: u64) -> Doc {
    let client_id = yrs::ClientID::new(client);
    Doc::with_options(yrs::Options { client_id, offset_kind: OffsetKind::Utf16, ..yrs::Options::default() })
}

impl Editors {
    pub(crate) fn new() -> Self {
        Self { docs: (0..4).map(|n| doc(100 + n)).collect() }
    }

    pub(crate) fn edit(&mut self, random: &mut Random) -> Vec<u8> {
        let at = random.index(self.docs.len());
        if random.chance(1, 3) {
            let other = random.index(self.docs.len());
            let state = self.docs[at].transact().state_vector();
            let update = self.docs[other].transact().encode_diff_v1(&state);
            let update = Update::decode_v1(&update).expect("an editor's");
            self.docs[at].transact_mut().apply_update(update).expect("applies");
        }
        let doc = &self.docs[at];
        let text = doc.get_or_insert_text("text");
        let mut transaction = doc.transact_mut();
        let length = text.len(&transaction);
        if length > 0 && random.chance(1, 4) {
            let start = random.below(u64::from(length)) as u32;
            let count = (1 + random.below(4) as u32).min(length - start);
            text.remove_range(&mut transaction, start, count);
        } else {
            let start = random.below(u64::from(length) + 1) as u32;
            text.insert(&mut transaction, start, ["a", "bc", "déf", "🙂", "e\u{301}"][random.index(5)]);
        }
        // Sometimes everything that the editor has, as after a reconnection.
        if random.chance(1, 12) {
            return transaction.encode_diff_v1(&Default::default());
        }
        transaction.encode_update_v1()
    }
}

fn any_operation(editors: &mut Editors, random: &mut Random) -> Operation {
    match random.below(12) {
        0..=2 => {
            let text = ["x", "yz", "🙂", "w\u{301}"][random.index(4)].to_owned();
            Operation::InsertText { at: random.below(4), text }
        }
        3 => Operation::DeleteText { at: random.below(4), length: 1 + random.below(3) },
        4 if random.chance(1, 4) => Operation::Delete,
        _ => Operation::Yjs(editors.edit(random)),
    }
}

/// All updates at once, in a document made for nothing else. `None` when some of them need what is not there.
fn at_once(changes: &[&Vec<u8>]) -> Option<String> {
    let doc = doc(1);
    for change in changes {
        let update = Update::decode_v1(change).expect("an update");
        doc.transact_mut().apply_update(update).expect("applies");
    }
    let is_whole = !doc.transact().has_missing_updates() && !has_gaps(&doc);
    is_whole.then(|| doc.get_or_insert_text("text").get_string(&doc.transact()))
}

/// Whether something of a client is there and something earlier is not.
fn has_gaps(doc: &Doc) -> bool {
    let all = Update::decode_v1(&doc.transact().encode_diff_v1(&Default::default())).expect("a document");
    all.insertions(true).iter().any(|(_, ranges)| ranges.iter().any(|range| range.start > 0))
}

/// As Yjs has it, where all is there; else what the resolver itself makes of it when it gets it at once.
fn spec(naive: &Naive, whole: &Cell<u64>) -> Option<Value> {
    let changes: Vec<&Vec<u8>> = naive.changes.values().flat_map(|changes| changes.values()).collect();
    let text = at_once(&changes).inspect(|_| whole.set(whole.get() + 1));
    let text = text.unwrap_or_else(|| {
        let mut replica = Replica::new();
        changes.into_iter().enumerate().for_each(|(n, change)| take(&mut replica, n as u64 + 1, change));
        shown(&replica)
    });
    (!text.is_empty()).then_some(Value::String(text))
}

/// A history of its own per seed, for each has its own editors.
#[test]
fn text_keeps_the_laws() {
    let options = options();
    let whole = Cell::new(0);
    let mut all = laws::Report::default();
    for case in 0..options.cases {
        let mut editors = Editors::new();
        let options = Options { seed: options.seed + case, cases: 1, ..options.clone() };
        let report = laws::check(
            &Text,
            |random| any_operation(&mut editors, random),
            Some(&|naive: &Naive| spec(naive, &whole)),
            &options,
        );
        let report = report.unwrap_or_else(|violation| panic!("{violation}"));
        all.operations += report.operations;
        all.rejections += report.rejections;
        all.retries += report.retries;
        all.states += report.states;
    }
    assert!(all.operations > options.cases * 10 && all.rejections > options.cases, "{all:?}");
    assert!(all.retries > options.cases / 10, "{all:?}");
    assert!(whole.get() > all.states / 4, "of {} states {} were whole", all.states, whole.get());
}

fn leader(counter: u64) -> OperationId {
    OperationId { actor: Actor::Leader(Origin(7)), counter, hash: 0 }
}

/// A transaction with one update that nobody prepared.
pub(crate) fn take(replica: &mut Replica, seq: u64, update: &[u8]) {
    let mut effect = Effect::new("c", Kind::TEXT, "k");
    effect.folds.push(Fold { subkey: Vec::new(), payload: update.to_vec() });
    let dot = Dot { shard: ShardId(0), origin: Origin(7), seq };
    let (operation, effects) = (leader(seq), vec![effect]);
    let dependencies = Default::default();
    let transaction = Transaction { dot, hlc: Hlc(seq), operation, dependencies, lineage: None, effects };
    assert_eq!(replica.apply(&Text, &transaction), Ok(Applied::First));
}

pub(crate) fn shown(replica: &Replica) -> String {
    let outcome = Text.value(replica, usize::MAX).expect("reads");
    outcome.map_or(String::new(), |outcome| outcome.value.as_str().expect("a string").to_owned())
}

/// One editor who only appends: whatever part of its updates is there, what is seen is what it wrote without a gap.
#[test]
fn what_needs_what_is_missing_waits_and_is_seen_when_it_comes() {
    let mut random = Random::new(5);
    for round in 0..200 {
        let (editor, mut updates) = (doc(9), Vec::new());
        let text = editor.get_or_insert_text("text");
        for n in 0..12u8 {
            let mut transaction = editor.transact_mut();
            text.push(&mut transaction, &char::from(b'a' + n).to_string());
            updates.push((n as usize, transaction.encode_update_v1()));
        }
        (1..12).for_each(|n| updates.swap(n, random.index(n + 1)));
        let mut replica = if round % 2 == 0 { Replica::new() } else { Replica::merging_at(1 + round / 40) };
        let mut there = BTreeSet::new();
        for (seq, (n, update)) in updates.iter().enumerate() {
            take(&mut replica, seq as u64 + 1, update);
            there.insert(*n);
            let seen = (0..12).take_while(|n| there.contains(n)).count();
            assert_eq!(shown(&replica), "abcdefghijkl"[..seen]);
        }
    }
}

/// A leader's edits one after the other are those of a plain string, counted in characters.
#[test]
fn sequential_edits_are_those_of_a_string() {
    let mut random = Random::new(3);
    for _ in 0..30 {
        let (mut world, mut model) = (World::new(&Text, 1), Vec::<char>::new());
        for n in 1..60 {
            let at = random.index(model.len() + 1);
            let operation = if random.chance(1, 3) && at < model.len() {
                let count = 1 + random.index((model.len() - at).min(4));
                model.drain(at..at + count);
                Operation::DeleteText { at: at as u64, length: count as u64 }
            } else {
                let text = ["a", "🙂b", "e\u{301}", "👩‍👩‍👧", "\u{10ffff}\n"][random.index(5)];
                model.splice(at..at, text.chars());
                Operation::InsertText { at: at as u64, text: text.to_owned() }
            };
            world.apply(0, leader(n), &[operation], None).expect("in range");
            let expected: String = model.iter().collect();
            assert_eq!(world.value(0), (!expected.is_empty()).then(|| json!(expected)));
        }
        world.apply(0, leader(60), &[Operation::Delete], None).expect("deletes");
        assert_eq!(world.value(0), None, "an emptied text is no key");
    }
}

#[test]
fn edits_beyond_the_end_say_how_long_the_text_is() {
    let mut world = World::new(&Text, 1);
    let insert = |at, text: &str| Operation::InsertText { at, text: text.to_owned() };
    world.apply(0, leader(1), &[insert(0, "a🙂")], None).expect("inserts");
    let refused = |what: &str| Err(Rejection::Rejected(what.to_owned()));
    let say = "cannot insert at 3: the text has 2 characters";
    assert_eq!(world.apply(0, leader(2), &[insert(3, "x")], None), refused(say));
    for (at, length) in [(0, 3), (2, 1), (u64::MAX, 1), (1, u64::MAX)] {
        let say = format!("cannot delete {length} characters at {at}: the text has 2 characters");
        assert_eq!(world.apply(0, leader(2), &[Operation::DeleteText { at, length }], None), refused(&say));
    }
    world.apply(0, leader(2), &[insert(2, "!")], None).expect("at the end");
    assert_eq!(world.value(0), Some(json!("a🙂!")));
}

#[test]
fn with_a_counter_only_updates_are_taken() {
    let mut world = World::new(&Text, 2);
    for operation in [
        Operation::InsertText { at: 0, text: "x".to_owned() },
        Operation::DeleteText { at: 0, length: 1 },
        Operation::Delete,
    ] {
        assert!(matches!(world.apply(0, by(1, 1), &[operation], None), Err(Rejection::NotSupported(_))));
    }
    let editor = doc(5);
    let text = editor.get_or_insert_text("text");
    let update = {
        let mut transaction = editor.transact_mut();
        text.insert(&mut transaction, 0, "once");
        transaction.encode_update_v1()
    };
    for leader in [0, 1] {
        world.apply(leader, by(1, 1), &[Operation::Yjs(update.clone())], None).expect("takes");
    }
    world.sync();
    assert_eq!((world.value(0), world.value(1)), (Some(json!("once")), Some(json!("once"))));
    let garbage = world.apply(0, by(1, 2), &[Operation::Yjs(vec![1, 2, 3])], None);
    assert_eq!(garbage, Err(Rejection::Rejected("not a Yjs update (version 1)".to_owned())));
}

/// What a memo keeps makes no difference: not after edits that were prepared and then refused, nor when others wrote.
#[test]
fn a_memo_changes_nothing() {
    let mut random = Random::new(11);
    let mut editors = Editors::new();
    let (mut memo, mut replica, mut seq, mut reused) = (Memo::default(), Replica::merging_at(7), 0, 0);
    for _ in 0..600 {
        let operation = any_operation(&mut editors, &mut random);
        let prepare = |memo: Option<&mut Memo>| {
            let (mut position, mut effect) = (0, Effect::new("c", Kind::TEXT, "k"));
            let prepare = Prepare::new(&replica, leader(seq + 1), None, &mut position, &mut effect);
            let outcome = match memo {
                Some(memo) => Text.prepare(&operation, &mut prepare.with_memo(memo)),
                None => Text.prepare(&operation, &mut { prepare }),
            };
            (outcome, effect)
        };
        let plain = prepare(None);
        reused += u64::from(!memo.is_empty());
        assert_eq!(prepare(Some(&mut memo)), plain);
        if let (Ok(()), effect) = plain
            && random.chance(2, 3)
            && let Some(fold) = effect.folds.first()
        {
            seq += 1;
            take(&mut replica, seq, &fold.payload);
        }
    }
    assert!(reused > 300);
}

/// A provider that knows some of it gets the rest, and what waits here goes with it.
#[test]
fn the_rest_since_a_state_is_all_that_is_lacking() {
    let mut random = Random::new(2);
    for round in 0..60 {
        let mut editors = Editors::new();
        let mut replica = Replica::merging_at(1 + round % 9);
        let (reader, mut seq) = (doc(1), 0);
        for _ in 0..40 {
            let update = editors.edit(&mut random);
            // Some get lost on their way here.
            if random.chance(1, 10) {
                continue;
            }
            seq += 1;
            take(&mut replica, seq, &update);
            if random.chance(1, 4) {
                let since = reader.transact().state_vector().encode_v1();
                let Ok(Exported::Bytes(rest)) = Text.export(&replica, Some(&since)) else { panic!("exports") };
                reader.transact_mut().apply_update(Update::decode_v1(&rest).expect("an update")).expect("applies");
            }
        }
        let Ok(Exported::Bytes(all)) = Text.export(&replica, None) else { panic!("exports") };
        let fresh = doc(2);
        fresh.transact_mut().apply_update(Update::decode_v1(&all).expect("an update")).expect("applies");
        let since = reader.transact().state_vector().encode_v1();
        let Ok(Exported::Bytes(rest)) = Text.export(&replica, Some(&since)) else { panic!("exports") };
        reader.transact_mut().apply_update(Update::decode_v1(&rest).expect("an update")).expect("applies");
        let text = |doc: &Doc| doc.get_or_insert_text("text").get_string(&doc.transact());
        assert_eq!(text(&reader), text(&fresh));
        let mut whole = Replica::new();
        take(&mut whole, 1, &all);
        assert_eq!(shown(&whole), shown(&replica), "an export taken in elsewhere shows the same");
    }
    assert!(matches!(Text.export(&Replica::new(), Some(&[1])), Ok(Exported::BadSince(_))));
    assert_eq!(Text.export(&Replica::new(), None), Ok(Exported::Nothing));
}

/// What lies on disk.
#[test]
fn snapshots_have_these_bytes() {
    let first = [1, 1, 5, 0, 4, 1, 4, b't', b'e', b'x', b't', 2, b'h', b'i', 0].to_vec();
    let third = [1, 1, 5, 3, 0x84, 5, 2, 1, b'!', 1, 5, 1, 9, 1].to_vec();
    let snapshot = Text.merge(None, &[third.clone(), first.clone()]).expect("merges");
    let expected = [&[1, first.len() as u8][..], &first, &[1, third.len() as u8], &third].concat();
    assert_eq!(snapshot, expected);
    let second = [1, 1, 5, 2, 0x84, 5, 1, 1, b'.', 0].to_vec();
    let whole = Text.merge(Some(&snapshot), &[second]).expect("merges");
    assert!(whole.windows(4).any(|bytes| bytes == b"hi.!"), "what waited is in");
}
