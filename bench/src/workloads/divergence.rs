//! Two regions that were parted and wrote a little meet again.

use crate::ours::node::Node;
use crate::ours::node::cluster::{Cluster, connect};
use crate::ours::node::talk::{Answer, Ask};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch::transport::{LinkProfile, WanLink};
use anyhow::{Context as _, bail};
use std::time::Duration;

const MANY: u64 = 1_000_000;
const FEW: u64 = 10_000;
/// Half of them are written at each.
const DIVERGENT: u64 = 100;
const TIMES: u64 = 9;
const ONE_WAY: Duration = Duration::from_millis(50);
/// One round trip, and what the simulation and the syncs add.
const ABOUT_ONE: f64 = 1.2;

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "divergence",
        title: "100 divergent keys among many",
        what: "A and B, processes of their own and leaders of two regions, durable, both have so many keys of 32 bytes with values \
               of 100. They part; each writes 50 other keys of these; they connect again. Measured from when the connection \
               is up (QUIC's handshake and the hellos are before that) until each has on disk and shows what the other wrote; \
               the median of 9 times. Bytes are those of both directions on the stream, hellos and heartbeats included. Round \
               trips: the same once more over a simulated link of 50 ms each way, divided by 100 ms.",
        unit: "ms",
        goals: vec![
            Goal::new(Of::Ratio("Anabranch, 1,000,000 keys", "Anabranch, 10,000 keys"), Bound::AtMost(1.2)),
            Goal::stretch_only(Of::One("Anabranch, 1,000,000 keys"), Bound::AtMost(1.0)),
            Goal::new(Of::One("round trips, 1,000,000 keys"), Bound::AtMost(ABOUT_ONE)),
            Goal::new(Of::One("bytes, 1,000,000 keys"), Bound::AtMost(16_000.0)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let cluster = Cluster::new(dir.path())?;
    let mut pair = Pair { a: cluster.start("a")?, b: cluster.start("b")?, keys: 0 };
    connect(&mut pair.a, &mut pair.b)?;
    // Divergent keys must be different ones, in a smoke test too.
    let (few, many) = (setting.scaled(FEW).max(DIVERGENT), setting.scaled(MANY).max(2 * DIVERGENT));
    pair.fill(few)?;
    let (few_ms, few_bytes) = pair.times(TIMES)?;
    pair.fill(many)?;
    let (many_ms, many_bytes) = pair.times(TIMES)?;
    let round_trips = pair.round_trips()?;
    Ok(vec![
        Figure::new("Anabranch, 1,000,000 keys", many_ms),
        Figure::new("Anabranch, 10,000 keys", few_ms),
        Figure::other("bytes, 1,000,000 keys", many_bytes, "bytes"),
        Figure::other("bytes, 10,000 keys", few_bytes, "bytes"),
        Figure::other("round trips, 1,000,000 keys", round_trips, "round trips"),
    ])
}

/// Two nodes with so many keys, connected.
struct Pair {
    a: Node,
    b: Node,
    keys: u64,
}

impl Pair {
    fn fill(&mut self, keys: u64) -> anyhow::Result<()> {
        self.a.tell(&Ask::Fill { from: self.keys, count: keys - self.keys, step: 1 })?;
        let token = self.a.written()?.token;
        self.b.tell(&Ask::Reach { token })?;
        self.b.reached()?;
        self.keys = keys;
        Ok(())
    }

    /// Median milliseconds and bytes.
    fn times(&mut self, times: u64) -> anyhow::Result<(f64, f64)> {
        let (mut taken, mut bytes) = (Vec::new(), Vec::new());
        for _ in 0..times {
            let tokens = self.diverge()?;
            let addr = self.b.addr.clone();
            taken.push(self.meet(addr, tokens)?);
            let traffic = self.a.traffic()?;
            bytes.push((traffic.stream_sent + traffic.stream_received) as f64);
        }
        let median = |values: &mut Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().context("nothing was measured")
        };
        Ok((median(&mut taken)?, median(&mut bytes)?))
    }

    fn round_trips(&mut self) -> anyhow::Result<f64> {
        let tokens = self.diverge()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let link = runtime.block_on(async {
            anyhow::Ok(WanLink::start(self.b.addr.parse()?, LinkProfile::with_delay(ONE_WAY), 1)?)
        })?;
        Ok(self.meet(link.addr().to_string(), tokens)? / (2.0 * ONE_WAY.as_secs_f64() * 1e3))
    }

    /// Parts the two, and has each write keys that the other does not. What each wrote, as tokens.
    fn diverge(&mut self) -> anyhow::Result<[String; 2]> {
        self.a.ask(&Ask::Part)?;
        self.b.ask(&Ask::Part)?;
        let step = self.keys / DIVERGENT;
        let (half, second) = (DIVERGENT / 2, self.keys / 2);
        self.a.tell(&Ask::Fill { from: 0, count: half, step })?;
        self.b.tell(&Ask::Fill { from: second, count: half, step })?;
        let tokens = [self.a.written()?.token, self.b.written()?.token];
        for node in [&mut self.a, &mut self.b] {
            let listening = node.ask(&Ask::Listen)?;
            let Answer::Listening { addr } = listening else { bail!("node {}: {listening:?}", node.name) };
            node.addr = addr;
        }
        Ok(tokens)
    }

    /// Connects A to B at that address. Milliseconds until each has what the other wrote.
    fn meet(&mut self, addr: String, [of_a, of_b]: [String; 2]) -> anyhow::Result<f64> {
        self.b.ask(&Ask::Peer { node: self.a.name.clone(), addr: None })?;
        self.b.tell(&Ask::Reach { token: of_a })?;
        self.a.tell(&Ask::Rejoin { node: self.b.name.clone(), addr: Some(addr), token: of_b })?;
        let (at_a, at_b) = (self.a.reached()?, self.b.reached()?);
        let equal_ns = at_a.at_ns.max(at_b.at_ns);
        Ok(equal_ns.saturating_sub(at_a.connected_ns) as f64 / 1e6)
    }
}
