//! SIGKILL and SIGTERM under load.

use crate::support::cluster::Cluster;
use crate::support::ledger::{Ledger, create_collections};
use crate::support::tell;
use crate::support::writer::Writer;
use std::time::Duration;

/// Each round is another moment to die at.
const ROUNDS: u64 = 4;

#[test]
fn what_was_acknowledged_survives_sigkill_and_counts_once() {
    let requests = end_under_load(Cluster::kill);
    tell(&format!("crash: {ROUNDS} kills, {requests} requests acknowledged"));
}

#[test]
fn sigterm_under_load_ends_in_time_and_loses_nothing() {
    // Ends well within five seconds, although the clients never stop asking.
    end_under_load(Cluster::stop);
}

/// Writes, ends the node in the middle of it, starts it again, looks; several times. Says how much was acknowledged.
fn end_under_load(end: impl Fn(&mut Cluster, usize)) -> usize {
    let mut cluster = Cluster::start(&["eu"]);
    let ports = cluster.http_ports();
    create_collections(&cluster.api, ports[0]);
    let mut all = Ledger::default();
    for round in 0..ROUNDS {
        let start = |seed| Writer::new(ports.clone(), round * 10 + seed, false).run_until_failure();
        let running: Vec<_> = (0..4).map(start).collect();
        std::thread::sleep(Duration::from_millis(300 + 170 * round));
        end(&mut cluster, 0);
        let mut writers: Vec<_> = running.into_iter().map(|thread| thread.join().expect("a writer")).collect();
        let mut acknowledged = all.clone();
        acknowledged.merge(&Writer::all(&writers));

        cluster.start_node(0);
        assert!(acknowledged.requests > all.requests, "nothing was acknowledged: the test proves nothing");
        let found = acknowledged.read(&cluster.api, ports[0]);
        assert!(found.has_all_of(&acknowledged), "acknowledged {acknowledged:?}, found {found:?}");

        // What was under way is sent again: it counts once, whether or not it was there already.
        writers.iter_mut().for_each(Writer::insist);
        all.merge(&Writer::all(&writers));
        all.must_be_held_by(&cluster.api, ports[0]);
    }
    all.requests
}
