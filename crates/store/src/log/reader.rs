//! Reading log records from segments.

use std::fs::File;
use std::ops::ControlFlow;

use anabranch_engine::store::StoreError;

use super::at;
use super::frame::{Frame, HEAD, Head};
use super::listed::{Listed, Segments};
use crate::directory::io_error;

/// How much is read from a file at a time, or a whole frame where one is longer.
const CHUNK: usize = 64 << 10;

/// How far the log goes: what a reader may look at. It does not change while more is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The index after the last record.
    pub(crate) index: u64,
    /// The segment in which the last frame lies, and the offset after it.
    pub(crate) ordinal: u64,
    pub(crate) offset: u64,
}

/// Visits log records from `index` on, ascending, up to `end`.
///
/// # Errors
/// `Corrupt`, naming file and position, when a frame is damaged or missing; `Io`.
pub(crate) fn read(
    segments: &Segments,
    end: End,
    index: u64,
    visit: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    if index >= end.index {
        return Ok(());
    }
    let mut next = None;
    // Where the frames of the segment before ended: what is missing then, is missing there.
    let mut ended = None;
    for listed in segments.from(index, end.ordinal) {
        let limit = if listed.ordinal == end.ordinal { end.offset } else { listed.size };
        let file = listed.open()?;
        let mut frames = Frames::new(&listed, &file, listed.find(&file, index, limit)?, limit);
        loop {
            let at = frames.at();
            let Some(frame) = frames.next()? else {
                if next.is_none() || listed.ordinal == end.ordinal {
                    // No empty segment is chosen to begin with, and the end is where the last frame ended.
                    return Err(ended.unwrap_or_else(|| listed.damaged(at)));
                }
                ended.get_or_insert_with(|| listed.damaged(at));
                break;
            };
            if next.is_some_and(|next| next != frame.number) {
                return Err(ended.unwrap_or_else(|| listed.damaged(at)));
            }
            (next, ended) = (Some(frame.number + 1), None);
            if frame.next_index() <= index {
                continue;
            }
            let visited = frame.visit_records(&mut |at, record| match at < index {
                true => ControlFlow::Continue(()),
                false => visit(at, record),
            });
            match visited {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => return Ok(()),
                Err(error) => return Err(StoreError::corrupt(format!("{}: {error}", listed.path.display()))),
            }
            if frame.next_index() >= end.index {
                return Ok(());
            }
        }
    }
    Err(StoreError::corrupt(format!("the log's segments end before record {}", end.index)))
}

/// The frames of a segment, one after another.
pub(crate) struct Frames<'a> {
    listed: &'a Listed,
    file: &'a File,
    /// Where the next frame begins, and where the segment's frames end at the latest.
    at: u64,
    limit: u64,
    buffer: Vec<u8>,
    /// The offset in the file of what `buffer` holds.
    base: u64,
}

impl<'a> Frames<'a> {
    pub(crate) fn new(listed: &'a Listed, file: &'a File, at: u64, limit: u64) -> Self {
        Self { listed, file, at, limit, buffer: Vec::new(), base: at }
    }

    /// Where the next frame begins.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The next frame; `None` at the zeros after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Frame<'_>>, StoreError> {
        let at = self.at;
        let damaged = || self.listed.damaged(at);
        let Some(length) = self.length()? else {
            return if self.is_zero()? { Ok(None) } else { Err(damaged()) };
        };
        self.fill(length)?;
        let begin = (at - self.base) as usize;
        let bytes = self.buffer.get(begin..begin + length).ok_or_else(damaged)?;
        let frame = Frame::read(bytes, self.listed.salt).ok_or_else(damaged)?;
        self.at += length as u64;
        Ok(Some(frame))
    }

    /// The frame at hand if it is whole and right and has that number; else it is not passed.
    pub(crate) fn next_valid(&mut self, number: u64) -> Result<Option<Frame<'_>>, StoreError> {
        let Some(length) = self.length()? else { return Ok(None) };
        self.fill(length)?;
        let begin = (self.at - self.base) as usize;
        let Some(bytes) = self.buffer.get(begin..begin + length) else { return Ok(None) };
        let frame = Frame::read(bytes, self.listed.salt).filter(|frame| frame.number == number);
        if frame.is_some() {
            self.at += length as u64;
        }
        Ok(frame)
    }

    /// The length of the frame at hand, if there is one that ends before the limit.
    fn length(&mut self) -> Result<Option<usize>, StoreError> {
        let left = self.limit.saturating_sub(self.at);
        if left < HEAD as u64 {
            return Ok(None);
        }
        self.fill(HEAD)?;
        let begin = (self.at - self.base) as usize;
        let head = self.buffer.get(begin..).and_then(|bytes| Head::read(bytes, self.listed.salt));
        Ok(head.map(|head| head.length).filter(|length| *length as u64 <= left))
    }

    /// Whether zeros are where a frame's head would be.
    fn is_zero(&mut self) -> Result<bool, StoreError> {
        let length = self.limit.saturating_sub(self.at).min(HEAD as u64) as usize;
        if length == 0 {
            return Ok(true);
        }
        self.fill(length)?;
        let begin = (self.at - self.base) as usize;
        Ok(self.buffer[begin..].iter().take(length).all(|byte| *byte == 0))
    }

    /// Sees to it that `length` bytes from the frame at hand on are in the buffer, if the file has them.
    fn fill(&mut self, length: usize) -> Result<(), StoreError> {
        let begin = (self.at - self.base) as usize;
        if self.buffer.len() >= begin + length {
            return Ok(());
        }
        let most = usize::try_from(self.limit - self.at).unwrap_or(usize::MAX);
        self.buffer.resize(length.max(CHUNK.min(most)), 0);
        self.base = self.at;
        let read = at::read(self.file, &mut self.buffer, self.at);
        let read = read.map_err(|error| io_error(&self.listed.path, &error))?;
        self.buffer.truncate(read);
        Ok(())
    }
}
