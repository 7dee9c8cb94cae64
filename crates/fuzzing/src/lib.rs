//! The bodies of the fuzz targets: from any bytes to a verdict. A body returns when all is well and panics when something
//! that must hold does not.
//!
//! `fuzz/fuzz_targets` holds a few lines around each for cargo-fuzz; the tests of this crate run each on its corpus, on
//! the crashes that were found, and on a second of mutations of these. See `docs/testing.md`.
//!
//! * What takes bytes: [`transaction`], [`message`], [`hello`], [`request`], [`reply`], [`texts`], [`stored`], [`json`],
//!   [`transactions`], [`headers`], [`config`], [`certificate`]. Whatever comes in, there is no panic, memory stays below a multiple of the input
//!   ([`meter`]), and what is accepted has one form only: it is written as it was read.
//! * What acts on it: [`hostile`] (an engine among peers that do not follow the protocol), [`resolvers`] (models of
//!   replicas against the naive specifications), [`convergence`] (three engines, in whatever order things happen).

#[path = "../../resolvers/tests/it/calendar_model.rs"]
mod calendar_model;
pub mod certificate;
pub mod config;
pub mod convergence;
mod definition;
mod drawn;
mod editors;
pub mod headers;
pub mod hello;
pub mod hostile;
mod input;
pub mod json;
pub mod message;
pub mod meter;
pub mod mutator;
mod replica;
pub mod reply;
pub mod request;
pub mod resolvers;
pub mod seeds;
#[allow(dead_code)] // Some of it is for the resolvers' own tests alone.
#[path = "../../resolvers/tests/it/specs.rs"]
mod specs;
pub mod stored;
pub mod texts;
pub mod transaction;
pub mod transactions;

/// A body: returns when all is well.
pub type Body = fn(&[u8]);

/// Every target, by its name.
pub const TARGETS: [(&str, Body); 15] = [
    ("certificate", certificate::body),
    ("config", config::body),
    ("convergence", convergence::body),
    ("headers", headers::body),
    ("hello", hello::body),
    ("hostile", hostile::body),
    ("json", json::body),
    ("message", message::body),
    ("reply", reply::body),
    ("request", request::body),
    ("resolvers", resolvers::body),
    ("stored", stored::body),
    ("texts", texts::body),
    ("transaction", transaction::body),
    ("transactions", transactions::body),
];
