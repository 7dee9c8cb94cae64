//! A region that was away gets all that was written meanwhile.

use crate::ours::node::Node;
use crate::ours::node::cluster::{Cluster, connect};
use crate::ours::node::talk::{Ask, Seen, Values};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use std::time::Duration;

const COUNT: u64 = 1_000_000;
const WRITERS: usize = 64;
const END_TO_END: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(10);
const PAUSE_US: u64 = 2_000;
/// So few writes seen are no measure.
const LEAST_OBSERVED: Duration = Duration::from_millis(100);

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "catch-up",
        title: "Catch-up of 1,000,000 transactions",
        what: "A, B and C are processes of their own, leaders of three regions, durable, on one disk. A and B are connected, then \
               B is stopped. A and C first show what is usual: 64 writers at A until C has all (`end to end`, at least 10 s), \
               then the lag at C of one write at a time, 2 ms after the last was durable (10 s). Then A writes 1,000,000 \
               transactions more (32-byte keys, 100-byte values), of which C has the last before B is started again. The rate \
               counts all that B lacked, from when it is connected until it has all on disk; A goes on with its one write at a \
               time, whose lag at C is told. Most memory is of the whole life of A's process and of B's second one.",
        unit: "transactions/s",
        goals: vec![
            Goal::new(Of::Ratio("Anabranch", "end to end"), Bound::AtLeast(1.0)),
            Goal::new(Of::One("A, most memory"), Bound::AtMost(256.0)),
            Goal::new(Of::One("B, most memory"), Bound::AtMost(256.0)),
            Goal::new(Of::Ratio("C's lag meanwhile, p99", "C's lag before, p99"), Bound::AtMost(2.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let cluster = Cluster::new(dir.path())?;
    let (mut a, mut c) = (cluster.start("a")?, cluster.start("c")?);
    connect(&mut a, &mut c)?;
    let mut b = cluster.start("b")?;
    connect(&mut a, &mut b)?;
    drop(b);

    let (driven, end_to_end) = end_to_end(&mut a, &mut c, setting.at_least(END_TO_END))?;
    let before = usual_lag(&mut a, &mut c, setting.at_least(IDLE))?;
    a.tell(&Ask::Fill { from: 0, count: setting.scaled(COUNT), step: 1 })?;
    let filled = a.written()?;
    c.tell(&Ask::Reach { token: filled.token.clone() })?;
    c.reached()?;

    c.ask(&Ask::Observe)?;
    a.ask(&Ask::Pace { gap_us: PAUSE_US, open_loop: false })?;
    let mut b = cluster.start("b")?;
    a.ask(&Ask::Peer { node: "b".to_owned(), addr: None })?;
    b.tell(&Ask::Rejoin { node: "a".to_owned(), addr: Some(a.addr.clone()), token: filled.token })?;
    let reached = b.reached()?;
    let meanwhile = {
        let taken = Duration::from_nanos(reached.at_ns - reached.connected_ns);
        std::thread::sleep(LEAST_OBSERVED.saturating_sub(taken));
        a.ask(&Ask::Halt)?;
        c.seen()?
    };
    let seconds = (reached.at_ns - reached.connected_ns) as f64 / 1e9;
    let lacked = driven + before.count + filled.count;
    Ok(vec![
        Figure::new("Anabranch", lacked as f64 / seconds),
        Figure::new("end to end", end_to_end),
        Figure::other("A, most memory", a.peak_memory()?, "MiB"),
        Figure::other("B, most memory", b.peak_memory()?, "MiB"),
        Figure::other("C's lag before, p99", before.p99_ms, "ms"),
        Figure::other("C's lag meanwhile, p99", meanwhile.p99_ms, "ms"),
        Figure::other("C's lag before, p50", before.p50_ms, "ms"),
        Figure::other("C's lag meanwhile, p50", meanwhile.p50_ms, "ms"),
        Figure::other("B lacked", lacked as f64, "transactions"),
        Figure::other("B, processor time per transaction", b.cpu()?.as_secs_f64() * 1e6 / lacked as f64, "µs"),
    ])
}

/// How many were written, and how many per second until the other has them.
fn end_to_end(a: &mut Node, c: &mut Node, length: Duration) -> anyhow::Result<(u64, f64)> {
    a.tell(&Ask::Drive { writers: WRITERS, seconds: length.as_secs_f64(), values: Values::Random })?;
    let written = a.written()?;
    c.tell(&Ask::Reach { token: written.token })?;
    let seconds = (c.reached()?.at_ns - written.from_ns) as f64 / 1e9;
    Ok((written.count, written.count as f64 / seconds))
}

fn usual_lag(a: &mut Node, c: &mut Node, length: Duration) -> anyhow::Result<Seen> {
    c.ask(&Ask::Observe)?;
    a.ask(&Ask::Pace { gap_us: PAUSE_US, open_loop: false })?;
    std::thread::sleep(length);
    a.ask(&Ask::Halt)?;
    c.seen()
}
