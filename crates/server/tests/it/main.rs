//! Black-box tests of a node: over HTTP, and as a process would use it.

mod acknowledgements;
mod calendars;
mod changes;
mod collections;
mod conflicts;
mod connections;
mod counters;
mod customs;
mod followers;
mod forwarding;
mod headers;
mod idempotency;
mod inputs;
mod lag;
mod native;
mod node;
mod operations;
mod registers;
mod replication;
mod sets;
mod streams;
mod support;
mod texts;
mod tokens;
mod transactions;
