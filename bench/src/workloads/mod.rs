//! All workloads, one file for each concept.

mod bytes_on_disk;
mod catch_up;
mod couch;
pub mod counters;
mod divergence;
mod end_to_end;
mod grow_keys;
mod grow_regions;
mod http;
mod idle;
mod lag;
mod open;
mod reads;
mod remote_apply;
mod remote_memory;
mod scans;
mod stream_bytes;
mod text;
mod tokens;
mod worst_commit;
mod writes;

use crate::workload::Workload;

/// Every workload, in the order of the report.
pub fn all() -> Vec<Workload> {
    let mut all = Vec::new();
    all.extend(writes::workloads());
    all.extend(worst_commit::workloads());
    all.extend(reads::workloads());
    all.extend(scans::workloads());
    all.extend(remote_apply::workloads());
    all.extend(remote_memory::workloads());
    all.extend(http::workloads());
    all.extend(counters::workloads());
    all.extend(couch::workloads());
    all.extend(bytes_on_disk::workloads());
    all.extend(open::workloads());
    all.extend(grow_keys::workloads());
    all.extend(tokens::workloads());
    all.extend(text::workloads());
    all.extend(end_to_end::workloads());
    all.extend(stream_bytes::workloads());
    all.extend(lag::workloads());
    all.extend(catch_up::workloads());
    all.extend(divergence::workloads());
    all.extend(idle::workloads());
    all.extend(grow_regions::workloads());
    all
}
