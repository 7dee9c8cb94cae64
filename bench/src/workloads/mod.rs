//! All workloads, one file for each concept.

pub mod remote_memory;
mod writes;

use crate::workload::Workload;

/// Every workload, in the order of the report.
pub fn all() -> Vec<Workload> {
    writes::workloads().into_iter().chain(remote_memory::workloads()).collect()
}
