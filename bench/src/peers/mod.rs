//! Libraries and servers that others made, each in a file of its own.

mod automerge;
pub mod couch;
mod crdts;
pub mod documents;
mod loro;
pub mod redis;
mod yrs;
