//! Time, as an argument.

/// What time it is, as the caller says: nothing here reads a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// The wall clock, milliseconds since 1970. May jump.
    pub wall_ms: u64,
    /// A clock that never goes back, in milliseconds since anything; for measuring how long something took.
    pub mono_ms: u64,
}
