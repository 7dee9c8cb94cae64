//! I1 and I2: a version vector is a gap-free prefix, and a transaction is applied only when its dependencies are.

use anabranch_causality::{Transaction, VersionVector};

/// Checks a transaction at the moment at which a replica that has applied `vector` applies it. That its dependencies are
/// written as the difference to its origin's last transaction does not matter: that one was checked before it.
pub(crate) fn check(vector: &VersionVector, transaction: &Transaction) -> Result<(), String> {
    let dot = transaction.dot;
    let have = vector.get(dot.origin);
    if dot.seq != have + 1 {
        return Err(format!("{dot} was applied after number {have} of its origin"));
    }
    if !vector.covers(&transaction.dependencies) {
        let lacking = transaction.dependencies.iter().filter(|(origin, seq)| vector.get(*origin) < *seq).collect();
        let lacking: VersionVector = lacking;
        return Err(format!("{dot} was applied without what it depends on: {lacking} of {vector}"));
    }
    let previous = transaction.lineage.as_ref().and_then(|lineage| lineage.previous);
    match previous {
        Some((origin, last)) if vector.get(origin) < last => {
            Err(format!("{dot} was applied without {origin}:{last}, which it continues"))
        }
        _ => Ok(()),
    }
}
