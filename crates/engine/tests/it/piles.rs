//! Piles: what they come to, and what the digest says, does not depend on when they were merged.

use crate::replica::{Replica, keyed, one, operate, sent};
use anabranch_causality::{Effect, Fold, Kind};
use anabranch_engine::store::Space;
use anabranch_engine::{Change, Refusal, Write};
use anabranch_protocol::Message;
use anabranch_resolvers::resolver::Exported;
use anabranch_resolvers::{
    Malformed, Operation, Outcome, Pile, PileHead, Prepare, ReadFailed, Registry, Rejection, Resolver, Rows, Text,
};
use anabranch_store::MemoryStore;
use serde_json::json;
use std::sync::Arc;

/// Texts whose piles are merged when they have so many changes.
struct MergingAt(u64);

impl Resolver for MergingAt {
    fn name(&self) -> &'static str {
        "text"
    }
    fn kind(&self) -> Kind {
        Kind::TEXT
    }
    fn prepare(&self, operation: &Operation, prepare: &mut Prepare<'_>) -> Result<(), Rejection> {
        Text.prepare(operation, prepare)
    }
    fn check(&self, effect: &Effect) -> Result<(), Malformed> {
        Text.check(effect)
    }
    fn pile(&self) -> Option<&dyn Pile> {
        Some(self)
    }
    fn value(&self, rows: &dyn Rows, most_bytes: usize) -> Result<Option<Outcome>, ReadFailed> {
        Text.value(rows, most_bytes)
    }
    fn export(&self, rows: &dyn Rows, since: Option<&[u8]>) -> Result<Exported, ReadFailed> {
        Text.export(rows, since)
    }
}

impl Pile for MergingAt {
    fn merge(&self, snapshot: Option<&[u8]>, changes: &[Vec<u8>]) -> Result<Vec<u8>, Malformed> {
        Text.merge(snapshot, changes)
    }
    fn canonical(&self, snapshot: &[u8]) -> Result<Vec<u8>, Malformed> {
        Text.canonical(snapshot)
    }
    fn is_due(&self, head: &PileHead) -> bool {
        head.changes >= self.0
    }
}

fn registry(merging_at: u64) -> Registry {
    let mut registry = without_texts();
    registry.register(Arc::new(MergingAt(merging_at))).expect("a free name");
    registry
}

fn without_texts() -> Registry {
    let (all, mut some) = (Registry::builtin(), Registry::new());
    for name in all.names().filter(|name| *name != "text") {
        some.register(all.by_name(name).expect("a resolver")).expect("a free name");
    }
    some
}

fn replica(name: &str, origin: u64, merging_at: u64) -> Replica {
    Replica::open(name, origin, MemoryStore::new(), registry(merging_at))
}

fn text(operation: Operation) -> Change {
    operate("notes", Kind::TEXT, "k", operation)
}

fn insert(at: u64, text: &str) -> Change {
    self::text(Operation::InsertText { at, text: text.into() })
}

/// Writes at one replica, and hands what it sends to the other.
fn write(from: &mut Replica, to: &mut Replica, names: (&str, &str), write: &Write) {
    from.engine.handle_write(&from.store, from.time, 1, write).expect("handled");
    let list = sent(&from.settle(), names.1);
    assert!(!list.is_empty(), "refused: {write:?}");
    to.message(names.0, Message::Transactions(list));
}

#[test]
fn digests_are_equal_whenever_piles_are_merged() {
    let mut always = replica("a", 1, 1);
    let mut never = replica("b", 2, u64::MAX);
    always.connect("b", 2);
    never.connect("a", 1);
    for n in 0..100 {
        let edit = one(insert(n / 2, ["x", "🙂"][n as usize % 2]));
        if n % 3 == 0 {
            write(&mut always, &mut never, ("a", "b"), &edit);
        } else {
            write(&mut never, &mut always, ("b", "a"), &edit);
        }
        assert_eq!(always.digest(), never.digest());
    }
    assert_eq!(always.value("notes", "k"), never.value("notes", "k"));
    assert_eq!((always.rows(), never.rows()), (2, 101), "a head and a snapshot; a head and every change");
    let last = always.digest();
    let always = always.reopen("a", 3, registry(u64::MAX));
    let mut never = never.reopen("b", 4, registry(10));
    assert_eq!((always.digest(), never.digest()), (last, last), "found again on disk");
    never.write(&one(insert(0, "!"))).expect("writes");
    assert_eq!(never.rows(), 2, "merged at last");
    let shown = never.value("notes", "k").expect("a text");
    assert_eq!(shown.as_str().map(|text| text.chars().count()), Some(101));
}

#[test]
fn an_emptied_text_is_no_key_and_its_updates_are_still_there() {
    let mut a = replica("a", 1, 3);
    a.write(&one(insert(0, "gone"))).expect("writes");
    a.write(&one(text(Operation::Delete))).expect("deletes");
    assert_eq!(a.value("notes", "k"), None);
    a.write(&one(text(Operation::Delete))).expect("deletes nothing");
    let found = a.engine.catalog().find("notes").expect("it exists");
    let exported = anabranch_engine::query::export(&registry(3), &a.store, found, "k", None);
    assert!(matches!(exported, Ok(Exported::Bytes(bytes)) if bytes.len() > 2));
    let other = anabranch_engine::query::export(&registry(3), &a.store, found, "other", None);
    assert_eq!(other, Ok(Exported::Nothing));
}

/// A request that is refused half way leaves nothing behind, not even in what is kept open.
#[test]
fn edits_that_were_tried_and_refused_leave_nothing() {
    let mut a = replica("a", 1, 5);
    let mut model = String::new();
    for n in 0..40 {
        let refused = Write { changes: vec![insert(0, "ghost"), insert(1, "of one"), insert(10_000, "x")], key: None };
        let Err(Refusal::Rejected { operation: 2, .. }) = a.write(&refused) else { panic!("refused") };
        let both =
            Write { changes: vec![insert(0, "a"), insert(1, "b"), insert(2 + model.len() as u64, "!")], key: None };
        if n % 4 == 0 {
            a.write(&both).expect("writes");
            model = format!("ab{model}!");
        } else {
            a.write(&one(insert(model.len() as u64, "cd"))).expect("writes");
            model.push_str("cd");
        }
        assert_eq!(a.value("notes", "k"), Some(json!(model)));
    }
}

/// A session's update that two leaders sequenced is piled up once.
#[test]
fn a_copy_is_not_piled_up_again() {
    let mut editor = replica("e", 9, u64::MAX);
    editor.write(&one(insert(0, "once"))).expect("writes");
    let found = editor.engine.catalog().find("notes").expect("it exists");
    let exported = anabranch_engine::query::export(&registry(1), &editor.store, found, "k", None);
    let Ok(Exported::Bytes(update)) = exported else { panic!("exports") };

    let (mut a, mut b) = (replica("a", 1, u64::MAX), replica("b", 2, 1));
    a.connect("b", 2);
    b.connect("a", 1);
    let request = keyed(text(Operation::Yjs(update)), 1);
    let sent_by = |replica: &mut Replica, to: &str| {
        replica.engine.handle_write(&replica.store, replica.time, 1, &request).expect("handled");
        sent(&replica.settle(), to)
    };
    let (of_a, of_b) = (sent_by(&mut a, "b"), sent_by(&mut b, "a"));
    a.message("b", Message::Transactions(of_b));
    b.message("a", Message::Transactions(of_a));
    assert_eq!(a.digest(), b.digest());
    assert_eq!((a.value("notes", "k"), a.rows()), (Some(json!("once")), 2));
}

#[test]
fn without_the_resolver_a_text_is_parked_and_catches_up_later() {
    let mut a = replica("a", 1, 2);
    a.connect("b", 2);
    let mut all = Vec::new();
    for n in 0..5 {
        a.engine.handle_write(&a.store, a.time, 1, &one(insert(n, "x"))).expect("handled");
        all.extend(sent(&a.settle(), "b"));
    }
    let mut b = Replica::open("b", 2, MemoryStore::new(), without_texts());
    b.connect("a", 1);
    b.message("a", Message::Transactions(all));
    assert_eq!(b.engine.status(b.time).parked_collections.len(), 1);
    let b = b.reopen("b", 3, registry(u64::MAX));
    assert_eq!((b.value("notes", "k"), b.digest()), (a.value("notes", "k"), a.digest()));
}

/// What is no update parks the collection before anything of it is applied.
#[test]
fn an_effect_that_is_no_update_parks_the_collection() {
    use anabranch_causality::{Actor, Dot, Hlc, Lineage, OperationId, Origin, ShardId, Transaction};
    let mut effect = Effect::new("notes", Kind::TEXT, "k");
    effect.folds.push(Fold { subkey: Vec::new(), payload: vec![0xff; 40] });
    let transaction = Transaction {
        dot: Dot { shard: ShardId(0), origin: Origin(9), seq: 1 },
        hlc: Hlc(1),
        operation: OperationId { actor: Actor::Leader(Origin(9)), counter: 1, hash: 0 },
        dependencies: Default::default(),
        lineage: Some(Lineage { node: "x".into(), region: "x".into(), previous: None }),
        effects: vec![effect],
    };
    let mut a = replica("a", 1, 2);
    a.connect("x", 9);
    a.message("x", Message::Transactions(vec![transaction.encode()]));
    let status = a.engine.status(a.time);
    assert_eq!(status.parked_collections.len(), 1, "{:?}", status.parked_collections);
    assert_eq!(a.store.len(Space::Rows), 0);
}
