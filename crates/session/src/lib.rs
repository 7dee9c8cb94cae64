//! What a session carries, which replica it asks, when it asks again: pure decisions.
//!
//! Nothing here reads a clock, draws a random number or does input and output: the caller says what time it is, in
//! milliseconds of a clock that never goes back, and what came of each attempt. So the simulator can drive it, and every
//! decision can be replayed.
//!
//! * [`SessionState`]: the two vectors of a session, and what it asks for under which [`Guarantees`].
//! * [`Fleet`]: what is known of the replicas, and in which order to ask them.
//! * [`Attempts`]: one call from its first attempt to its verdict.

pub mod attempts;
mod carried;
mod choice;
pub mod fleet;
pub mod guarantees;
pub mod latency;
pub mod outcome;
pub mod replica;
mod saved;
pub mod session;
#[cfg(test)]
mod simulation;

pub use attempts::{AskOne, Attempts, Step, Terms};
pub use choice::{Purpose, Want};
pub use fleet::Fleet;
pub use guarantees::Guarantees;
pub use latency::Latencies;
pub use outcome::{Failure, Verdict};
pub use replica::{Replica, Role, Standing};
pub use saved::SaveError;
pub use session::{Begun, SessionState};
