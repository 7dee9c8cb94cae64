//! Histories of clients: what each asked of whom and what it was shown, and checkers of what sessions promise.
//!
//! A history is a list of [`Event`]s: each one operation of one client with all its attempts, on sets that only grow (a write adds
//! its own number, so that a read says exactly which writes it saw) and on counters. [`Log`] writes one as lines of JSON,
//! [`History::load`] reads it, [`check`] checks it. Clients of real processes and of the simulator are checked by the same code.
//!
//! ```
//! use anabranch_sim::histories::{self, Action, Event, Guarantees, History, Log, Outcome, Scope};
//!
//! let log = Log::new(Vec::new(), Some("shop"))?; // or Log::create("alice.jsonl", Some("shop"))
//! log.append(&Event {
//!     id: log.number(),
//!     session: "alice".to_owned(),
//!     node: Some("eu".to_owned()),
//!     guarantees: Guarantees::ALL,
//!     invoke_us: 1_000_000, // log.now_us() before
//!     end_us: 1_002_500,    // log.now_us() after
//!     result: Outcome::Ok,
//!     action: Action::Read { seen: [("inbox".to_owned(), vec![7])].into() },
//!     token_in: None,
//!     token_out: None,
//! })?;
//! let history = History::read("memory", log.finish()?.as_slice())?;
//! let violations = histories::check(&history, &Scope::promised());
//! let story = "sanity: read 1 (session alice at eu, 1.002500 s) of \"inbox\" shows 7, which nobody wrote";
//! assert_eq!(violations[0].to_string(), story);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is judged
//!
//! Only answered reads are judged, and at most one violation is reported for each by each checker; the module of each checker says
//! which reads those are. By which guarantees an operation is judged, [`Scope`] decides: by what it asked for, or as if it had asked
//! for all.
//!
//! | checker | a read must show | if |
//! |---|---|---|
//! | [`sanity`] | nothing that was not written, or failed | always |
//! | [`token`] | what its token covers | it carried one |
//! | [`read_your_writes`] | what its session wrote | it asked for it |
//! | [`monotonic_reads`] | what its session was shown | it asked for it |
//! | [`monotonic_writes`] | what the writer of what is shown had written | the shown write asked for it |
//! | [`writes_follow_reads`] | what the writer of what is shown had been shown | the shown write asked for it |
//! | [`causal`] | all that follows from these together | as these |
//! | [`consistent_prefix`] | what the leader of what is shown had certainly applied, and writes whole | always |
//! | [`exactly_once`] | counters: what was acknowledged, nothing twice | always |
//!
//! Unless the read itself shows the later write, monotonic writes and writes follow reads are for readers with monotonic reads.

pub mod causal;
pub mod consistent_prefix;
mod event;
pub mod exactly_once;
mod flow;
mod history;
mod load;
mod log;
pub mod monotonic_reads;
pub mod monotonic_writes;
mod parts;
pub mod read_your_writes;
pub mod sanity;
mod scope;
mod sets;
mod story;
mod text;
pub mod token;
mod tokens;
mod violation;
pub mod writes_follow_reads;

#[cfg(test)]
mod example;

pub use anabranch_session::Guarantees;
pub use event::{Action, Event, Outcome};
pub use history::{History, Inconsistent};
pub use load::LoadError;
pub use log::Log;
pub use scope::Scope;
pub use text::parse_dot;
pub use violation::Violation;

/// A checker.
pub type Checker = fn(&History, &Scope) -> Vec<Violation>;

/// All checkers, by name.
pub const CHECKERS: [(&str, Checker); 9] = [
    ("sanity", sanity::check),
    ("token", token::check),
    ("read your writes", read_your_writes::check),
    ("monotonic reads", monotonic_reads::check),
    ("monotonic writes", monotonic_writes::check),
    ("writes follow reads", writes_follow_reads::check),
    ("causal", causal::check),
    ("consistent prefix", consistent_prefix::check),
    ("exactly once", exactly_once::check),
];

/// What all checkers find.
#[must_use]
pub fn check(history: &History, scope: &Scope) -> Vec<Violation> {
    CHECKERS.iter().flat_map(|(_, checker)| checker(history, scope)).collect()
}
