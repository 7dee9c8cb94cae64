//! A peer that stands still under write load.
//!
//! `ANABRANCH_STOP_SECONDS=60 cargo test -p anabranch-cli --test it stopped_peer` runs the long form.

use crate::support::cluster::Cluster;
use crate::support::{eventually, seconds, tell};
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const WRITERS: u32 = 4;
/// The size of one value, and of what is written in all if the machine keeps up.
const VALUE: usize = 16 << 10;
const TOTAL: usize = 256 << 20;
/// What is written at least, however long that takes: so much more than memory may grow by that a sender which keeps all
/// that a peer lacks in memory is found out.
const LEAST: usize = 96 << 20;
/// How much more memory the sender may hold at the end of the load than after warming up.
const GROWTH: u64 = 64 << 20;
/// How far the other peer may be behind at any moment.
const LAG: Duration = Duration::from_secs(2);

#[test]
fn a_stopped_peer_costs_the_sender_no_memory_and_the_others_no_time() {
    let mut cluster = Cluster::start(&["eu", "us", "ap"]);
    let ports = cluster.http_ports();
    cluster.api.create(ports[0], "names", "lww");
    let stop = Arc::new(AtomicBool::new(false));
    let written = Arc::new(AtomicUsize::new(0));
    let lasts = seconds("ANABRANCH_STOP_SECONDS", 5);
    let pause = lasts * WRITERS / u32::try_from(TOTAL / VALUE).expect("a number of writes");
    let writers: Vec<_> = (0..WRITERS).map(|writer| write_on(&cluster, writer, pause, &stop, &written)).collect();
    std::thread::sleep(Duration::from_secs(1));

    cluster.process(2).signal(Signal::STOP);
    let before = cluster.process(0).resident_bytes();
    let began = Instant::now();
    let mut most = before;
    while began.elapsed() < lasts || written.load(Ordering::Relaxed) * VALUE < LEAST {
        let beat = format!("\"{:?}\"", began.elapsed());
        cluster.api.put(ports[0], "names", "beat", &beat);
        let beat: serde_json::Value = serde_json::from_str(&beat).expect("JSON");
        eventually("us keeps up", LAG, || cluster.api.value(ports[1], "names", "beat").as_ref() == Some(&beat));
        most = most.max(cluster.process(0).resident_bytes());
        std::thread::sleep(Duration::from_millis(200));
    }
    stop.store(true, Ordering::Relaxed);
    writers.into_iter().for_each(|writer| writer.join().expect("a writer"));
    let written = written.load(Ordering::Relaxed);
    let (growth, mib) = (most - before, (written * VALUE) >> 20);
    tell(&format!("stopped peer: {mib} MiB written, {} MiB more memory than {} MiB", growth >> 20, before >> 20));
    assert!(growth < GROWTH, "{} MiB more after {mib} MiB were written", growth >> 20);

    cluster.process(2).signal(Signal::CONT);
    let took = Instant::now();
    cluster.verify("20s").with_code(0);
    tell(&format!("stopped peer: all equal {:?} after it went on", took.elapsed()));
}

fn write_on(
    cluster: &Cluster,
    writer: u32,
    pause: Duration,
    stop: &Arc<AtomicBool>,
    written: &Arc<AtomicUsize>,
) -> std::thread::JoinHandle<()> {
    let (api, port, stop, written) = (cluster.api.clone(), cluster.nodes[0].http, stop.clone(), written.clone());
    std::thread::spawn(move || {
        let value = format!("\"{}\"", "x".repeat(VALUE));
        for number in 0.. {
            if stop.load(Ordering::Relaxed) {
                return;
            }
            std::thread::sleep(pause);
            api.put(port, "names", &format!("{writer}-{number}"), &value);
            written.fetch_add(1, Ordering::Relaxed);
        }
    })
}
