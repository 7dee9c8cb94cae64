//! The index of open conflicts holds what the rows call for, whatever order they came in and whatever crashed in between.

use anabranch_engine::store::Read;
use anabranch_engine::{Catalog, conflicts};
use anabranch_resolvers::Registry;

/// Compares the index of a store with its rows. Returns how many entries there are.
pub(crate) fn check(registry: &Registry, catalog: &Catalog, read: &dyn Read) -> Result<usize, String> {
    let right = conflicts::recompute(read, catalog, registry).map_err(|error| error.to_string())?;
    let [by_place, by_id] = conflicts::indexed(read).map_err(|error| error.to_string())?;
    for (found, how) in [(&by_place, "by place"), (&by_id, "by id")] {
        if let Some(missing) = right.difference(found).next() {
            return Err(format!("the index of conflicts lacks {missing:?} {how}"));
        }
        if let Some(extra) = found.difference(&right).next() {
            return Err(format!("the index of conflicts has {extra:?} {how}, which the rows do not"));
        }
    }
    Ok(right.len())
}
