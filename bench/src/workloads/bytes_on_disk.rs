//! Bytes on disk per key.

use crate::limits::fjall;
use crate::ours::{disk, local};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch::Database;

/// How many keys, how long the keys, how long the values are as JSON, the name.
const SETS: [(u64, usize, usize, &str); 2] = [(500_000, 32, 100, "32 + 100 bytes"), (500_000, 16, 8, "16 + 8 bytes")];

pub fn workloads() -> Vec<Workload> {
    let goal = |subject| Goal::new(Of::One(subject), Bound::AtMost(2.0)).stretch(Bound::AtMost(1.3));
    vec![Workload {
        name: "bytes-on-disk",
        title: "Bytes on disk per small key",
        what: "500,000 keys of a register, each written once, in random order, with keys and values that cannot be compressed: \
               32 bytes with values of 100, and 16 with values of 8. Then all is written to tables, and merged as far as the store \
               merges by itself. The figure is the size of the folder of tables, with all that the engine keeps beside the \
               values (tags, stamps, digest, index of the log), divided by the bytes of keys and values. fjall is the same keys \
               and values after a major compaction, without its journal. The log keeps every transaction and stands apart.",
        unit: "bytes per byte of key and value",
        goals: vec![goal("Anabranch, 32 + 100 bytes"), goal("Anabranch, 16 + 8 bytes")],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (mut figures, mut log) = (Vec::new(), Vec::new());
    for (count, key, value, name) in SETS {
        let (dir, count) = (setting.folder()?, setting.scaled(count));
        // The quotes of JSON belong to the value.
        let entry = |number: u64| (local::digits(number, key), local::digits(!number, value - 2));
        let payload = (count * (key + value) as u64) as f64;
        let ours = dir.path().join("ours");
        let db = Database::open(&ours)?;
        let puts = (0..count).map(entry).map(|(key, text)| local::put(key, text));
        local::fill(&db, puts)?;
        db.close();
        drop(db);
        disk::settle(&ours)?;
        let fjall = fjall::filled(&dir.path().join("fjall"), (0..count).map(entry))?;
        figures.push(Figure::new(&format!("Anabranch, {name}"), disk::rows_bytes(&ours)? as f64 / payload));
        figures.push(Figure::new(&format!("fjall, {name}"), fjall.rows.disk_space() as f64 / payload));
        let per_write = disk::log_bytes(&ours)? as f64 / count as f64;
        log.push(Figure::other(&format!("Anabranch, log, {name}"), per_write, "bytes per write"));
    }
    Ok([figures, log].concat())
}
