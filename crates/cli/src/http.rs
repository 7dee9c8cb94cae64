//! Talking to a node's HTTP API.
//!
//! Blocking and without TLS: one command is one request after another, and nodes serve plain HTTP on loopback.

mod advice;
mod client;
mod lines;
mod path;
mod problem;
mod session;

pub(crate) use client::{Client, Request};
pub(crate) use lines::Refused;
pub(crate) use path::segment;
