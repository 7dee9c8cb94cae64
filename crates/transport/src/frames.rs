//! Length-prefixed messages on a QUIC stream.

mod receiver;
mod sender;

pub use receiver::{FrameReceiver, RecvError};
pub use sender::{FrameSender, SendError};

/// Bytes before each frame: its length, little-endian.
const PREFIX: usize = 4;
