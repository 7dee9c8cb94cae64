//! How long commits took, from the database's own counts.

use anabranch::Database;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;
use std::sync::atomic::Ordering;

/// The histogram of commits. Each is one sync.
pub(super) struct Fsync(pub(super) Database);

impl fmt::Debug for Fsync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fsync")
    }
}

impl Collector for Fsync {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let metrics = self.0.metrics();
        let seconds = metrics.commit_nanos.load(Ordering::Relaxed) as f64 / 1e9;
        let buckets = metrics.commit_histogram();
        let buckets: Vec<_> = buckets.into_iter().map(|(bound, count)| (bound.unwrap_or(f64::MAX), count)).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let help = "Time of one commit: write and sync";
        let mut metric = encoder.encode_descriptor("fsync", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        metric.encode_histogram::<NoLabelSet>(seconds, count, &buckets, None)
    }
}
