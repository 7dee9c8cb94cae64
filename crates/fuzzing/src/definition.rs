//! What replicas must hold: the naive specification of the law checker, applied to each key of a store.

use crate::replica::{REGISTRY, Replica};
use anabranch_causality::{Hlc, Kind, Tag, Transaction};
use anabranch_engine::KeyRows;
use anabranch_resolvers::Rows;
use anabranch_resolvers::laws::Naive;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

type Found = BTreeMap<Tag, (Vec<u8>, Hlc, Vec<u8>)>;

/// Checks every key that these transactions name, at a replica that has applied just them.
///
/// # Panics
/// When rows or sums are not those of the definition.
pub(crate) fn check(replica: &Replica, transactions: &[Transaction]) {
    let effects = transactions.iter().flat_map(|transaction| &transaction.effects);
    let keys: BTreeSet<(&str, Kind, &str)> =
        effects.map(|effect| (effect.collection.as_str(), effect.kind, effect.key.as_str())).collect();
    for place in keys {
        check_key(replica, transactions, place);
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
    let defined = naive.rows.into_iter().map(|(tag, row)| (tag, (row.subkey, row.stamp, row.payload)));
    assert_eq!(rows, defined.collect::<Found>(), "rows of {place} at {name}; right: the definition");
    let resolver = found.resolver_in(&REGISTRY).expect("a resolver that is known");
    for (subkey, changes) in &naive.changes {
        let sum = changes.values().fold(None, |sum: Option<Vec<u8>>, change| {
            Some(resolver.fold(sum.as_deref(), change).expect("what was prepared can be folded"))
        });
        assert_eq!(stored.sum(subkey), Ok(sum), "the sum of {place} at {name}; right: the definition");
    }
}
