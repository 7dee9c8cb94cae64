//! The receiving half of a stream of frames.

use quinn::{ReadError, RecvStream, VarInt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::PREFIX;
use crate::connection::CloseReason;

/// One read from the stream takes up to this much: many small frames cost one read.
const BUFFER: usize = 64 * 1024;
/// Told to a peer whose frames are refused.
const BAD_FRAME: VarInt = VarInt::from_u32(1);

/// The receiving half of a stream of frames. Dropping it tells the peer to stop sending.
#[derive(Debug)]
pub struct FrameReceiver {
    stream: RecvStream,
    max_frame: u32,
    buffer: Box<[u8]>,
    /// The unread part of `buffer`.
    start: usize,
    end: usize,
    /// The frame being put together: its length once known, and what has come of it.
    declared: Option<usize>,
    frame: Vec<u8>,
    /// Set once the stream is of no more use.
    over: Option<Result<(), RecvError>>,
    /// The connection's count of bytes on its streams.
    received: Arc<AtomicU64>,
}

/// No more frames can be received.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecvError {
    /// The peer announced a frame longer than allowed; nothing was allocated for it.
    #[error("the peer announced a frame of {declared} bytes, more than the {max} allowed")]
    TooLong {
        /// The announced length in bytes.
        declared: u32,
        /// The longest allowed, in bytes.
        max: u32,
    },
    /// The peer sent an empty frame, which means nothing.
    #[error("the peer sent an empty frame")]
    Empty,
    /// The stream ended inside a frame.
    #[error("the peer ended the stream in the middle of a frame")]
    Truncated,
    /// The peer gave up the stream.
    #[error("the peer gave up the stream (code {code})")]
    Reset {
        /// The code the peer gave.
        code: u64,
    },
    /// The connection has ended.
    #[error("the connection has ended: {0}")]
    Closed(#[from] CloseReason),
}

impl FrameReceiver {
    pub(crate) fn new(stream: RecvStream, max_frame: u32, received: Arc<AtomicU64>) -> Self {
        Self {
            stream,
            max_frame,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            declared: None,
            frame: Vec::new(),
            over: None,
            received,
        }
    }

    /// Waits for the next frame; `None` once the peer has ended the stream after a whole frame.
    ///
    /// Cancel safe: what has arrived of a frame is kept, and the next call goes on with it.
    ///
    /// # Errors
    /// If the peer sends what it must not, gives up the stream, or the connection ends. An error
    /// is final: every later call returns the same.
    pub async fn recv(&mut self) -> Result<Option<Vec<u8>>, RecvError> {
        loop {
            if let Some(over) = &self.over {
                return over.clone().map(|()| None);
            }
            match self.assemble() {
                Ok(Some(frame)) => return Ok(Some(frame)),
                Ok(None) => self.refill().await,
                Err(error) => {
                    // The stream may already have been stopped, which is as good.
                    let _ = self.stream.stop(BAD_FRAME);
                    self.over = Some(Err(error));
                }
            }
        }
    }

    /// A frame already here, without waiting; `None` says nothing about the end of the stream.
    /// Good for taking what came with the last frame before doing costly work for it.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    pub fn buffered(&mut self) -> Result<Option<Vec<u8>>, RecvError> {
        if let Some(over) = &self.over {
            return over.clone().map(|()| None);
        }
        self.assemble().inspect_err(|error| {
            let _ = self.stream.stop(BAD_FRAME);
            self.over = Some(Err(error.clone()));
        })
    }

    /// How much is allocated for the frame being put together, in bytes.
    #[cfg(test)]
    pub(crate) fn allocated(&self) -> usize {
        self.frame.capacity()
    }

    /// Moves bytes from the buffer into the frame; gives the frame if it is whole.
    fn assemble(&mut self) -> Result<Option<Vec<u8>>, RecvError> {
        let declared = match self.declared {
            Some(declared) => declared,
            None => match self.take_prefix()? {
                Some(declared) => declared,
                None => return Ok(None),
            },
        };
        let here = (declared - self.frame.len()).min(self.end - self.start);
        // Grows with what has really come, not with what was announced.
        self.frame.extend_from_slice(&self.buffer[self.start..self.start + here]);
        self.start += here;
        if self.frame.len() < declared {
            return Ok(None);
        }
        self.declared = None;
        Ok(Some(std::mem::take(&mut self.frame)))
    }

    /// Reads the length before a frame, if all of it is here.
    fn take_prefix(&mut self) -> Result<Option<usize>, RecvError> {
        let unread = &self.buffer[self.start..self.end];
        let Some(prefix) = unread.first_chunk::<PREFIX>() else {
            return Ok(None);
        };
        let declared = u32::from_le_bytes(*prefix);
        if declared == 0 {
            return Err(RecvError::Empty);
        }
        if declared > self.max_frame {
            return Err(RecvError::TooLong { declared, max: self.max_frame });
        }
        self.start += PREFIX;
        self.declared = Some(declared as usize);
        Ok(self.declared)
    }

    /// Reads more from the stream into the buffer, or notes how the stream ended.
    async fn refill(&mut self) {
        // At most a part of a prefix is left here.
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        // Takes nothing if cancelled.
        match self.stream.read(&mut self.buffer[self.end..]).await {
            Ok(Some(count)) => {
                self.end += count;
                self.received.fetch_add(count as u64, Ordering::Relaxed);
            }
            Ok(None) if self.end == 0 && self.declared.is_none() => self.over = Some(Ok(())),
            Ok(None) => self.over = Some(Err(RecvError::Truncated)),
            Err(error) => self.over = Some(Err(lost(error))),
        }
    }
}

fn lost(error: ReadError) -> RecvError {
    match error {
        ReadError::Reset(code) => RecvError::Reset { code: code.into_inner() },
        ReadError::ConnectionLost(error) => CloseReason::from(error).into(),
        // The others are misuse of quinn, which this file does not commit.
        other => CloseReason::Protocol { reason: other.to_string() }.into(),
    }
}
