//! What replicas must hold: the naive specification of the law checker, applied to each key of a store.

use crate::replica::{REGISTRY, Replica};
use anabranch_causality::{Hlc, Kind, Tag, Transaction};
use anabranch_engine::{Collection, KeyRows, conflicts, query};
use anabranch_resolvers::laws::Naive;
use anabranch_resolvers::resolver::{VisitPart, VisitRow};
use anabranch_resolvers::{Pile, PileHead, PilePart, ReadFailed, Resolver, Row, Rows};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The longest value that is compared, in bytes of JSON.
const MOST_BYTES: usize = 1 << 20;

type Found = BTreeMap<Tag, (Vec<u8>, Hlc, Vec<u8>)>;

/// Checks every key that these transactions name, at a replica that has applied just them; and what is known of conflicts.
///
/// # Panics
/// When rows, sums or piles are not those of the definition, or something else is made of them.
pub(crate) fn check(replica: &Replica, transactions: &[Transaction]) {
    let effects = transactions.iter().flat_map(|transaction| &transaction.effects);
    let keys: BTreeSet<(&str, Kind, &str)> =
        effects.map(|effect| (effect.collection.as_str(), effect.kind, effect.key.as_str())).collect();
    for place in keys {
        check_key(replica, transactions, place);
    }
    check_index(replica);
}

/// Checks that the index of conflicts is what the rows call for.
///
/// # Panics
/// When it is not.
pub(crate) fn check_index(replica: &Replica) {
    let right = conflicts::recompute(&replica.store, replica.engine.catalog(), &REGISTRY).expect("rows can be read");
    for found in conflicts::indexed(&replica.store).expect("the index can be read") {
        assert_eq!(found, right, "the index of conflicts at {}; right: what the rows call for", replica.name);
    }
}

fn check_key(replica: &Replica, transactions: &[Transaction], (collection, kind, key): (&str, Kind, &str)) {
    let touching: Vec<Transaction> = transactions
        .iter()
        .filter_map(|transaction| {
            let mut one = transaction.clone();
            one.effects.retain(|found| found.collection == collection && found.kind == kind && found.key == key);
            (!one.effects.is_empty()).then_some(one)
        })
        .collect();
    let naive = Naive::of(touching.iter().map(|transaction| (transaction, [].as_slice())));
    let (place, name) = (format!("{collection}~{kind}/{key}"), &replica.name);
    let found = replica.engine.catalog().get(collection, kind).unwrap_or_else(|| panic!("{name} lacks {place}"));
    let stored = KeyRows::new(&replica.store, found.id, key);
    let mut rows = Found::new();
    let visited = stored.rows(None, &mut |row| {
        rows.insert(row.tag, (row.subkey.to_vec(), row.stamp, row.payload.to_vec()));
        ControlFlow::Continue(())
    });
    visited.expect("rows can be read");
    let defined = naive.rows.iter().map(|(tag, row)| (*tag, (row.subkey.clone(), row.stamp, row.payload.clone())));
    assert_eq!(rows, defined.collect::<Found>(), "rows of {place} at {name}; right: the definition");
    let resolver = found.resolver_in(&REGISTRY).expect("a resolver that is known");
    let defined = Defined::of(&naive, &*resolver);
    for (subkey, changes) in &naive.changes {
        match resolver.pile() {
            Some(pile) => check_pile(pile, &stored, subkey, &defined, &format!("{place} at {name}")),
            None => {
                let sum = defined.sums.get(subkey).cloned();
                assert_eq!(stored.sum(subkey), Ok(sum), "the sum of {place} at {name}; right: that of {changes:?}");
            }
        }
    }
    check_value(replica, found, key, &*resolver, &defined);
}

/// However its changes were merged, a pile is what they come to at once.
fn check_pile(pile: &dyn Pile, stored: &KeyRows<'_>, subkey: &[u8], defined: &Defined<'_>, place: &str) {
    let changes = defined.changes(subkey);
    let head = stored.pile(subkey).expect("a pile's head can be read").expect("a pile");
    assert_eq!(head.next, changes.len() as u64, "the changes of {place}; right: the definition");
    let (mut snapshot, mut more) = (None, Vec::new());
    let visited = stored.pile_parts(subkey, None, &mut |part| {
        match part {
            PilePart::Snapshot(bytes) => snapshot = Some(bytes.to_vec()),
            PilePart::Change(change) => more.push(change.to_vec()),
        }
        ControlFlow::Continue(())
    });
    visited.expect("a pile can be read");
    let canonical = |snapshot: Option<&[u8]>, changes: &[Vec<u8>]| {
        let merged = pile.merge(snapshot, changes).expect("what was prepared can be merged");
        pile.canonical(&merged).expect("what was merged can be read")
    };
    let (found, right) = (canonical(snapshot.as_deref(), &more), canonical(None, &changes));
    assert_eq!(found, right, "the pile of {place}; right: all its changes at once");
}

/// What people read is made of the defined state alone.
fn check_value(replica: &Replica, found: &Collection, key: &str, resolver: &dyn Resolver, defined: &Defined<'_>) {
    let place = format!("{}/{key} at {}", found.name, replica.name);
    let value = query::value(&REGISTRY, &replica.store, found, key, None, MOST_BYTES).expect("values can be read");
    let right = resolver.value(defined, MOST_BYTES).expect("what is defined can be read");
    assert_eq!(value, right, "the value of {place}; right: that of the definition");
    let standing = resolver.conflicts(&KeyRows::new(&replica.store, found.id, key));
    assert_eq!(standing, resolver.conflicts(defined), "the conflicts of {place}; right: those of the definition");
}

/// The defined state of a key as resolvers see it: nothing was ever merged.
pub(crate) struct Defined<'a> {
    naive: &'a Naive,
    sums: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<'a> Defined<'a> {
    pub(crate) fn of(naive: &'a Naive, resolver: &dyn Resolver) -> Self {
        let mut sums = BTreeMap::new();
        for (subkey, changes) in naive.changes.iter().filter(|_| resolver.pile().is_none()) {
            let sum = changes.values().fold(None, |sum: Option<Vec<u8>>, change| {
                Some(resolver.fold(sum.as_deref(), change).expect("what was prepared can be folded"))
            });
            sums.extend(sum.map(|sum| (subkey.clone(), sum)));
        }
        Self { naive, sums }
    }

    fn changes(&self, subkey: &[u8]) -> Vec<Vec<u8>> {
        self.naive.changes.get(subkey).into_iter().flat_map(|changes| changes.values().cloned()).collect()
    }
}

impl Rows for Defined<'_> {
    fn rows(&self, subkey: Option<&[u8]>, visit: VisitRow<'_>) -> Result<(), ReadFailed> {
        let mut rows: Vec<_> = self.naive.rows.iter().map(|(tag, row)| (&row.subkey, tag, row)).collect();
        rows.sort_by_key(|(subkey, tag, _)| (*subkey, *tag));
        let wanted = |found: &[u8]| subkey.is_none_or(|subkey| subkey == found);
        for (subkey, tag, row) in rows.into_iter().filter(|(found, ..)| wanted(found)) {
            if visit(Row { subkey, tag: *tag, stamp: row.stamp, payload: &row.payload }).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn sum(&self, subkey: &[u8]) -> Result<Option<Vec<u8>>, ReadFailed> {
        Ok(self.sums.get(subkey).cloned())
    }

    fn pile(&self, subkey: &[u8]) -> Result<Option<PileHead>, ReadFailed> {
        let mut head = PileHead::default();
        self.changes(subkey).iter().for_each(|change| head.push(change));
        Ok((head.next > 0).then_some(head))
    }

    fn pile_parts(&self, subkey: &[u8], from: Option<u64>, visit: VisitPart<'_>) -> Result<(), ReadFailed> {
        for change in self.changes(subkey).iter().skip(from.unwrap_or(0) as usize) {
            if visit(PilePart::Change(change)).is_break() {
                break;
            }
        }
        Ok(())
    }
}
