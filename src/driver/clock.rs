//! The clocks of this machine, and its randomness: read here and nowhere below.

use anabranch_causality::Origin;
use anabranch_engine::Time;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What time it is.
pub(crate) fn now() -> Time {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time { wall_ms: wall.as_millis() as u64, mono_ms: START.elapsed().as_millis() as u64 }
}

/// 64 random bits from the operating system, never 0.
pub(crate) fn random_origin() -> Result<Origin, getrandom::Error> {
    getrandom::u64().map(|bits| Origin(bits.max(1)))
}
