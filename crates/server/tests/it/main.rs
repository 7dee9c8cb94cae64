//! Black-box tests of a node: over HTTP, and as a process would use it.

mod collections;
mod connections;
mod counters;
mod headers;
mod idempotency;
mod inputs;
mod node;
mod operations;
mod registers;
mod replication;
mod sets;
mod support;
mod transactions;
