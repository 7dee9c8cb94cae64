//! What came out, and whether it is what must.

use super::contents::{Cell, Contents, Difference};
use super::regions::NAMES;
use super::world::{World, at_one};
use super::writers::Tally;
use crate::output;
use anabranch::Status;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How many differences are shown of each region.
const SHOWN: usize = 10;

/// What the regions hold in the end, compared with each other and with what was written.
pub(super) struct Verdict {
    statuses: Vec<Status>,
    /// What each region shows.
    pub(super) contents: Vec<Contents>,
    differences: Vec<Vec<Difference>>,
}

/// The last line with `--json`.
#[derive(Debug, Serialize)]
struct Summary {
    converged: bool,
    regions: Vec<RegionSummary>,
    writes: u64,
    lost: usize,
    duplicated: usize,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct RegionSummary {
    region: &'static str,
    digest: String,
    version_vector: BTreeMap<String, u64>,
    http: Option<String>,
}

impl Verdict {
    /// Reads what every region shows.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn reach(world: &World, statuses: Vec<Status>, expected: &Contents) -> anyhow::Result<Self> {
        let mut contents = Vec::with_capacity(statuses.len());
        for region in &world.regions {
            let view = region.open_database()?.view();
            contents.push(Contents::shown(&view)?.with_debts(&view, expected)?);
        }
        let differences = contents.iter().map(|shown| expected.differences(shown)).collect();
        Ok(Self { statuses, contents, differences })
    }

    /// Whether all regions hold the same.
    fn converged(&self) -> bool {
        let same = |pair: &[Contents]| pair[0] == pair[1];
        at_one(&self.statuses)
            && self.statuses.windows(2).all(|pair| pair[0].digest == pair[1].digest)
            && self.contents.windows(2).all(same)
    }

    /// Whether they hold the same, and it is what was written.
    pub(super) fn is_good(&self) -> bool {
        self.converged() && self.differences.iter().all(Vec::is_empty)
    }

    /// In how many places something is missing, in how many something is too much, in any region.
    fn wrong_places(&self) -> (usize, usize) {
        let places = |loss| {
            let all = self.differences.iter().flatten().filter(|found| found.is_loss() == loss);
            all.map(|found| &found.cell).collect::<BTreeSet<&Cell>>().len()
        };
        (places(true), places(false))
    }

    /// Writes the line for programs to standard output.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn print_json(&self, writes: u64, took: Duration, http: &[String]) -> anyhow::Result<()> {
        let region = |(index, status): (usize, &Status)| RegionSummary {
            region: NAMES[index],
            digest: digest(status),
            version_vector: status.vector.iter().map(|(origin, seq)| (origin.to_string(), seq)).collect(),
            http: http.get(index).cloned(),
        };
        let (lost, duplicated) = self.wrong_places();
        let summary = Summary {
            converged: self.converged(),
            regions: self.statuses.iter().enumerate().map(region).collect(),
            writes,
            lost,
            duplicated,
            seconds: (took.as_secs_f64() * 1e3).round() / 1e3,
        };
        Ok(output::line(&serde_json::to_string(&summary)?)?)
    }

    /// Writes the table and the verdict for people to standard output.
    ///
    /// # Errors
    /// When nobody reads it.
    pub(super) fn print(&self, world: &World, tally: &Tally, took: Duration) -> anyhow::Result<()> {
        let row = |(status, region): (&Status, &super::regions::Region)| {
            let acknowledged = region.acknowledged.load(Ordering::Relaxed).to_string();
            vec![region.name.to_owned(), acknowledged, status.log_transactions.to_string(), digest(status)]
        };
        let rows = self.statuses.iter().zip(&world.regions).map(row).collect();
        output::table(&["region", "writes", "transactions", "digest"], rows)?;
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        // A copy is in the log of every region; one that was opened again has forgotten the count.
        let copies = self.statuses.iter().map(|status| status.counters.copies).max().unwrap_or_default();
        let (written, retried, effective) =
            (count(&tally.written), count(&tally.retried), count(&tally.known) + copies);
        let seconds = took.as_secs_f64();
        output::line(&format!(
            "\n{written} writes in {seconds:.1} s. {retried} lost their leader unanswered and were sent again elsewhere; \
             {effective} of them had taken effect already, and count once."
        ))?;
        Ok(output::line(&self.sentence())?)
    }

    fn sentence(&self) -> String {
        let (lost, duplicated) = self.wrong_places();
        let same =
            if self.converged() { "Converged: the regions are equal" } else { "NOT CONVERGED: the regions differ" };
        format!("{same}; {lost} lost, {duplicated} duplicated.")
    }

    /// Where regions are not as they must be, for people.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let first = &self.statuses[0];
        for (status, name) in self.statuses.iter().zip(NAMES).skip(1) {
            if status.vector != first.vector {
                problems.push(format!("{name} has {}, {} has {}", status.vector, NAMES[0], first.vector));
            } else if status.digest != first.digest {
                problems.push(format!("{name} has the same transactions as {}, and another digest", NAMES[0]));
            }
        }
        for (differences, name) in self.differences.iter().zip(NAMES) {
            problems.extend(differences.iter().take(SHOWN).map(|found| format!("{name}: {found}")));
            if let Some(more) = differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                problems.push(format!("{name}: and {more} more"));
            }
        }
        problems
    }
}

fn digest(status: &Status) -> String {
    format!("{:016x}", status.digest)
}
