//! Every message between nodes, and between clients and nodes; their bytes and limits.
//!
//! A frame is one message: a type byte, then its fields. Types are only appended. What does not decode closes the
//! connection that it came on, and nothing else. The bytes are written down in `docs/formats.md`.
//!
//! A stream begins with a [`Hello`] in both directions. Between replicas [`Message`]s follow; whoever opened the stream as a
//! [`Role::Client`] sends [`Request`]s and gets [`Reply`]s, in [`Part`]s.

pub mod answer;
mod compressed;
pub mod hello;
pub mod message;
pub mod part;
pub mod request;

pub use answer::{Answer, Described, Page, Problem, Reply, Shown, Standing, Written};
pub use hello::{Hello, Role};
pub use message::{Ack, BucketSample, Heartbeat, Message};
pub use part::{Assembly, Part, parts};
pub use request::{AckLevel, Ask, Http, Request};

/// The protocol version that this build speaks.
pub const VERSION: u8 = 3;
/// The most bytes of a frame: a largest transaction and some room.
pub const MAX_FRAME: usize = 4 << 20;
/// The most bytes of transactions that a sender puts into one frame, unless one alone is larger.
pub const FRAME_TARGET: usize = 256 << 10;
