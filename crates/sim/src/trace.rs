//! What happened, as a hash: two runs of one seed must have the same. And as text, for whoever looks for a cause.

use std::fmt::Write as _;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The fold of all events.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    lines: Option<String>,
}

impl Trace {
    /// A trace that keeps the text, too, if asked.
    pub(crate) fn new(keep_text: bool) -> Self {
        Self { hash: 0, lines: keep_text.then(String::new) }
    }

    /// Takes in an event: when, what, where, and what it carried.
    pub(crate) fn note(&mut self, now: u64, what: &'static str, place: usize, bytes: &[u8]) {
        self.hash = xxh3_64_with_seed(what.as_bytes(), self.hash ^ now.wrapping_mul(31) ^ ((place as u64) << 56));
        self.hash = xxh3_64_with_seed(bytes, self.hash);
    }

    /// Adds a line of text, when text is kept.
    pub(crate) fn line(&mut self, now: u64, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{now:>7} {}", text());
        }
    }

    /// The hash so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The text, when it was kept.
    pub(crate) fn text(&mut self) -> Option<String> {
        self.lines.take()
    }
}
