//! Durable local writes through the library, from call to acknowledgement.

use crate::limits::{bare_file, fjall};
use crate::ours::local;
use crate::setting::{Commits, Setting, Until};
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch::Database;

/// The raw side of a write: three records, 366 bytes in all.
const RECORDS: usize = 3;
const RECORD_BYTES: usize = 122;

pub fn workloads() -> Vec<Workload> {
    vec![
        Workload {
            name: "writes-1",
            title: "Durable local writes, 1 writer",
            what: "A `put` of a 32-byte key and a value of 100 bytes among 100,000 keys, the next when the last was acknowledged; \
                   each acknowledgement is after an fdatasync. Beside it 366 bytes appended to a file that was written in \
                   advance, then fdatasync; and fjall with three records of 122 bytes, then `SyncData`.",
            unit: "writes/s",
            goals: vec![
                Goal::new(Of::Ratio("Anabranch", "bare file"), Bound::AtLeast(0.8)).stretch(Bound::AtLeast(0.95)),
            ],
            measure: |setting| measure(setting, 1),
        },
        Workload {
            name: "writes-64",
            title: "Durable local writes, 64 writers",
            what: "The same with 64 writes under way at any time. Beside it fjall given ready batches of 64 × 3 records, one \
                   `SyncData` a batch; and 64 × 366 bytes a time for the bare file.",
            unit: "writes/s",
            goals: vec![Goal::new(Of::Ratio("Anabranch", "fjall"), Bound::AtLeast(0.8)).stretch(Bound::AtLeast(2.0))],
            measure: |setting| measure(setting, 64),
        },
    ]
}

fn measure(setting: &Setting, writers: usize) -> anyhow::Result<Vec<Figure>> {
    let [ours, fjall, bare] = commits(setting, writers, setting.until())?;
    Ok(vec![
        Figure::new("Anabranch", ours.per_second),
        Figure::new("fjall", fjall.per_second * writers as f64),
        Figure::new("bare file", bare.per_second * writers as f64),
        Figure::other("Anabranch, slowest write", ours.worst_ms(), "ms"),
    ])
}

/// What commits take: ours of one write each, fjall's and the bare file's of as many as there are writers.
pub fn commits(setting: &Setting, writers: usize, until: Until) -> anyhow::Result<[Commits; 3]> {
    let dir = setting.folder()?;
    let db = Database::open(dir.path().join("ours"))?;
    let ours = local::drive(&db, writers, until, local::write)?;
    db.close();
    drop(db);
    let batches = match until {
        Until::Count(count) => Until::Count(count.div_ceil(writers as u64)),
        time => time,
    };
    let fjall = fjall::batches(&dir.path().join("fjall"), writers * RECORDS, RECORD_BYTES, batches)?;
    let bare = bare_file::appends(&dir.path().join("bare"), writers * RECORDS * RECORD_BYTES, batches)?;
    Ok([ours, fjall, bare])
}
