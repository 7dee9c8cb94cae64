//! How good or bad a link is.

use std::time::Duration;

use super::WanError;

/// How one direction of a link treats datagrams. The default is a perfect link.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LinkProfile {
    /// How long every datagram takes, one way; at most 60 s. The simulation adds up to about two
    /// milliseconds.
    pub delay: Duration,
    /// Up to how much longer a datagram takes, evenly spread; at most 60 s. Jitter alone does not
    /// change the order.
    pub jitter: Duration,
    /// Probability from 0 to 1 that a datagram is lost.
    pub loss: f64,
    /// Probability from 0 to 1 that a datagram arrives twice.
    pub duplicate: f64,
    /// Probability from 0 to 1 that a datagram is overtaken: it takes up to another half of the
    /// delay, but at least up to 5 ms, longer, and those behind it do not wait.
    pub reorder: f64,
}

impl LinkProfile {
    /// A link with this one-way delay and no faults; a round trip takes twice as long.
    pub fn with_delay(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    pub(super) fn check(&self) -> Result<(), WanError> {
        const LONGEST: Duration = Duration::from_secs(60);
        if self.delay > LONGEST || self.jitter > LONGEST {
            return Err(WanError::Profile("delay and jitter must not be above 60 s".to_owned()));
        }
        let named = [("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder)];
        for (name, value) in named {
            if !(0.0..=1.0).contains(&value) {
                return Err(WanError::Profile(format!("{name} is {value}, which is not a probability from 0 to 1")));
            }
        }
        Ok(())
    }
}
