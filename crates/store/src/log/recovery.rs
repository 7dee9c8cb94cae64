//! Opening a log: finding its end, and replaying what the rows may lack.
//!
//! Each frame is synced before the next is written, so only the very last can be torn. What is there of it is cut off. A frame
//! that is not right and has right ones after it was damaged, which is told.
//!
//! First the end is found and made durable, only then the frames are handed on: they go to tables, which must not be ahead of the log.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use anabranch_engine::store::StoreError;

use super::at;
use super::frame::{Frame, Head};
use super::listed::{Listed, Segments};
use super::position::Position;
use super::reader::{End, Frames};
use super::segment::{self, START, Segment};
use crate::directory::io_error;

/// How far the number of a frame that was written before a crash can be ahead of the first that is missing.
const AHEAD: u64 = 1 << 20;

/// What was found.
pub(crate) struct Found {
    pub(crate) segments: Segments,
    /// The segment in which the log ends.
    pub(crate) current: Segment,
    pub(crate) end: Position,
    /// Empty segments that were made in advance.
    pub(crate) spare: VecDeque<Segment>,
    /// The ordinal of the next segment to make.
    pub(crate) next_ordinal: u64,
}

/// Opens the log in `dir`, handing each frame from `from` on, and the position after it, to `each`.
///
/// # Errors
/// `Corrupt`, naming file and position; `NewerFormat`; `Io`; what `each` says.
pub(crate) fn open(
    dir: &Path,
    from: Option<Position>,
    each: &mut dyn FnMut(&Frame<'_>, Position) -> Result<(), StoreError>,
) -> Result<Found, StoreError> {
    let from = from.unwrap_or(Position { ordinal: 0, offset: START, number: 0, index: 0 });
    let (mut listed, mut all) = gather(dir, from.ordinal)?;
    let mut found = Replay { all: &all, at: from, last: None };
    found.run(&mut |_, _| Ok(()))?;
    let (end, last) = (found.at, found.last);
    let missing =
        || StoreError::corrupt(format!("{} lacks byte {} of segment {:08x}", dir.display(), end.offset, end.ordinal));
    let current = all.iter().position(|segment| segment.ordinal == end.ordinal).ok_or_else(missing)?;
    if !(START..=all[current].size).contains(&end.offset) {
        return Err(missing());
    }
    let left = leftovers(&all[current..], end)?;
    if left.iter().any(|left| left.has_frame(end.number)) {
        let place = all[current].path.display();
        let what = format!("{place} is damaged at byte {}, what follows was not torn by a crash", end.offset);
        return Err(StoreError::corrupt(what));
    }
    for segment in &all[..current] {
        listed.extend(old(segment)?);
    }
    listed.push(last_in_use(&all[current], end)?);
    tidy(last, end, &left)?;
    Replay { all: &all, at: from, last: None }.run(each)?;
    let next_ordinal = from.ordinal + all.len() as u64;
    let mut spare: VecDeque<_> = all.drain(current..).collect();
    let current = spare.pop_front().ok_or_else(missing)?;
    Ok(Found { segments: Segments::new(listed), current, end, spare, next_ordinal })
}

/// The segments before that ordinal, and those from there on.
fn gather(dir: &Path, ordinal: u64) -> Result<(Vec<Arc<Listed>>, Vec<Segment>), StoreError> {
    let (mut listed, mut all) = (Vec::new(), Vec::new());
    for (expected, path) in (0..).zip(segment::list(dir)?) {
        let segment = Segment::open(&path)?;
        if segment.ordinal != expected {
            return Err(StoreError::corrupt(format!("a segment before {} is missing", path.display())));
        }
        if expected < ordinal {
            // Of these there may be more than a process may have files open.
            listed.extend(old(&segment)?);
        } else {
            all.push(segment);
        }
    }
    Ok((listed, all))
}

struct Replay<'a> {
    /// From the one on in which it begins.
    all: &'a [Segment],
    at: Position,
    /// The last frame's segment, and where it begins there.
    last: Option<(&'a Segment, u64)>,
}

impl<'a> Replay<'a> {
    fn run(&mut self, each: &mut dyn FnMut(&Frame<'_>, Position) -> Result<(), StoreError>) -> Result<(), StoreError> {
        for segment in self.all {
            if segment.ordinal != self.at.ordinal && !self.goes_on_in(segment)? {
                continue;
            }
            self.segment(segment, each)?;
        }
        Ok(())
    }

    /// Whether the next frame is the first of that segment.
    fn goes_on_in(&mut self, segment: &Segment) -> Result<bool, StoreError> {
        let listed = Listed::new(segment, 0);
        let mut frames = Frames::new(&listed, &segment.file, START, segment.size);
        if frames.next_valid(self.at.number)?.is_none() {
            return Ok(false);
        }
        (self.at.ordinal, self.at.offset) = (segment.ordinal, START);
        Ok(true)
    }

    fn segment(
        &mut self,
        segment: &'a Segment,
        each: &mut dyn FnMut(&Frame<'_>, Position) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let listed = Listed::new(segment, 0);
        let mut frames = Frames::new(&listed, &segment.file, self.at.offset, segment.size);
        loop {
            let begin = frames.at();
            let Some(frame) = frames.next_valid(self.at.number)? else { return Ok(()) };
            let (ordinal, number) = (segment.ordinal, frame.number + 1);
            let offset = begin + frame.length as u64;
            self.at = Position { ordinal, offset, number, index: frame.next_index() };
            self.last = Some((segment, begin));
            each(&frame, self.at)?;
        }
    }
}

/// What is in a segment after the end of the log.
struct Leftover<'a> {
    segment: &'a Segment,
    offset: u64,
    /// All up to the segment's end: a frame may end in zeros, too.
    bytes: Vec<u8>,
    /// From here on there are zeros only.
    used: usize,
}

impl Leftover<'_> {
    /// Whether there is a right frame from that number on: then what lies before it was damaged, not torn.
    fn has_frame(&self, number: u64) -> bool {
        let plausible = number..number.saturating_add(AHEAD);
        (0..self.used).map(|begin| &self.bytes[begin..]).any(|bytes| {
            Head::read(bytes, self.segment.salt).is_some_and(|head| plausible.contains(&head.number))
                && Frame::read(bytes, self.segment.salt).is_some()
        })
    }
}

fn leftovers(from_end: &[Segment], end: Position) -> Result<Vec<Leftover<'_>>, StoreError> {
    let mut found = Vec::new();
    for segment in from_end {
        let offset = if segment.ordinal == end.ordinal { end.offset } else { START };
        let used = used(segment, offset)?;
        if used > offset {
            let used = (used - offset) as usize;
            let mut bytes = vec![0; (segment.size - offset) as usize];
            at::read(&segment.file, &mut bytes[..used], offset).map_err(|error| io_error(&segment.path, &error))?;
            found.push(Leftover { segment, offset, bytes, used });
        }
    }
    Ok(found)
}

/// From where on a segment has zeros only; at least `offset`.
fn used(segment: &Segment, offset: u64) -> Result<u64, StoreError> {
    let mut used = offset;
    let mut chunk = vec![0; 1 << 18];
    let mut at = offset;
    while at < segment.size {
        let read = at::read(&segment.file, &mut chunk, at).map_err(|error| io_error(&segment.path, &error))?;
        if let Some(last) = chunk[..read].iter().rposition(|byte| *byte != 0) {
            used = at + last as u64 + 1;
        }
        if read == 0 {
            break;
        }
        at += read as u64;
    }
    Ok(used)
}

/// Puts zeros where a torn frame was, and writes the last whole one again: if the sync before the crash failed, it may be in
/// memory only.
fn tidy(last: Option<(&Segment, u64)>, end: Position, left: &[Leftover<'_>]) -> Result<(), StoreError> {
    for left in left {
        rewrite(left.segment, &vec![0; left.used], left.offset)?;
    }
    let Some((segment, begin)) = last else { return Ok(()) };
    let mut bytes = vec![0; (end.offset - begin) as usize];
    at::read(&segment.file, &mut bytes, begin).map_err(|error| io_error(&segment.path, &error))?;
    rewrite(segment, &bytes, begin)
}

fn rewrite(segment: &Segment, bytes: &[u8], offset: u64) -> Result<(), StoreError> {
    let written = at::write(&segment.file, bytes, offset).and_then(|()| segment.file.sync_data());
    written.map_err(|error| io_error(&segment.path, &error))
}

/// A segment before the last in use; `None` for one that was too small for any frame.
fn old(segment: &Segment) -> Result<Option<Arc<Listed>>, StoreError> {
    let listed = Listed::new(segment, 0);
    match Frames::new(&listed, &segment.file, START, segment.size).next()? {
        Some(frame) => Ok(Some(Arc::new(Listed::new(segment, frame.index)))),
        None if used(segment, START)? > START => Err(listed.damaged(START)),
        None => Ok(None),
    }
}

fn last_in_use(segment: &Segment, end: Position) -> Result<Arc<Listed>, StoreError> {
    let listed = Listed::new(segment, 0);
    match Frames::new(&listed, &segment.file, START, end.offset).next()? {
        Some(frame) => Ok(Arc::new(Listed::new(segment, frame.index))),
        None if end.offset > START => Err(listed.damaged(START)),
        None => Ok(Arc::new(Listed::new(segment, end.index))),
    }
}

impl From<Position> for End {
    fn from(position: Position) -> Self {
        Self { index: position.index, ordinal: position.ordinal, offset: position.offset }
    }
}
