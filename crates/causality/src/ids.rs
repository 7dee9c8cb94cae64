//! Who wrote, and where a write stands: origins, dots, actors, operation ids, tags.

use crate::bytes::{DecodeError, Reader, Writer};
use std::fmt;
use std::str::FromStr;

/// One opening of one leader's data directory as a source of transactions: 64 random bits, drawn at every start, so
/// that no rolled-back, restored or copied disk can reuse a [`Dot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(pub u64);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Origin {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let valid = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let number = if valid { u64::from_str_radix(text, 16).ok() } else { None };
        number.map(Self).ok_or(DecodeError::Invalid("origin"))
    }
}

/// The unit of ordering and replication. For now there is one, number 0; every format already says which.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(pub u16);

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A transaction's place in the log, for ever. Shown as `shard:origin:sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dot {
    /// The shard whose log it is in.
    pub shard: ShardId,
    /// Where it was sequenced.
    pub origin: Origin,
    /// 1, 2, 3 … without gaps.
    pub seq: u64,
}

impl fmt::Display for Dot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.shard, self.origin, self.seq)
    }
}

/// A client session: a UUID of version 7, whose first 48 bits are its beginning in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub [u8; 16]);

impl SessionId {
    /// When the session began, in milliseconds since 1970, as its maker's clock had it.
    #[must_use]
    pub fn began_ms(&self) -> u64 {
        self.0[..6].iter().fold(0, |ms, byte| (ms << 8) | u64::from(*byte))
    }

    /// Whether version and variant bits are those of a UUIDv7 (RFC 9562, section 5.7).
    #[must_use]
    pub fn is_v7(&self) -> bool {
        self.0[6] >> 4 == 7 && self.0[8] >> 6 == 0b10
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for SessionId {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        const BAD: DecodeError = DecodeError::Invalid("session id");
        if text.len() != 36 {
            return Err(BAD);
        }
        let mut digits = Vec::with_capacity(32);
        for (index, byte) in text.bytes().enumerate() {
            match (matches!(index, 8 | 13 | 18 | 23), byte) {
                (true, b'-') => {}
                (false, byte) if byte.is_ascii_hexdigit() => digits.push((byte as char).to_digit(16).ok_or(BAD)? as u8),
                _ => return Err(BAD),
            }
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        let id = Self(id);
        if id.is_v7() { Ok(id) } else { Err(BAD) }
    }
}

/// Who made a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// A leader, for requests that named no session: its current origin. The counter is the sequence number.
    Leader(Origin),
    /// A client session, which may retry at any leader.
    Session(SessionId),
}

/// Names what was asked, wherever it was sequenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId {
    /// Who asked.
    pub actor: Actor,
    /// The actor's own count of its requests, from 1.
    pub counter: u64,
    /// A hash of the request: one counter with another request is another operation. 0 for leaders, which count themselves.
    pub hash: u64,
}

impl OperationId {
    /// The id of an operation that no session asked for: its leader numbered it, so that its dot says all.
    #[must_use]
    pub fn numbered(origin: Origin, seq: u64) -> Self {
        Self { actor: Actor::Leader(origin), counter: seq, hash: 0 }
    }

    /// Appends the id: a kind byte, the actor, the counter, and for sessions the hash.
    pub fn encode(&self, writer: &mut Writer) {
        match self.actor {
            Actor::Leader(origin) => writer.u8(0).u64(origin.0).varint(self.counter),
            Actor::Session(session) => writer.u8(1).raw(&session.0).varint(self.counter).u64(self.hash),
        };
    }

    /// Reads what [`OperationId::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; a counter of 0 and a session id that is no UUIDv7 are not valid.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let id = match reader.u8("actor kind")? {
            0 => {
                Self { actor: Actor::Leader(Origin(reader.u64("actor")?)), counter: reader.varint("counter")?, hash: 0 }
            }
            1 => {
                let session = SessionId(reader.array("actor")?);
                if !session.is_v7() {
                    return Err(DecodeError::Invalid("actor"));
                }
                let counter = reader.varint("counter")?;
                Self { actor: Actor::Session(session), counter, hash: reader.u64("request hash")? }
            }
            _ => return Err(DecodeError::Invalid("actor kind")),
        };
        if id.counter == 0 { Err(DecodeError::Invalid("counter")) } else { Ok(id) }
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.actor {
            Actor::Leader(origin) => write!(f, "{origin}/{}", self.counter),
            Actor::Session(session) => write!(f, "{session}/{}#{:016x}", self.counter, self.hash),
        }
    }
}

/// A row's name: the operation that added it and the position in that request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag {
    /// The operation.
    pub operation: OperationId,
    /// Which of the operation's additions, from 0.
    pub position: u32,
}

impl Tag {
    /// The fewest bytes a tag takes, for bounding counts.
    pub const MIN_BYTES: usize = 11;

    /// Appends the tag: the operation id, then the position.
    pub fn encode(&self, writer: &mut Writer) {
        self.operation.encode(writer);
        writer.varint(u64::from(self.position));
    }

    /// Reads what [`Tag::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let operation = OperationId::decode(reader)?;
        let position = u32::try_from(reader.varint("position")?).map_err(|_| DecodeError::TooLarge("position"))?;
        Ok(Self { operation, position })
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.operation, self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_parse_and_print() {
        let text = "019293a4-b5c6-7d7e-8f80-010203040506";
        let id: SessionId = text.parse().expect("a v7 id");
        assert_eq!(id.to_string(), text);
        assert_eq!(id.began_ms(), 0x0192_93a4_b5c6);
        for bad in [
            "",
            "019293a4-b5c6-4d7e-8f80-010203040506",
            "019293a4b5c67d7e8f80010203040506----",
            "é19293a4-b5c6-7d7e-8f80-01020304050",
        ] {
            assert!(bad.parse::<SessionId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn tags_come_back() {
        let session = SessionId(*b"\x01\x92\x93\xa4\xb5\xc6\x7d\x7e\x8f\x80\x01\x02\x03\x04\x05\x06");
        for operation in [
            OperationId { actor: Actor::Leader(Origin(7)), counter: 300, hash: 0 },
            OperationId { actor: Actor::Session(session), counter: 1, hash: u64::MAX },
        ] {
            let tag = Tag { operation, position: 5 };
            let mut writer = Writer::new();
            tag.encode(&mut writer);
            assert!(writer.as_bytes().len() >= Tag::MIN_BYTES);
            let mut reader = Reader::new(writer.as_bytes());
            assert_eq!(Tag::decode(&mut reader), Ok(tag));
            assert_eq!(reader.finish("tag"), Ok(()));
        }
    }
}
