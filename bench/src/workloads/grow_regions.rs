//! What a write costs as regions become more.

use crate::ours::node::cluster::Cluster;
use crate::ours::node::talk::Ask;
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};

const WRITES: u64 = 100_000;
/// Each region writes a little, so that all are in the token.
const FROM_EACH: u64 = 100;
/// Linear, and what differs by chance.
const LINEAR: f64 = 1.2;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "grow-regions",
        title: "Cost of a write as regions grow from 2 to 9",
        what: "Two, five and nine processes, each the leader of a region, durable, each connected to each. Each writes 100 keys; \
               then the first writes 100,000 (32-byte keys, 100-byte values; 1,000 under way), until all have them. Bytes: what \
               the first gave to its streams, per write and peer. Processor time for sending: the first's, less that of the \
               same writes in a cluster of one, per write and peer; for receiving: the mean of the others', per write. The \
               token names all regions.",
        unit: "bytes/write/peer",
        goals: vec![
            Goal::new(Of::Ratio("9 regions", "2 regions"), Bound::AtMost(LINEAR)),
            Goal::new(Of::Ratio("sending, 9 regions", "sending, 2 regions"), Bound::AtMost(LINEAR)),
            Goal::new(Of::Ratio("receiving, 9 regions", "receiving, 2 regions"), Bound::AtMost(LINEAR)),
            Goal::new(Of::One("token, 9 regions"), Bound::AtMost(256.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let alone = cost(setting, 1)?.writer_us;
    let mut figures = Vec::new();
    for regions in [2, 5, 9] {
        let cost = cost(setting, regions)?;
        let peers = (regions - 1) as f64;
        let named = |what: &str| format!("{what}{regions} regions");
        figures.push(Figure::new(&named(""), cost.bytes / peers));
        figures.push(Figure::other(&named("sending, "), (cost.writer_us - alone) / peers, "µs/write/peer"));
        figures.push(Figure::other(&named("receiving, "), cost.receiver_us, "µs/write"));
        figures.push(Figure::other(&named("token, "), cost.token as f64, "characters"));
    }
    Ok(figures)
}

/// Per write; the token in characters.
struct Cost {
    bytes: f64,
    writer_us: f64,
    receiver_us: f64,
    token: usize,
}

fn cost(setting: &Setting, regions: usize) -> anyhow::Result<Cost> {
    let dir = setting.folder()?;
    let mut nodes = Cluster::new(dir.path())?.mesh(regions)?;
    for number in 0..regions {
        nodes[number].tell(&Ask::Fill { from: number as u64 * FROM_EACH, count: FROM_EACH, step: 1 })?;
        let token = nodes[number].written()?.token;
        for node in &mut nodes {
            node.tell(&Ask::Reach { token: token.clone() })?;
            node.reached()?;
        }
    }
    let mut before = Vec::new();
    for node in &nodes {
        before.push(node.cpu()?);
    }
    let sent = nodes[0].traffic()?.stream_sent;
    let count = setting.scaled(WRITES);
    nodes[0].tell(&Ask::Fill { from: 0, count, step: 1 })?;
    let token = nodes[0].written()?.token;
    for node in &mut nodes {
        node.tell(&Ask::Reach { token: token.clone() })?;
        node.reached()?;
    }
    let mut used = Vec::new();
    for (node, before) in nodes.iter().zip(before) {
        used.push((node.cpu()? - before).as_secs_f64() * 1e6 / count as f64);
    }
    let receivers = &used[1..];
    Ok(Cost {
        bytes: (nodes[0].traffic()?.stream_sent - sent) as f64 / count as f64,
        writer_us: used[0],
        receiver_us: receivers.iter().sum::<f64>() / receivers.len().max(1) as f64,
        token: token.len(),
    })
}
