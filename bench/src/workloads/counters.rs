//! Counters through native clients, beside Redis.

use crate::numbers::spread;
use crate::ours::native::{Clients, How};
use crate::ours::server::{Credentials, Peer, Running};
use crate::setting::Setting;
use crate::workload::{Bound, Figure, Goal, Of, Workload};
use anabranch_client::Ack;
use anyhow::Context as _;
use std::path::Path;
use std::time::Duration;

/// Clients, each with a connection of its own.
pub const CONNECTIONS: usize = 50;
/// Calls under way on each.
pub const IN_FLIGHT: usize = 16;
const KEYS: u64 = 10_000;
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

pub fn workloads() -> Vec<Workload> {
    vec![Workload {
        name: "native-counters",
        title: "Counter increments through native clients, 50 connections × 16 in flight",
        what: "Each adds 1 to one of 10,000 counters with keys of 32 bytes, is answered with the sum when that is on disk, and is \
               done once however often it is sent (its operation id is kept). QUIC with certificates on both sides; 50 clients \
               with a session each, all in this process, as the node is. The next call goes when one of the 16 is answered. \
               `no sum` does not ask for the sum; `on disk in 2 regions` waits for a second node in this process, too. \
               Redis: a process of its own with `appendonly yes` and `appendfsync always`, `INCRBY KEY 1` over plain TCP in bursts \
               of 16 on each of 50 connections, the next burst when the last was answered; what is sent again counts twice. \
               `WAIT 1`: after each burst, with a replica of the same settings in one more process, which answers when it has \
               received, not when it has synced.",
        unit: "increments/s",
        goals: vec![Goal::new(Of::Ratio("Anabranch", "Redis"), Bound::AtLeast(0.5)).stretch(Bound::AtLeast(1.0))],
        measure,
    }]
}

/// The key of the increment with that number.
pub fn key(number: u64) -> String {
    format!("{:032}", spread(number, KEYS))
}

fn measure(setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let dir = setting.folder()?;
    let mut figures = ours(dir.path(), setting)?;
    figures.extend(redis(dir.path(), setting)?);
    Ok(figures)
}

fn ours(dir: &Path, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    let credentials = Credentials::create(&dir.join("credentials"))?;
    let a = Running::member(dir, "a", &credentials, &[Peer::Later("b")])?;
    let clients = Clients::connect(CONNECTIONS, a.quic_addr().context("it has QUIC")?, &credentials)?;
    let rate = |how| clients.increment(IN_FLIGHT, setting.until(), key, how);
    let sum = rate(How { ack: Ack::Local, show: true })?;
    let no_sum = rate(How { ack: Ack::Local, show: false })?;
    let b = Running::member(dir, "b", &credentials, &[Peer::Running(&a)])?;
    b.wait_for(&a, PATIENCE, PAUSE)?;
    let regions = rate(How { ack: Ack::Regions(2), show: true })?;
    drop(clients);
    b.stop();
    a.stop();
    Ok(vec![
        Figure::new("Anabranch", sum),
        Figure::new("Anabranch, no sum", no_sum),
        Figure::new("Anabranch, on disk in 2 regions", regions),
    ])
}

#[cfg(feature = "peers")]
fn redis(dir: &Path, setting: &Setting) -> anyhow::Result<Vec<Figure>> {
    crate::peers::redis::increments(dir, setting)
}

#[cfg(not(feature = "peers"))]
fn redis(_: &Path, _: &Setting) -> anyhow::Result<Vec<Figure>> {
    Ok(Vec::new())
}
