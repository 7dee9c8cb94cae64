//! Answers travel in parts, so that a large one holds up no other.

use anabranch_causality::{DecodeError, Reader, Writer};

/// The largest answer, in bytes.
pub const MAX_ANSWER: usize = 64 << 20;
/// The most bytes of an answer in one part.
pub const PART_BYTES: usize = 256 << 10;

/// How many bytes of a frame come before those of the answer.
pub(crate) const HEAD_BYTES: usize = 9;

/// A part of an answer, decoded; one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The id of the request that it answers.
    pub id: u64,
    /// Whether the answer is whole with it.
    pub last: bool,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// The frames that carry an answer to the request of that id.
pub fn parts(id: u64, answer: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let count = answer.len().div_ceil(PART_BYTES).max(1);
    (0..count).map(move |index| {
        let bytes = &answer[index * PART_BYTES..answer.len().min((index + 1) * PART_BYTES)];
        let mut writer = Writer::with_capacity(bytes.len() + HEAD_BYTES);
        begin(&mut writer, id, index + 1 == count);
        writer.raw(bytes);
        writer.into_bytes()
    })
}

pub(crate) fn begin(writer: &mut Writer, id: u64, is_last: bool) {
    writer.u64(id).u8(u8::from(is_last));
}

impl<'a> Part<'a> {
    /// Reads one of the frames that [`parts`] makes.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        let id = reader.u64("request id")?;
        let last = crate::request::flag(&mut reader, "last part")?;
        let bytes = reader.rest();
        if bytes.len() > PART_BYTES { Err(DecodeError::TooLarge("part")) } else { Ok(Self { id, last, bytes }) }
    }
}

/// An answer that is being put together.
#[derive(Debug, Default)]
pub struct Assembly {
    bytes: Vec<u8>,
}

impl Assembly {
    /// Takes the next part; the whole answer with the last.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`] beyond the largest answer.
    pub fn push(&mut self, part: Part<'_>) -> Result<Option<Vec<u8>>, DecodeError> {
        if self.bytes.len() + part.bytes.len() > MAX_ANSWER {
            return Err(DecodeError::TooLarge("answer"));
        }
        self.bytes.extend_from_slice(part.bytes);
        Ok(part.last.then(|| std::mem::take(&mut self.bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let frames: Vec<Vec<u8>> = parts(7, b"ab").collect();
        assert_eq!(frames, [[7, 0, 0, 0, 0, 0, 0, 0, 1, b'a', b'b'].to_vec()]);
        assert_eq!(Part::decode(&frames[0]), Ok(Part { id: 7, last: true, bytes: b"ab" }));
    }

    #[test]
    fn what_is_cut_comes_together_again() {
        for length in [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES] {
            let answer: Vec<u8> = (0..length).map(|index| index as u8).collect();
            let mut assembly = Assembly::default();
            let mut whole = None;
            for frame in parts(1, &answer) {
                assert_eq!(whole, None);
                whole = assembly.push(Part::decode(&frame).expect("a part")).expect("within the limit");
            }
            assert_eq!(whole, Some(answer));
        }
    }

    #[test]
    fn an_answer_without_end_is_refused() {
        let bytes = vec![0; PART_BYTES];
        let mut assembly = Assembly::default();
        let part = Part { id: 1, last: false, bytes: &bytes };
        let taken = (0..).take_while(|_| assembly.push(part).is_ok()).count();
        assert_eq!(taken, MAX_ANSWER / PART_BYTES);
    }

    #[test]
    fn garbage_is_refused() {
        assert_eq!(Part::decode(b"short"), Err(DecodeError::Short("request id")));
        assert_eq!(Part::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 2]), Err(DecodeError::Invalid("last part")));
        assert_eq!(Part::decode(&vec![0; PART_BYTES + 10]), Err(DecodeError::TooLarge("part")));
    }
}
