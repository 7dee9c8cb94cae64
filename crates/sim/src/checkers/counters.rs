//! I4 for counters, which are exact: every acknowledged change counts once, every other at most once. Worked out from what clients
//! asked for, not from what the leaders made of it.

use anabranch_causality::OperationId;
use anabranch_engine::{Change, Write};
use anabranch_resolvers::Operation;
use std::collections::BTreeMap;

use super::spec::Place;

/// Compares sums with the requests behind `counted`: the operations that took effect.
pub(crate) fn check<'a>(
    counted: impl Iterator<Item = (OperationId, Option<&'a Write>)>,
    sums: &BTreeMap<Place, i128>,
) -> Result<(), String> {
    let mut asked: BTreeMap<Place, i128> = BTreeMap::new();
    for (operation, write) in counted {
        let write = write.ok_or_else(|| format!("{operation} took effect and nobody asked for it"))?;
        for change in &write.changes {
            if let Change::Operate { collection, kind, key, operation: Operation::Add(change), .. } = change {
                let place = (collection.clone(), kind.0, key.clone(), Vec::new());
                *asked.entry(place).or_default() += i128::from(*change);
            }
        }
    }
    for (place, sum) in &asked {
        if sums.get(place) != Some(sum) {
            return Err(format!("counter {place:?} is {:?}, asked for was {sum}", sums.get(place)));
        }
    }
    if asked.len() == sums.len() { Ok(()) } else { Err("there are counters that nobody asked for".to_owned()) }
}
