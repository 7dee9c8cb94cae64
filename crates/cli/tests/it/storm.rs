//! Three leaders, clients that retry anywhere, and a SIGKILL every second.
//!
//! `ANABRANCH_KILL_SECONDS=60 cargo test -p anabranch-cli --test it storm` runs the long form.

use crate::support::cluster::Cluster;
use crate::support::ledger::create_collections;
use crate::support::random::Random;
use crate::support::writer::Writer;
use crate::support::{seconds, tell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[test]
fn nothing_is_lost_or_counted_twice_while_leaders_are_killed() {
    let mut cluster = Cluster::start(&["eu", "us", "ap"]);
    let ports = cluster.http_ports();
    create_collections(&cluster.api, ports[0]);
    let stop = Arc::new(AtomicBool::new(false));
    let running: Vec<_> = (0..3).map(|seed| Writer::new(ports.clone(), seed, true).run(&stop)).collect();

    let mut random = Random::new(u64::from(std::process::id()));
    let (began, lasts) = (Instant::now(), seconds("ANABRANCH_KILL_SECONDS", 6));
    let mut kills = 0;
    while began.elapsed() < lasts {
        let victim = random.below(3) as usize;
        std::thread::sleep(Duration::from_millis(300 + random.below(400)));
        cluster.kill(victim);
        kills += 1;
        std::thread::sleep(Duration::from_millis(random.below(500)));
        cluster.start_node(victim);
    }
    stop.store(true, Ordering::Relaxed);
    let writers: Vec<_> = running.into_iter().map(|thread| thread.join().expect("a writer")).collect();
    let (all, retries) = (Writer::all(&writers), writers.iter().map(|writer| writer.retries).sum::<usize>());
    tell(&format!("storm: {kills} kills, {} requests acknowledged, {retries} attempts repeated", all.requests));
    assert!(kills >= 3, "{kills} kills prove little");
    assert!(retries > 0, "no write met a killed leader: the test proves nothing");

    cluster.verify("10s").with_code(0);
    ports.iter().for_each(|port| all.must_be_held_by(&cluster.api, *port));
}
