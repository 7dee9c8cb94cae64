//! Clients and sessions against made-up nodes that answer as each test tells them to, over real QUIC.

mod bounds;
mod channel;
mod failover;
mod hedging;
mod node;
mod sessions;
mod support;
mod writes;
