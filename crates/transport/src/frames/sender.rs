//! The sending half of a stream of frames.

use bytes::Bytes;
use quinn::{SendStream, StoppedError, WriteError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::PREFIX;
use crate::connection::CloseReason;

/// Frames are gathered up to about this size and handed over in one piece: one call per frame is
/// some thirty times slower for small frames.
const BATCH: usize = 256 * 1024;

/// The sending half of a stream of frames. Dropping it ends the stream, so that the peer sees the
/// end after the last frame.
#[derive(Debug)]
pub struct FrameSender {
    stream: SendStream,
    max_frame: u32,
    /// What a cancelled call left behind; it goes first, so that no frame is ever torn.
    unsent: Bytes,
    /// The connection's count of bytes on its streams.
    sent: Arc<AtomicU64>,
}

/// A frame cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The frame is longer than allowed; nothing was sent.
    #[error("a frame of {length} bytes is longer than the {max} allowed (a fault of this node)")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The longest allowed, in bytes.
        max: u32,
    },
    /// The frame is empty, which means nothing; nothing was sent.
    #[error("an empty frame cannot be sent (a fault of this node)")]
    Empty,
    /// The stream was finished before.
    #[error("the stream has been finished by this node and takes no more frames")]
    Finished,
    /// The peer wants no more frames on this stream.
    #[error("the peer takes no more frames on this stream (code {code})")]
    Stopped {
        /// The code the peer gave.
        code: u64,
    },
    /// The connection has ended.
    #[error("the connection has ended: {0}")]
    Closed(#[from] CloseReason),
}

impl FrameSender {
    pub(crate) fn new(stream: SendStream, max_frame: u32, sent: Arc<AtomicU64>) -> Self {
        Self { stream, max_frame, unsent: Bytes::new(), sent }
    }

    /// Sends one frame. Returns once the frame is on its way, which is not yet at the peer; waits
    /// while the peer is slow to read.
    ///
    /// If cancelled, the frame may or may not be sent, but never in part: what is missing goes out
    /// with the next call.
    ///
    /// # Errors
    /// If the frame is empty or too long, if the peer stopped the stream, or if the connection has
    /// ended.
    pub async fn send(&mut self, frame: &[u8]) -> Result<(), SendError> {
        self.send_many(&[frame]).await
    }

    /// Sends many frames at once, much faster than one by one. None is sent if one of them is
    /// empty or too long.
    ///
    /// If cancelled, some number of the first frames is sent, each whole (as with
    /// [`send`](Self::send)), and the rest is not.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_many<F: AsRef<[u8]>>(&mut self, frames: &[F]) -> Result<(), SendError> {
        let mut total = 0;
        for frame in frames {
            total += self.prefix(frame.as_ref())?.len() + frame.as_ref().len();
        }
        self.flush().await?;
        let mut batch = Vec::with_capacity(total.min(BATCH));
        for frame in frames {
            let frame = frame.as_ref();
            batch.extend_from_slice(&self.prefix(frame)?);
            batch.extend_from_slice(frame);
            if batch.len() >= BATCH {
                self.unsent = Bytes::from(std::mem::take(&mut batch));
                self.flush().await?;
            }
        }
        self.unsent = Bytes::from(batch);
        self.flush().await
    }

    fn prefix(&self, frame: &[u8]) -> Result<[u8; PREFIX], SendError> {
        if frame.is_empty() {
            return Err(SendError::Empty);
        }
        match u32::try_from(frame.len()) {
            Ok(length) if length <= self.max_frame => Ok(length.to_le_bytes()),
            _ => Err(SendError::TooLong { length: frame.len(), max: self.max_frame }),
        }
    }

    async fn flush(&mut self) -> Result<(), SendError> {
        while !self.unsent.is_empty() {
            // It shortens `unsent` by what it took, and takes nothing if cancelled.
            let before = self.unsent.len();
            let chunks = std::slice::from_mut(&mut self.unsent);
            self.stream.write_chunks(chunks).await.map_err(lost)?;
            self.sent.fetch_add((before - self.unsent.len()) as u64, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Ends the stream after the frames sent so far and waits until the peer has acknowledged all
    /// of them. After that the connection can be closed without losing any.
    ///
    /// # Errors
    /// If the peer stopped the stream or the connection has ended before.
    pub async fn finish(&mut self) -> Result<(), SendError> {
        self.flush().await?;
        // Already finished is as good.
        let _ = self.stream.finish();
        match self.stream.stopped().await {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(SendError::Stopped { code: code.into_inner() }),
            Err(StoppedError::ConnectionLost(error)) => Err(CloseReason::from(error).into()),
            Err(StoppedError::ZeroRttRejected) => Err(zero_rtt().into()),
        }
    }
}

fn lost(error: WriteError) -> SendError {
    match error {
        WriteError::Stopped(code) => SendError::Stopped { code: code.into_inner() },
        WriteError::ConnectionLost(error) => CloseReason::from(error).into(),
        WriteError::ClosedStream => SendError::Finished,
        WriteError::ZeroRttRejected => zero_rtt().into(),
    }
}

/// Never happens: 0-RTT is switched off on both sides.
fn zero_rtt() -> CloseReason {
    CloseReason::Protocol { reason: "0-RTT was rejected, though it was never used".to_owned() }
}
