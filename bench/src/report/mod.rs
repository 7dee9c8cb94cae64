//! Results as files: one of JSON for each workload, and from all of them a page and plots.

pub mod markdown;
pub mod plot;
pub mod results;

use crate::workloads;
use std::fs;
use std::path::Path;

/// Writes the page and the plots of all workloads whose results are in that folder.
pub fn write(out: &Path) -> anyhow::Result<()> {
    let mut measured = Vec::new();
    for workload in workloads::all() {
        if let Some(results) = results::Results::load(out, workload.name)? {
            fs::write(out.join(format!("{}.svg", workload.name)), plot::bars(&workload, &results))?;
            measured.push((workload, results));
        }
    }
    fs::write(out.join("README.md"), markdown::page(&measured))?;
    Ok(())
}
