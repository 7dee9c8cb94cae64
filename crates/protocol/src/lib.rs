//! Every message between nodes, its bytes and limits.
//!
//! A frame is one message: a type byte, then its fields. Types are only appended. What does not decode closes the
//! connection that it came on, and nothing else. The bytes are written down in `docs/formats.md`.

pub mod hello;
pub mod message;

pub use hello::{Hello, Role};
pub use message::{Ack, BucketSample, Heartbeat, Message};

/// The protocol version that this build speaks.
pub const VERSION: u8 = 1;
/// The most bytes of a frame: a largest transaction and some room.
pub const MAX_FRAME: usize = 4 << 20;
/// The most bytes of transactions that a sender puts into one frame, unless one alone is larger.
pub const FRAME_TARGET: usize = 256 << 10;
