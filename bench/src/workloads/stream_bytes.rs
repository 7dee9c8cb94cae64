//! What a transaction takes on the stream between two regions.

use crate::ours::node::cluster::{Cluster, connect};
use crate::ours::node::talk::{Ask, Values};
use crate::ours::writes::PAYLOAD;
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use std::time::Duration;

const LENGTH: Duration = Duration::from_secs(3);

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "stream-bytes",
        title: "Bytes on the stream per transaction",
        what: "A `put` of a 32-byte key and a value of 100 bytes among 100,000 keys, for at least 3 s at A, until B has all. \
               Counted is all that A gave to its stream to B: messages with their lengths, acknowledgements and heartbeats \
               among them; not what QUIC and UDP add. Random letters and digits (six bits of chance in each byte) show it \
               before compression; small JSON objects, a third of each words drawn anew from some hundreds, under keys that \
               begin alike, with it. `payload` is key and value, 132 bytes. With one writer each message has one transaction.",
        unit: "bytes/write",
        goals: vec![
            Goal::new(Of::Ratio("random, 64 writers", "payload"), Bound::AtMost(1.15)).stretch(Bound::AtMost(1.05)),
            Goal::new(Of::Ratio("text-like, 64 writers", "payload"), Bound::AtMost(0.6)),
        ],
        measure,
    }]
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    Ok(vec![
        Figure::new("random, 64 writers", bytes(setting, 64, Values::Random)?),
        Figure::new("random, 1 writer", bytes(setting, 1, Values::Random)?),
        Figure::new("text-like, 64 writers", bytes(setting, 64, Values::Text)?),
        Figure::new("text-like, 1 writer", bytes(setting, 1, Values::Text)?),
        Figure::new("payload", PAYLOAD as f64),
    ])
}

fn bytes(setting: &Setting, writers: usize, values: Values) -> anyhow::Result<f64> {
    let dir = setting.folder()?;
    let cluster = Cluster::new(dir.path())?;
    let (mut a, mut b) = (cluster.start("a")?, cluster.start("b")?);
    connect(&mut a, &mut b)?;
    let before = a.traffic()?.stream_sent;
    let seconds = setting.at_least(LENGTH).as_secs_f64();
    a.tell(&Ask::Drive { writers, seconds, values })?;
    let written = a.written()?;
    b.tell(&Ask::Reach { token: written.token })?;
    b.reached()?;
    Ok((a.traffic()?.stream_sent - before) as f64 / written.count as f64)
}
