//! How old a replica says that what it shows may be: everything that any leader wrote longer ago than that must be there.

use anabranch_causality::{Dot, VersionVector};

/// Checks what a replica that holds `vector` says at the time `now`; `written`: when each transaction came to its leader's disk.
/// `slack_ms`: a word counts from when it is heard, so it may be as much older as it was under way.
pub(crate) fn check(
    written: &[(u64, Dot)],
    vector: &VersionVector,
    now: u64,
    behind_ms: u64,
    slack_ms: u64,
) -> Result<(), String> {
    let before = now.saturating_sub(behind_ms.saturating_add(slack_ms));
    let lacking = |(when, dot): &&(u64, Dot)| *when < before && vector.get(dot.origin) < dot.seq;
    match written.iter().find(lacking) {
        None => Ok(()),
        Some((when, dot)) => {
            Err(format!("it says that it is {behind_ms} ms behind, and lacks {dot}, written {} ms ago", now - when))
        }
    }
}
