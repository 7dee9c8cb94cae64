//! Messages of transactions, compressed where that pays.

use anabranch_causality::{DecodeError, Reader, Writer};
use lz4_flex::block;
use std::borrow::Cow;

/// The type of a compressed message.
pub(crate) const TYPE: u8 = 4;
/// Shorter messages are sent as they are: there is next to nothing in them that repeats.
const WORTH: usize = 256;
/// Of so many parts one must be saved: otherwise it is not worth the receiver's time.
const PARTS: usize = 8;
/// Nothing that is compressed comes to more than so many times its bytes.
const MOST_TIMES: usize = 255;

/// The message, or a shorter one that says the same.
pub(crate) fn compress(message: Vec<u8>) -> Vec<u8> {
    if message.len() < WORTH {
        return message;
    }
    let mut writer = Writer::with_capacity(block::get_maximum_output_size(message.len()) + 8);
    writer.u8(TYPE).varint(message.len() as u64);
    let mut shorter = writer.into_bytes();
    let head = shorter.len();
    shorter.resize(head + block::get_maximum_output_size(message.len()), 0);
    match block::compress_into(&message, &mut shorter[head..]) {
        Ok(length) if head + length <= message.len() - message.len() / PARTS => {
            shorter.truncate(head + length);
            shorter
        }
        _ => message,
    }
}

/// What such a message says, itself not compressed. Its size is declared, and refused before anything is allocated when it is
/// above that of a frame or cannot be true.
pub(crate) fn decompress<'a>(frame: &'a [u8]) -> Result<Cow<'a, [u8]>, DecodeError> {
    const WHAT: &str = "compressed message";
    if frame.first() != Some(&TYPE) {
        return Ok(Cow::Borrowed(frame));
    }
    let mut reader = Reader::new(&frame[1..]);
    let declared = reader.varint(WHAT)?;
    let most = reader.rest().len().saturating_mul(MOST_TIMES).min(crate::MAX_FRAME);
    let declared = usize::try_from(declared).ok().filter(|declared| *declared <= most);
    let mut message = vec![0; declared.ok_or(DecodeError::TooLarge(WHAT))?];
    let length = block::decompress_into(reader.rest(), &mut message).map_err(|_| DecodeError::Invalid(WHAT))?;
    // Only messages of transactions are compressed, and once.
    if length != message.len() || message.first() != Some(&1) {
        return Err(DecodeError::Invalid(WHAT));
    }
    Ok(Cow::Owned(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(transactions: usize) -> Vec<u8> {
        [vec![1], b"a letter to the neighbours, ".repeat(transactions)].concat()
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let compressed = compress(message(100));
        assert!(compressed.len() < message(100).len() / 10, "{}", compressed.len());
        assert_eq!(decompress(&compressed).as_deref(), Ok(message(100).as_slice()));
    }

    #[test]
    fn golden_bytes() {
        // 301 bytes: a literal, a copy of it that makes 294 more, and the six literals that end the block. What is pinned is how
        // it is read: there are other ways to write it.
        let golden = b"\x04\xad\x02\x1f\x01\x01\x00\xff\x14\x60\x01\x01\x01\x01\x01\x01";
        assert_eq!(decompress(golden).as_deref(), Ok([1; 301].as_slice()));
    }

    #[test]
    fn what_it_does_not_shorten_goes_as_it_is() {
        assert_eq!(compress(message(1)), message(1), "too short");
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        let noise: Vec<u8> = std::iter::once(1).chain((0..10_000).map(|_| random())).collect();
        assert_eq!(compress(noise.clone()), noise);
        assert_eq!(decompress(&noise).as_deref(), Ok(noise.as_slice()));
    }

    #[test]
    fn false_sizes_and_damage_are_refused() {
        let compressed = compress(message(100));
        let body = |at: usize| compressed[at..].to_vec();
        let declaring = |size: u64| {
            let mut writer = Writer::new();
            writer.u8(TYPE).varint(size).raw(&body(3));
            writer.into_bytes()
        };
        let size = message(100).len() as u64;
        assert_eq!(declaring(size), compressed);
        for wrong in [0, 1, size - 1, size + 1] {
            assert_eq!(decompress(&declaring(wrong)), Err(DecodeError::Invalid("compressed message")), "{wrong}");
        }
        for wrong in [crate::MAX_FRAME as u64 + 1, u64::MAX] {
            assert_eq!(decompress(&declaring(wrong)), Err(DecodeError::TooLarge("compressed message")), "{wrong}");
        }
        for end in 1..compressed.len() {
            assert!(decompress(&compressed[..end]).is_err(), "{end} of {} bytes", compressed.len());
        }
    }

    #[test]
    fn nothing_else_is_compressed_and_nothing_twice() {
        for first in [0, 2, 3, TYPE] {
            let mut other = message(100);
            other[0] = first;
            assert_eq!(decompress(&compress(other)), Err(DecodeError::Invalid("compressed message")), "{first}");
        }
    }
}
