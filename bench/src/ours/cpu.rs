//! Time on the processor.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// What this process, with all its threads, has used so far.
pub fn process() -> Duration {
    used(ClockId::ProcessCPUTime)
}

/// What the calling thread has used so far.
pub fn thread() -> Duration {
    used(ClockId::ThreadCPUTime)
}

fn used(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}
