//! Canonical bytes: little-endian fixed fields, minimal varints, length-prefixed strings; decoding with bounds.
//!
//! Written by hand rather than derived: every length needs a limit of its own before anything is allocated, varints
//! must have one form only (a transaction's hash is taken over its bytes), and decoding borrows.

/// Why bytes are not what they should be. The bytes are to blame; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end in the middle of a field.
    #[error("{0}: the bytes end too early")]
    Short(&'static str),
    /// A length or count is above its limit.
    #[error("{0}: above the limit")]
    TooLarge(&'static str),
    /// A value that this field cannot have, or not the canonical form of one it can.
    #[error("{0}: not a valid value")]
    Invalid(&'static str),
    /// Bytes are left over after the last field.
    #[error("{0}: bytes left over")]
    Trailing(&'static str),
    /// A format version that this build does not know.
    #[error("{what}: format version {version} is not known")]
    Version {
        /// The format.
        what: &'static str,
        /// The version found.
        version: u8,
    },
}

/// Appends fields to a buffer.
#[derive(Debug, Default)]
pub struct Writer {
    buffer: Vec<u8>,
}

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty buffer with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(bytes) }
    }

    /// Writes behind what `buffer` already holds.
    #[must_use]
    pub fn append_to(buffer: Vec<u8>) -> Self {
        Self { buffer }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    /// What was written so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// One byte.
    #[inline]
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.buffer.push(value);
        self
    }

    /// Four bytes, little-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// Eight bytes, little-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_le_bytes())
    }

    /// LEB128, 1 to 10 bytes.
    #[inline]
    pub fn varint(&mut self, mut value: u64) -> &mut Self {
        while value >= 0x80 {
            self.buffer.push((value as u8) | 0x80);
            value >>= 7;
        }
        self.buffer.push(value as u8);
        self
    }

    /// A signed number: zigzag, then [`Writer::varint`].
    pub fn signed(&mut self, value: i64) -> &mut Self {
        self.varint(((value << 1) ^ (value >> 63)) as u64)
    }

    /// A varint length, then the bytes.
    #[inline]
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.varint(value.len() as u64);
        self.raw(value)
    }

    /// The bytes alone.
    #[inline]
    pub fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.buffer.extend_from_slice(value);
        self
    }
}

/// Takes fields off a borrowed buffer. Each method names the field, for the error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The end: an error when bytes are left.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`].
    pub fn finish(self, what: &'static str) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing(what)) }
    }

    /// `n` bytes as they are.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn raw(&mut self, n: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(DecodeError::Short(what))?;
        self.rest = rest;
        Ok(head)
    }

    /// An array of bytes as they are.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::Short(what))?;
        self.rest = rest;
        Ok(*head)
    }

    /// One byte.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn u8(&mut self, what: &'static str) -> Result<u8, DecodeError> {
        Ok(self.array::<1>(what)?[0])
    }

    /// Four bytes, little-endian.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    pub fn u32(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    /// Eight bytes, little-endian.
    ///
    /// # Errors
    /// [`DecodeError::Short`].
    #[inline]
    pub fn u64(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    /// LEB128 in its shortest form.
    ///
    /// # Errors
    /// [`DecodeError::Short`]; [`DecodeError::Invalid`] when longer than needed or above 64 bits.
    #[inline]
    pub fn varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        // Nearly all have one byte.
        match self.rest {
            [byte @ 0..0x80, rest @ ..] => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.long_varint(what),
        }
    }

    fn long_varint(&mut self, what: &'static str) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8(what)?;
            let low = u64::from(byte & 0x7f);
            if shift == 63 && low > 1 {
                return Err(DecodeError::Invalid(what));
            }
            value |= low << shift;
            if byte & 0x80 == 0 {
                let padded = byte == 0 && shift > 0;
                return if padded { Err(DecodeError::Invalid(what)) } else { Ok(value) };
            }
        }
        Err(DecodeError::Invalid(what))
    }

    /// A signed number, as [`Writer::signed`] writes it.
    ///
    /// # Errors
    /// As [`Reader::varint`].
    pub fn signed(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        let raw = self.varint(what)?;
        Ok(((raw >> 1) as i64) ^ -((raw & 1) as i64))
    }

    /// A count of things that take at least `least` bytes each: bounded by `most` and by what is left to read, so
    /// that a vector of that capacity never costs more than the input did.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`], [`DecodeError::Short`].
    #[inline]
    pub fn count(&mut self, most: usize, least: usize, what: &'static str) -> Result<usize, DecodeError> {
        let count = self.varint(what)?;
        if count > most as u64 {
            return Err(DecodeError::TooLarge(what));
        }
        let count = count as usize;
        if count.saturating_mul(least.max(1)) > self.rest.len() {
            return Err(DecodeError::Short(what));
        }
        Ok(count)
    }

    /// A varint length of at most `most`, then that many bytes.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`], [`DecodeError::Short`].
    #[inline]
    pub fn bytes(&mut self, most: usize, what: &'static str) -> Result<&'a [u8], DecodeError> {
        let length = self.count(most, 1, what)?;
        self.raw(length, what)
    }

    /// As [`Reader::bytes`], as UTF-8.
    ///
    /// # Errors
    /// As [`Reader::bytes`]; [`DecodeError::Invalid`] when it is not UTF-8.
    pub fn str(&mut self, most: usize, what: &'static str) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(most, what)?).map_err(|_| DecodeError::Invalid(what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_come_back_and_have_one_form() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut writer = Writer::new();
            writer.varint(value);
            let bytes = writer.into_bytes();
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.varint("v"), Ok(value));
            assert_eq!(reader.finish("v"), Ok(()));
        }
        assert_eq!(Reader::new(&[0x80, 0x00]).varint("v"), Err(DecodeError::Invalid("v")));
        assert_eq!(Reader::new(&[0xff; 10]).varint("v"), Err(DecodeError::Invalid("v")));
        assert_eq!(Reader::new(&[0xff; 9]).varint("v"), Err(DecodeError::Short("v")));
    }

    #[test]
    fn signed_numbers_come_back() {
        for value in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            let mut writer = Writer::new();
            writer.signed(value);
            assert_eq!(Reader::new(writer.as_bytes()).signed("v"), Ok(value));
        }
    }

    #[test]
    fn counts_are_bounded_by_what_is_left() {
        let mut writer = Writer::new();
        writer.varint(1000).raw(&[0; 10]);
        assert_eq!(Reader::new(writer.as_bytes()).count(100, 1, "c"), Err(DecodeError::TooLarge("c")));
        assert_eq!(Reader::new(writer.as_bytes()).count(1000, 1, "c"), Err(DecodeError::Short("c")));
    }
}
