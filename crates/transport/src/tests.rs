//! Tests over loopback.

mod credentials;
mod frames;
mod handshake;
mod support;
mod wan;
