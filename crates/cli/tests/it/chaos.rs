//! Everything at once: leaders that are killed, stopped, cut off in whole or one way, behind links that lose, repeat, delay and
//! reorder, with clocks that are wrong and a data directory that goes back in time. What was acknowledged must be there, once, and
//! nobody with a session may see time run backwards.
//!
//! `ANABRANCH_CHAOS_SECONDS=200 cargo test -p anabranch-cli --release --test it chaos -- --nocapture --test-threads=1` is the long form.
//! `ANABRANCH_CHAOS_SEED` makes the choices of an earlier run again; when what happens is another matter.

mod full_disk;
mod strikes;

use crate::hopping::judged;
use crate::support::clocks::Clock;
use crate::support::cluster::Cluster;
use crate::support::directories::copy;
use crate::support::ledger::create_collections;
use crate::support::stalls::Stalls;
use crate::support::writer::Writer;
use crate::support::{seconds, tell};
use anabranch_transport::LinkProfile;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use strikes::Strikes;

/// How soon after its start a killed node must be ready.
const READY: Duration = Duration::from_secs(2);

const LINK: LinkProfile = LinkProfile {
    delay: Duration::from_millis(10),
    jitter: Duration::from_millis(10),
    loss: 0.02,
    duplicate: 0.02,
    reorder: 0.02,
};

#[test]
fn nothing_is_lost_counted_twice_or_seen_backwards_in_chaos() {
    let seed = seed();
    let lasts = seconds("ANABRANCH_CHAOS_SECONDS", 15);
    tell(&format!("chaos: ANABRANCH_CHAOS_SEED={seed}, {lasts:?}"));
    let stalls = Stalls::watch();
    let mut cluster = Cluster::start_apart(&["eu", "us", "ap"], None, LINK, seed);
    let ports = cluster.http_ports();
    create_collections(&cluster.api, ports[0]);
    wrong_clocks(&mut cluster);
    cluster.verify("20s").with_code(0);
    let stop = Arc::new(AtomicBool::new(false));
    let start = |number| Writer::new(ports.clone(), seed + number, true).run(&stop);
    let running = RefCell::new(Vec::new());

    let strikes = RefCell::new(Strikes::new(seed));
    let told = judged(
        &mut cluster,
        seed,
        strikes::STOP,
        |cluster| {
            // Not before: what travellers need is made while replicas can become equal.
            running.borrow_mut().extend((0..3).map(start));
            strikes.borrow_mut().rain(cluster, lasts);
        },
        |cluster| {
            stop.store(true, Ordering::Relaxed);
            let writers: Vec<_> = running.take().into_iter().map(|thread| thread.join().expect("a writer")).collect();
            let (all, retries) = (Writer::all(&writers), writers.iter().map(|writer| writer.retries).sum::<usize>());
            tell(&format!("chaos: {} requests acknowledged, {retries} attempts repeated", all.requests));
            assert!(retries > 0, "no write met a fault: the test proves nothing");
            cluster.verify("20s").with_code(0);
            ports.iter().for_each(|port| all.must_be_held_by(&cluster.api, *port));
            back_in_time(cluster, &strikes.borrow());
            ports.iter().for_each(|port| all.must_be_held_by(&cluster.api, *port));
        },
    );
    let strikes = strikes.into_inner();
    tell(&format!("chaos: {}; {told}", strikes.told()));
    strikes.must_have_struck(lasts);
    strikes.must_be_ready_within(READY + 2 * stalls.worst());
}

/// Two of three clocks are wrong from the next start on: one by an hour, one by less than is complained of.
fn wrong_clocks(cluster: &mut Cluster) {
    for (at, offset) in [(1, "-1h"), (2, "+0.2")] {
        cluster.nodes[at].clock = Clock::off_by(offset);
        match cluster.nodes[at].clock {
            Some(_) => {
                cluster.kill(at);
                cluster.start_node(at);
            }
            None => {
                tell("chaos: NOT TESTED: wrong clocks, as libfaketime is not installed (apt-get install libfaketime)")
            }
        }
    }
}

/// Puts a node's directory back to a copy from the midst of the run, and lets it catch up.
fn back_in_time(cluster: &mut Cluster, strikes: &Strikes) {
    let Some((at, aside)) = &strikes.aside else { panic!("no directory was copied: the test proves less") };
    cluster.kill(*at);
    let data = cluster.nodes[*at].data.clone();
    std::fs::remove_dir_all(&data).expect("removing");
    copy(aside, &data);
    cluster.start_node(*at);
    cluster.verify("20s").with_code(0);
}

fn seed() -> u64 {
    let given = std::env::var("ANABRANCH_CHAOS_SEED").ok().map(|text| text.parse().expect("a number"));
    given.unwrap_or_else(|| u64::from(uuid::Uuid::new_v4().as_fields().0))
}
