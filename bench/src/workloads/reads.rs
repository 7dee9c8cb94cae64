//! Point reads with a token that is satisfied already.

use crate::limits::{fjall, hash_map};
use crate::ours::local;
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch::{Outcome, ReadError};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

const KEYS: u64 = 100_000;
/// So few that all layers have them in memory.
const HOT: u64 = 1_000;
/// How many reads are made between two looks at the clock.
const TOGETHER: u64 = 100;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "reads",
        title: "Point reads with a satisfied token",
        what: "Through the library by one thread, in scattered order, over 100,000 keys of 32 bytes with values of 100 bytes: \
               `Database::view_at` with the token of the last write, and `View::get`, which gives the value as JSON with its \
               versions; and the same through a session, which takes note of what it reads. Beside it fjall's own `get` of the \
               same keys and values, and that of a hash map. Ours and fjall were filled, merged and opened again: all is in \
               tables, ours merged as far as it does by itself, fjall's by a major compaction, with the same 64 MiB and options for blocks. Then the same over the first 1,000 of the keys.",
        unit: "reads/s",
        goals: vec![
            Goal::new(Of::Ratio("Anabranch", "fjall"), Bound::AtLeast(0.85)).stretch(Bound::AtLeast(3.0)),
            Goal::new(Of::Ratio("Anabranch, 1,000 keys", "fjall, 1,000 keys"), Bound::AtLeast(0.85))
                .stretch(Bound::AtLeast(3.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (dir, keys) = (setting.folder()?, setting.scaled(KEYS));
    let entries: Vec<(String, String)> = (0..keys).map(local::distinct).collect();
    let sets = [("", &entries[..]), (", 1,000 keys", &entries[..setting.scaled(HOT) as usize])];
    let mut figures = ours(&dir.path().join("ours"), &entries, sets, setting.length)?;
    let fjall = fjall::filled(&dir.path().join("fjall"), entries.iter().cloned())?;
    let map = hash_map::filled(&entries);
    for (suffix, entries) in sets {
        let rate = per_second(setting.length, entries, |key| Ok(fjall.rows.get(key)?.is_some()))?;
        figures.push(Figure::new(&format!("fjall{suffix}"), rate));
    }
    for (suffix, entries) in sets {
        let rate = per_second(setting.length, entries, |key| Ok(black_box(map.get(key)).is_some()))?;
        // Not in the plot: beside it all others look alike.
        figures.push(Figure::other(&format!("hash map{suffix}"), rate, "reads/s"));
    }
    Ok(figures)
}

type Entries<'a> = &'a [(String, String)];

fn ours(
    path: &Path,
    all: Entries<'_>,
    sets: [(&str, Entries<'_>); 2],
    length: Duration,
) -> anyhow::Result<Vec<Figure>> {
    let db = local::filled(path, all)?;
    let (token, session) = (db.view().token(), db.session());
    let found = |outcome: Result<Option<Outcome>, ReadError>| anyhow::Ok(outcome?.is_some());
    let mut figures = Vec::new();
    for (suffix, entries) in sets {
        let rate =
            per_second(length, entries, |key| found(db.view_at(&token, Duration::ZERO)?.get(local::COLLECTION, key)))?;
        figures.push(Figure::new(&format!("Anabranch{suffix}"), rate));
    }
    for (suffix, entries) in sets {
        let rate = per_second(length, entries, |key| found(session.get(local::COLLECTION, key)))?;
        figures.push(Figure::new(&format!("Anabranch, session{suffix}"), rate));
    }
    drop(session);
    db.close();
    Ok(figures)
}

/// How often per second `read` finds a key, in a scattered order.
fn per_second(
    length: Duration,
    entries: Entries<'_>,
    mut read: impl FnMut(&str) -> anyhow::Result<bool>,
) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < length {
        for _ in 0..TOGETHER {
            let at = local::scattered(done, entries.len() as u64);
            anyhow::ensure!(read(&entries[at as usize].0)?, "a key that was written is not there");
            done += 1;
        }
    }
    Ok(done as f64 / start.elapsed().as_secs_f64())
}
