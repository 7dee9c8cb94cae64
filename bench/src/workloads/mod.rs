//! All workloads, one file for each concept.

mod writes;

use crate::workload::Workload;

/// Every workload, in the order of the report.
pub fn all() -> Vec<Workload> {
    writes::workloads().into_iter().collect()
}
