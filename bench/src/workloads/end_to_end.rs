//! Written at one region, durable at another: two processes over QUIC.

use crate::limits::quic;
use crate::ours::node::Node;
use crate::ours::node::cluster::{Cluster, connect};
use crate::ours::node::talk::{Ask, Values, Written};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use std::time::Duration;

const WRITERS: usize = 64;
const LENGTH: Duration = Duration::from_secs(60);
/// Memory that grew by less between a quarter of the time and its end is not growing with what was written.
const GROWTH: f64 = 1.25;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "end-to-end",
        title: "Written at A, durable at B, 64 writers",
        what: "A `put` of a 32-byte key and a value of 100 bytes (random letters) among 100,000 keys, 64 under way at any time, \
               for 60 s at A, the leader of one region; B, of another, is a process of its own, connected over QUIC on \
               loopback. Both are durable, on the same disk. The rate counts until B has all on disk. Beside it: A alone in \
               the same way, with no peer, for as long; and quinn with its own defaults, both ends in one process, moving as \
               many bytes as 64 of these writes took on the stream at a time, with nothing durable. The cores are not \
               divided: A, which also makes the writes, B and the kernel share all of the machine's as it sees fit; what \
               each used is told. Processor time of B is that of the whole process, per transaction.",
        unit: "writes/s",
        goals: vec![
            Goal::new(Of::Ratio("Anabranch", "A alone"), Bound::AtLeast(0.7)).stretch(Bound::AtLeast(0.9)),
            Goal::new(Of::One("B, processor time per transaction"), Bound::AtMost(15.0)).stretch(Bound::AtMost(4.0)),
            Goal::new(Of::Ratio("A, memory at the end", "A, memory at a quarter"), Bound::AtMost(GROWTH)),
            Goal::new(Of::Ratio("B, memory at the end", "B, memory at a quarter"), Bound::AtMost(GROWTH)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let length = setting.at_least(LENGTH);
    let alone = alone(setting, length)?;
    let (mut figures, bytes) = together(setting, length)?;
    let pieces = quic::pieces((bytes * WRITERS as f64) as usize, setting.length)?;
    figures.insert(1, Figure::new("A alone", alone));
    figures.insert(2, Figure::new("quinn, the same bytes", pieces * WRITERS as f64));
    Ok(figures)
}

fn alone(setting: &Setting, length: Duration) -> anyhow::Result<f64> {
    let dir = setting.folder()?;
    let mut node = Cluster::new(dir.path())?.start("a")?;
    node.tell(&drive(length))?;
    let Written { count, from_ns, to_ns, .. } = node.written()?;
    Ok(rate(count, from_ns, to_ns))
}

/// Figures, and the bytes on the stream per write.
fn together(setting: &Setting, length: Duration) -> anyhow::Result<(Vec<Figure>, f64)> {
    let dir = setting.folder()?;
    let cluster = Cluster::new(dir.path())?;
    let (mut a, mut b) = (cluster.start("a")?, cluster.start("b")?);
    connect(&mut a, &mut b)?;
    let before = (a.cpu()?, b.cpu()?, a.traffic()?);
    a.tell(&drive(length))?;
    std::thread::sleep(length / 4);
    let quarter = (a.memory()?, b.memory()?);
    let Written { count, from_ns, to_ns, token } = a.written()?;
    b.tell(&Ask::Reach { token })?;
    let reached = b.reached()?.at_ns;
    let (cpu_a, cpu_b) = (a.cpu()? - before.0, b.cpu()? - before.1);
    let bytes = (a.traffic()?.stream_sent - before.2.stream_sent) as f64 / count as f64;
    let seconds = (reached - from_ns) as f64 / 1e9;
    let per_transaction = |cpu: Duration| cpu.as_secs_f64() * 1e6 / count as f64;
    let mut figures = vec![
        Figure::new("Anabranch", rate(count, from_ns, reached)),
        Figure::new("Anabranch, at A", rate(count, from_ns, to_ns)),
        Figure::other("B had the last after A", (reached - to_ns) as f64 / 1e6, "ms"),
        Figure::other("A, processor time per transaction", per_transaction(cpu_a), "µs"),
        Figure::other("B, processor time per transaction", per_transaction(cpu_b), "µs"),
        Figure::other("A, cores used", cpu_a.as_secs_f64() / seconds, "cores"),
        Figure::other("B, cores used", cpu_b.as_secs_f64() / seconds, "cores"),
    ];
    figures.extend(memory(&a, "A", quarter.0)?);
    figures.extend(memory(&b, "B", quarter.1)?);
    Ok((figures, bytes))
}

fn memory(node: &Node, name: &str, quarter: f64) -> anyhow::Result<[Figure; 3]> {
    Ok([
        Figure::other(&format!("{name}, memory at a quarter"), quarter, "MiB"),
        Figure::other(&format!("{name}, memory at the end"), node.memory()?, "MiB"),
        Figure::other(&format!("{name}, most memory"), node.peak_memory()?, "MiB"),
    ])
}

fn drive(length: Duration) -> Ask {
    Ask::Drive { writers: WRITERS, seconds: length.as_secs_f64(), values: Values::Random }
}

fn rate(count: u64, from_ns: u64, to_ns: u64) -> f64 {
    count as f64 * 1e9 / to_ns.saturating_sub(from_ns).max(1) as f64
}
