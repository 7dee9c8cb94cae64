//! What clients with sessions do in a run.

use crate::random::Random;

/// The drawn plan. Rates are per mille, times are milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct TravelPlan {
    pub(crate) travellers: usize,
    pub(crate) calls: usize,
    pub(crate) think_ms: u64,
    pub(crate) keys: u64,
    pub(crate) writes: u64,
    pub(crate) counts: u64,
    pub(crate) hop: u64,
    pub(crate) hedge: u64,
    pub(crate) bounded_lag: u64,
    pub(crate) other_guarantees: u64,
    /// How long a replica may wait, at most.
    pub(crate) wait_ms: u64,
    /// How long a call may take, at most.
    pub(crate) call_ms: u64,
}

impl TravelPlan {
    /// The plan that `random` gives.
    pub(crate) fn draw(random: &mut Random) -> Self {
        Self {
            travellers: random.range(2, 6) as usize,
            calls: random.pick(&[40, 80, 160]),
            think_ms: random.pick(&[10, 40, 120]),
            keys: random.pick(&[1, 3, 5]),
            writes: random.pick(&[200, 400, 600]),
            counts: random.pick(&[0, 150, 300]),
            hop: random.pick(&[50, 300, 1000]),
            hedge: random.pick(&[0, 500, 1000]),
            bounded_lag: random.pick(&[0, 50]),
            other_guarantees: random.pick(&[0, 100]),
            wait_ms: random.pick(&[200, 2_000, 5_000]),
            call_ms: random.pick(&[1_000, 4_000, 12_000]),
        }
    }
}
