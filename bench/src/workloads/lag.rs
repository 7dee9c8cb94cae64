//! How soon what was written at one region is to be seen at another.

use crate::limits::{bare_file, quic};
use crate::ours::node::Node;
use crate::ours::node::cluster::{Cluster, connect};
use crate::ours::node::talk::{Ask, Seen};
use crate::setting::{Setting, Until};
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use std::time::Duration;

const LENGTH: Duration = Duration::from_secs(10);
const PAUSE_US: u64 = 5_000;
const BUSY_GAP_US: u64 = 200;
/// What the log takes for one such write, roughly.
const RECORD: usize = 400;
const ROUND_TRIPS: u64 = 5_000;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "lag",
        title: "Visible at B after written at A",
        what: "A and B are processes of their own, leaders of two regions, connected over QUIC on loopback, both durable. Each \
               key carries when its write began, on the clock that all processes of the machine share; a watch in B's process \
               tells of it with its value, and the difference is the lag: A's sync, the way and B's sync are in it. Quiet: one \
               write at a time, 5 ms after the last was durable. Busy: 5,000 writes/s, whether or not the former are done. At \
               least 10 s each. Beside it the mean of a bare file's fdatasync after 400 bytes into space written in advance, \
               twice, plus the median round trip of 200 bytes on a stream of quinn's.",
        unit: "ms",
        goals: vec![
            Goal::new(Of::One("Anabranch, quiet, p50"), Bound::AtMost(1.0)),
            Goal::new(Of::One("Anabranch, quiet, p99"), Bound::AtMost(3.0)),
            Goal::stretch_only(
                Of::Ratio("Anabranch, quiet, p50", "two fdatasyncs and a round trip"),
                Bound::AtMost(3.0),
            ),
            Goal::new(Of::One("Anabranch, 5,000 writes/s, p99"), Bound::AtMost(10.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let cluster = Cluster::new(dir.path())?;
    let (mut a, mut b) = (cluster.start("a")?, cluster.start("b")?);
    connect(&mut a, &mut b)?;
    let length = setting.at_least(LENGTH);
    let quiet = lag(&mut a, &mut b, PAUSE_US, false, length)?;
    let busy = lag(&mut a, &mut b, BUSY_GAP_US, true, length)?;
    drop((a, b));
    let syncs = bare_file::appends(&dir.path().join("bare"), RECORD, Until::Time(setting.length))?;
    let sync_ms = 1e3 / syncs.per_second;
    let round_trip_ms = quic::round_trip(200, setting.scaled(ROUND_TRIPS))?.as_secs_f64() * 1e3;
    Ok(vec![
        Figure::new("Anabranch, quiet, p50", quiet.p50_ms),
        Figure::new("Anabranch, quiet, p99", quiet.p99_ms),
        Figure::new("Anabranch, quiet, most", quiet.most_ms),
        Figure::new("Anabranch, 5,000 writes/s, p50", busy.p50_ms),
        Figure::new("Anabranch, 5,000 writes/s, p99", busy.p99_ms),
        Figure::new("Anabranch, 5,000 writes/s, most", busy.most_ms),
        Figure::new("fdatasync of a bare file", sync_ms),
        Figure::new("round trip of quinn", round_trip_ms),
        Figure::new("two fdatasyncs and a round trip", 2.0 * sync_ms + round_trip_ms),
        Figure::other("writes seen, quiet", quiet.count as f64, "writes"),
        Figure::other("writes seen, busy", busy.count as f64, "writes"),
    ])
}

/// How late writes are that one node makes so far apart, as another sees them.
fn lag(writer: &mut Node, reader: &mut Node, gap_us: u64, open_loop: bool, length: Duration) -> anyhow::Result<Seen> {
    reader.ask(&Ask::Observe)?;
    writer.ask(&Ask::Pace { gap_us, open_loop })?;
    std::thread::sleep(length);
    writer.ask(&Ask::Halt)?;
    reader.seen()
}
