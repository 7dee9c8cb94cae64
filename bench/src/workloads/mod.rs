//! All workloads, one file for each concept.

mod reads;
pub mod remote_memory;
mod scans;
mod worst_commit;
mod writes;

use crate::workload::Workload;

/// Every workload, in the order of the report.
pub fn all() -> Vec<Workload> {
    let of_files: [fn() -> Vec<Workload>; 5] =
        [writes::workloads, worst_commit::workloads, reads::workloads, scans::workloads, remote_memory::workloads];
    of_files.into_iter().flat_map(|workloads| workloads()).collect()
}
