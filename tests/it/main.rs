//! Black-box tests of the library's public API.

mod calendars;
mod conflicts;
mod digest;
mod library;
mod replication;
mod resolvers;
mod sessions;
mod structure;
mod support;
mod texts;
mod watching;
