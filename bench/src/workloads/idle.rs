//! A cluster in which nobody writes.

use crate::ours::node::cluster::Cluster;
use crate::ours::node::talk::Ask;
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use std::time::{Duration, Instant};

const NODES: usize = 3;
const KEYS: u64 = 10_000;
const LENGTH: Duration = Duration::from_secs(20);
/// For what the last writes leave to do.
const SETTLING: Duration = Duration::from_secs(2);

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "idle",
        title: "Idle cluster of three",
        what: "Three processes, each the leader of a region, each connected to each, with 10,000 keys, for at least 20 s in \
               which nobody writes. The most that any of them used of one core; and the most that any sent, as UDP payload, \
               per second and peer.",
        unit: "% of a core",
        goals: vec![
            Goal::new(Of::One("Anabranch"), Bound::AtMost(1.0)),
            Goal::new(Of::One("sent to a peer"), Bound::AtMost(2.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let mut nodes = Cluster::new(dir.path())?.mesh(NODES)?;
    nodes[0].tell(&Ask::Fill { from: 0, count: setting.scaled(KEYS), step: 1 })?;
    let token = nodes[0].written()?.token;
    for node in &mut nodes {
        node.tell(&Ask::Reach { token: token.clone() })?;
        node.reached()?;
    }
    std::thread::sleep(setting.at_least(SETTLING));
    let mut before = Vec::new();
    for node in &mut nodes {
        before.push((node.cpu()?, node.traffic()?.sent));
    }
    let begun = Instant::now();
    std::thread::sleep(setting.at_least(LENGTH));
    let seconds = begun.elapsed().as_secs_f64();
    let (mut cpu, mut sent) = (0.0f64, 0.0f64);
    for (node, (cpu_before, sent_before)) in nodes.iter_mut().zip(before) {
        cpu = cpu.max((node.cpu()? - cpu_before).as_secs_f64() / seconds * 100.0);
        let peers = (NODES - 1) as f64;
        sent = sent.max((node.traffic()?.sent - sent_before) as f64 / 1024.0 / peers / seconds);
    }
    Ok(vec![Figure::new("Anabranch", cpu), Figure::other("sent to a peer", sent, "KiB/s")])
}
