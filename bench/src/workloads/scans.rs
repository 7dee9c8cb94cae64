//! Ordered scans.

use crate::limits::fjall;
use crate::ours::local;
use crate::setting::Setting;
use crate::workload::{Figure, Workload};
use std::ops::Bound;
use std::time::{Duration, Instant};

const KEYS: u64 = 100_000;
/// How many entries one scan gives.
const PAGE: u64 = 10_000;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "scans",
        title: "Ordered scans of 10,000 entries",
        what: "`View::scan` of 10,000 of 100,000 keys of 32 bytes with values of 100 bytes, one thread, from one place after \
               another; the entries are gathered in a list, with their values as JSON. Beside it fjall's `range` over the \
               same keys and values, gathered in a list of bytes. Both were filled, merged and opened again: all is in tables, \
               ours merged as far as it does by itself, fjall's by a major compaction, with the same 64 MiB and options for blocks.",
        unit: "entries/s",
        // The plan states no target for scans.
        goals: Vec::new(),
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (dir, keys, page) = (setting.folder()?, setting.scaled(KEYS), setting.scaled(PAGE) as usize);
    let entries: Vec<(String, String)> = (0..keys).map(local::distinct).collect();
    let mut starts: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
    starts.sort_unstable();
    // From each of them on there are enough.
    starts.truncate(entries.len() - page);
    let db = local::filled(&dir.path().join("ours"), &entries)?;
    let ours = per_second(setting.length, &starts, page, |after| {
        Ok(db.view().scan(local::COLLECTION, "", Some(after), page)?.entries.len())
    })?;
    db.close();
    drop(db);
    let fjall = fjall::filled(&dir.path().join("fjall"), entries.iter().cloned())?;
    let raw = per_second(setting.length, &starts, page, |after| {
        let range = fjall.rows.range::<&str, _>((Bound::Excluded(after), Bound::Unbounded)).take(page);
        let found: Result<Vec<_>, _> = range.map(|entry| entry.into_inner()).collect();
        Ok(found?.len())
    })?;
    Ok(vec![Figure::new("Anabranch", ours), Figure::new("fjall", raw)])
}

/// How many entries per second `scan` gives that begins after one of `starts`.
fn per_second(
    length: Duration,
    starts: &[&str],
    page: usize,
    mut scan: impl FnMut(&str) -> anyhow::Result<usize>,
) -> anyhow::Result<f64> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < length {
        let after = starts[local::scattered(done, starts.len() as u64) as usize];
        let found = scan(after)?;
        anyhow::ensure!(found == page, "{found} entries instead of {page}");
        done += 1;
    }
    Ok((done * page as u64) as f64 / start.elapsed().as_secs_f64())
}
