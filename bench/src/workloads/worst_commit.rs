//! The worst of many durable writes.

use super::writes::commits;
use crate::setting::{Setting, Until};
use crate::workload::{Bound, Figure, Goal, Of, Workload};

/// In how many writes, by how many writers, the worst is looked for.
const WRITES: u64 = 500_000;
const WRITERS: usize = 64;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "worst-commit",
        title: "The worst single commit in 500,000 writes",
        what: "The longest that one of 500,000 writes took from call to acknowledgement, 64 of them under way at any time, \
                   otherwise as in `writes-64`. Beside it the longest commit of fjall given as much in ready batches of 64 × 3 records, and the \
                   longest append of 64 × 366 bytes with its fdatasync.",
        unit: "ms",
        goals: vec![Goal::new(Of::One("Anabranch"), Bound::AtMost(50.0)).stretch(Bound::AtMost(10.0))],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let [ours, fjall, bare] = commits(setting, WRITERS, Until::Count(setting.scaled(WRITES)))?;
    Ok(vec![
        Figure::new("Anabranch", ours.worst_ms()),
        Figure::new("fjall", fjall.worst_ms()),
        Figure::new("bare file", bare.worst_ms()),
        Figure::other("Anabranch, all of them", ours.per_second, "writes/s"),
    ])
}
