//! A place in the log, between two frames.

use anabranch_causality::{DecodeError, Reader, Writer};
use anabranch_engine::store::{StoreError, StoreErrorKind};

const VERSION: u8 = 1;

/// A place in the log, between two frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The segment.
    pub(crate) ordinal: u64,
    /// The offset in it.
    pub(crate) offset: u64,
    /// The number of the frame that begins here.
    pub(crate) number: u64,
    /// The log index of the next record.
    pub(crate) index: u64,
}

impl Position {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(33);
        writer.u8(VERSION).u64(self.ordinal).u64(self.offset).u64(self.number).u64(self.index);
        writer.into_bytes()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let damaged = |error: DecodeError| StoreError::corrupt(format!("how far the tables go: {error}"));
        let mut reader = Reader::new(bytes);
        match reader.u8("version").map_err(damaged)? {
            VERSION => {}
            newer => {
                let what = format!("the row of how far the tables go has version {newer}, this one knows {VERSION}");
                return Err(StoreError::new(StoreErrorKind::NewerFormat, what));
            }
        }
        let mut next = |what| reader.u64(what).map_err(damaged);
        let (ordinal, offset) = (next("ordinal")?, next("offset")?);
        let position = Self { ordinal, offset, number: next("number")?, index: next("index")? };
        reader.finish("position").map_err(damaged)?;
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden() {
        let position = Position { ordinal: 1, offset: 64, number: 3, index: 4 };
        let bytes = position.encode();
        let numbers =
            [[1, 0, 0, 0, 0, 0, 0, 0], [64, 0, 0, 0, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0, 0, 0]];
        assert_eq!(bytes, [&[VERSION], numbers.as_flattened()].concat());
        assert_eq!(Position::decode(&bytes), Ok(position));
        assert!(Position::decode(&bytes[1..]).is_err() && Position::decode(&[bytes, vec![0]].concat()).is_err());
    }
}
