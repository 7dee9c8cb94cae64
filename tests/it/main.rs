//! Black-box tests of the library's public API.

mod replication;
mod structure;
mod support;
