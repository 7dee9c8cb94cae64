//! What a checker found.

use std::fmt;

/// Something that should not have been seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken: the checker's name.
    pub rule: &'static str,
    /// The event in which it shows; for what is wrong with a whole counter, its last read.
    pub event: u64,
    /// What happened, for people.
    pub story: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.story)
    }
}
