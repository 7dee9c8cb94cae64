//! What the tests share: processes, clusters, clients, and a record of what was acknowledged.

pub(crate) mod api;
pub(crate) mod clocks;
pub(crate) mod cluster;
pub(crate) mod command;
pub(crate) mod crowd;
pub(crate) mod directories;
pub(crate) mod ledger;
pub(crate) mod links;
pub(crate) mod ports;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod stalls;
pub(crate) mod swallow;
pub(crate) mod writer;

use std::time::{Duration, Instant};

/// Looks again and again until something holds; says how long that took.
#[track_caller]
pub(crate) fn eventually(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    loop {
        if holds() {
            return began.elapsed();
        }
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// How long a test may take its time: the long form is asked for in the environment, in seconds.
pub(crate) fn seconds(variable: &str, short: u64) -> Duration {
    let asked = std::env::var(variable).ok().map(|text| text.parse().expect("a number of seconds"));
    Duration::from_secs(asked.unwrap_or(short))
}

/// Says what a test did, for those who run it with `--nocapture`.
#[expect(clippy::print_stderr, reason = "that much load was met is half of what such a test proves")]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}
