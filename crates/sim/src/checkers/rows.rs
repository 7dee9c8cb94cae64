//! No resurrection, and whole transactions (I1): what a batch puts on a disk is never a row that was superseded there before;
//! and every row that its transactions add is among what it puts there, unless it was superseded at once.

use crate::ledger::Ledger;
use anabranch_causality::{Tag, Transaction};
use anabranch_engine::store::{Batch, Space};
use anabranch_engine::{Catalog, keys, rows};
use std::collections::BTreeSet;

/// Checks a batch that a replica writes, after which it has applied `ledger`; `fresh`: what is new of that.
pub(crate) fn check(
    batch: &Batch,
    fresh: &[(bool, Transaction)],
    ledger: &Ledger,
    catalog: &Catalog,
) -> Result<(), String> {
    let put = put(batch, catalog)?;
    if let Some(tag) = put.intersection(&ledger.superseded).next() {
        return Err(format!("the row {tag} was superseded here and is back"));
    }
    for (_, transaction) in fresh.iter().filter(|(copy, _)| !copy) {
        let is_applied =
            |collection: &str, kind| catalog.get(collection, kind).is_none_or(|found| found.parked.is_none());
        for effect in transaction.effects.iter().filter(|effect| is_applied(&effect.collection, effect.kind)) {
            let tags = effect.adds.iter().map(|add| Tag { operation: transaction.operation, position: add.position });
            if let Some(tag) = tags.into_iter().find(|tag| !put.contains(tag) && !ledger.superseded.contains(tag)) {
                return Err(format!("{} is not applied whole: its row {tag} is not there", transaction.dot));
            }
        }
    }
    Ok(())
}

/// The tags of the rows that a batch puts, but for collections that are parked: there it stops short of what is applied.
fn put(batch: &Batch, catalog: &Catalog) -> Result<BTreeSet<Tag>, String> {
    let parked = catalog.iter().filter(|found| found.parked.is_some()).map(|found| found.id.0.to_be_bytes());
    let parked: BTreeSet<[u8; 4]> = parked.collect();
    let mut tags = BTreeSet::new();
    let written = batch.rows.iter().filter(|((space, _), _)| *space == Space::Rows);
    for ((_, key), value) in written {
        let Some(value) = value else { continue };
        if key.first_chunk().is_some_and(|id| parked.contains(id)) {
            continue;
        }
        let (_, rest) = keys::split_key(key).map_err(|error| error.to_string())?;
        if let (_, rows::Stored::Row(tag, _)) = rows::read(rest, value).map_err(|error| error.to_string())? {
            tags.insert(tag);
        }
    }
    Ok(tags)
}
