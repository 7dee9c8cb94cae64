//! I3, the other half: what was acknowledged, or was on any disk, is there in the end, unless every disk that held it was
//! put back to before it.

use crate::history::History;
use anabranch_causality::{OperationId, VersionVector};

/// Checks what all replicas hold in the end.
pub(crate) fn check(
    history: &History,
    vector: &VersionVector,
    acknowledged: impl Iterator<Item = OperationId>,
) -> Result<(), String> {
    let holds = |dot: anabranch_causality::Dot| vector.get(dot.origin) >= dot.seq;
    for operation in acknowledged {
        let copies = history.copies(&operation);
        let there = copies.iter().any(|dot| holds(*dot));
        let excused = !copies.is_empty() && copies.iter().all(|dot| history.is_excused(*dot));
        if !there && !excused {
            return Err(format!("{operation} was acknowledged and is lost; it was at {copies:?}"));
        }
    }
    match history.dots().find(|(dot, excused)| !excused && !holds(*dot)) {
        Some((dot, _)) => Err(format!("{dot} was on a disk and is lost")),
        None => Ok(()),
    }
}
