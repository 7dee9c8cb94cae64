//! Opening a database in an app's process.

use crate::ours::{grown, local};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch::Database;
use std::path::Path;
use std::time::{Duration, Instant};

const KEYS: u64 = 1_000_000;
/// How often each is opened in one run.
const TIMES: usize = 9;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "open",
        title: "Opening a database",
        what: "`Database::open` until it returns, then one `get`; in a process that runs, with the files in the system's cache. \
               Of a directory that is not there yet (`new`), of an empty database that was closed, and of one of \
               1,000,000 keys of 32 bytes with values of 100 bytes, closed right after they were written: the last of them are \
               only in the log. The median of nine times each.",
        unit: "ms",
        goals: vec![
            Goal::new(Of::One("Anabranch, new"), Bound::AtMost(20.0)),
            Goal::new(Of::One("Anabranch, empty"), Bound::AtMost(20.0)),
            Goal::new(Of::One("Anabranch, 1,000,000 keys"), Bound::AtMost(300.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let (dir, keys) = (setting.folder()?, setting.scaled(KEYS));
    let new = median(|time| open(&dir.path().join(format!("new-{time}")), None))?;
    let empty = median(|_| open(&dir.path().join("new-0"), None))?;
    let grown = grown::closed(setting, keys)?;
    let full = median(|time| open(&grown, Some(time as u64 % keys)))?;
    Ok(vec![
        Figure::new("Anabranch, new", new),
        Figure::new("Anabranch, empty", empty),
        Figure::new("Anabranch, 1,000,000 keys", full),
    ])
}

/// Milliseconds, the median over so many times.
fn median(mut open: impl FnMut(usize) -> anyhow::Result<Duration>) -> anyhow::Result<f64> {
    let mut times: Vec<Duration> = (0..TIMES).map(&mut open).collect::<Result<_, _>>()?;
    times.sort_unstable();
    Ok(times[TIMES / 2].as_secs_f64() * 1e3)
}

/// Opens, and reads the key with that number, which must be there.
fn open(path: &Path, number: Option<u64>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    let db = Database::open(path)?;
    if let Some(number) = number {
        let found = db.view().get(local::COLLECTION, &local::distinct(number).0)?;
        anyhow::ensure!(found.is_some(), "a key that was written is not there");
    }
    let took = start.elapsed();
    db.close();
    Ok(took)
}
