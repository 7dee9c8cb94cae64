//! Causal tokens: version vectors that a client carries, as opaque text.
//!
//! A token only makes a replica wait. It carries no authority and moves no clock, so it is neither signed nor secret;
//! a checksum tells garbage, a tag tells another cluster's.

use crate::bytes::{DecodeError, Reader, Writer};
use crate::ids::ShardId;
use crate::sorted::Sorted;
use crate::text;
use crate::vector::VersionVector;

const VERSION: u8 = 1;
const CHECKSUM: usize = 6;
const MAX_SHARDS: usize = 1024;

/// Per shard, what must have been applied. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token {
    vectors: Sorted<ShardId, VersionVector>,
}

/// Why a text is not a token that can be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token, or damaged on the way.
    #[error("this is not a causal token: {0}")]
    Bad(&'static str),
    /// A token of another cluster.
    #[error("this token was handed out by another cluster")]
    WrongCluster,
}

impl Token {
    /// The longest text that is looked at, in characters.
    pub const MAX_TEXT: usize = 8192;

    /// The token that everything satisfies.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A token for one shard.
    #[must_use]
    pub fn of(shard: ShardId, vector: VersionVector) -> Self {
        let mut vectors = Sorted::default();
        if !vector.is_empty() {
            vectors.set(shard, vector);
        }
        Self { vectors }
    }

    /// What it asks of `shard`; `None` for nothing.
    #[must_use]
    pub fn vector(&self, shard: ShardId) -> Option<&VersionVector> {
        self.vectors.get(shard)
    }

    /// The shards it asks something of, and what.
    pub fn iter(&self) -> impl Iterator<Item = (ShardId, &VersionVector)> {
        self.vectors.iter()
    }

    /// Whether it asks nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vectors.len() == 0
    }

    /// From now on also asks for all that `other` does.
    pub fn join(&mut self, other: &Self) {
        for (shard, vector) in other.iter() {
            self.join_vector(shard, vector);
        }
    }

    /// From now on also asks for `vector` of `shard`.
    pub fn join_vector(&mut self, shard: ShardId, vector: &VersionVector) {
        match self.vectors.get(shard) {
            Some(known) if known.covers(vector) => {}
            Some(_) => self.vectors.get_mut(shard).into_iter().for_each(|known| known.join(vector)),
            None if vector.is_empty() => {}
            None => self.vectors.set(shard, vector.clone()),
        }
    }

    /// The text, for the cluster of that name.
    #[must_use]
    pub fn encode(&self, cluster: &str) -> String {
        let mut body = Writer::new();
        body.u8(VERSION).raw(&cluster_tag(cluster));
        self.write(&mut body);
        let sum = checksum(body.as_bytes());
        body.raw(&sum);
        text::encode(body.as_bytes())
    }

    /// Reads a text that [`Token::encode`] made in the cluster of that name.
    ///
    /// # Errors
    /// [`TokenError::WrongCluster`] for a sound token of another cluster, [`TokenError::Bad`] for anything else.
    pub fn decode(text: &str, cluster: &str) -> Result<Self, TokenError> {
        if text.len() > Self::MAX_TEXT {
            return Err(TokenError::Bad("longer than 8192 characters"));
        }
        let bytes = text::decode(text, Self::MAX_TEXT).ok_or(TokenError::Bad("not base64url"))?;
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(TokenError::Bad("too short"))?;
        if *sum != checksum(body) {
            return Err(TokenError::Bad("its checksum does not match"));
        }
        let (tag, token) = Self::decode_body(body).map_err(|error| match error {
            DecodeError::Version { .. } => TokenError::Bad("its format version is not known here"),
            _ => TokenError::Bad("its content is malformed"),
        })?;
        if tag == cluster_tag(cluster) { Ok(token) } else { Err(TokenError::WrongCluster) }
    }

    fn decode_body(body: &[u8]) -> Result<([u8; 4], Self), DecodeError> {
        let mut reader = Reader::new(body);
        match reader.u8("version")? {
            VERSION => {}
            version => return Err(DecodeError::Version { what: "token", version }),
        }
        let tag = reader.array("cluster tag")?;
        let token = Self::read(&mut reader)?;
        reader.finish("token")?;
        Ok((tag, token))
    }

    /// Appends the vectors alone, for where the cluster is known and the bytes arrive whole.
    pub fn write(&self, writer: &mut Writer) {
        writer.varint(self.vectors.len() as u64);
        for (shard, vector) in self.iter() {
            writer.varint(u64::from(shard.0));
            vector.encode(writer);
        }
    }

    /// Reads what [`Token::write`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = reader.count(MAX_SHARDS, 11, "shards")?;
        let mut vectors = Vec::with_capacity(count);
        let mut last = None;
        for _ in 0..count {
            let shard = u16::try_from(reader.varint("shard")?).map_err(|_| DecodeError::TooLarge("shard"))?;
            let vector = VersionVector::decode(reader)?;
            if last >= Some(shard) || vector.is_empty() {
                return Err(DecodeError::Invalid("shards"));
            }
            vectors.push((ShardId(shard), vector));
            last = Some(shard);
        }
        Ok(Self { vectors: Sorted::from_ascending(vectors) })
    }
}

fn cluster_tag(cluster: &str) -> [u8; 4] {
    text::hash("anabranch cluster tag 1", &[cluster.as_bytes()])
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM] {
    text::hash("anabranch token checksum 1", &[body])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Origin;

    fn token(origins: u64) -> Token {
        let vector =
            (1..=origins).map(|n| (Origin(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)), 1_000_000_000 + n)).collect();
        Token::of(ShardId(0), vector)
    }

    #[test]
    fn tokens_come_back_and_stay_short() {
        for (origins, most) in [(0, 128), (3, 128), (8, 256)] {
            let text = token(origins).encode("shop");
            assert!(text.len() <= most, "{} characters for {origins} regions", text.len());
            assert_eq!(Token::decode(&text, "shop"), Ok(token(origins)));
        }
    }

    #[test]
    fn another_clusters_token_is_told_from_garbage() {
        let text = token(3).encode("shop");
        assert_eq!(Token::decode(&text, "bank"), Err(TokenError::WrongCluster));
        for bad in
            ["", "AAAA", "not base64!", &text[1..], &text[..text.len() - 2], &format!("{text}A"), &"A".repeat(9000)]
        {
            assert!(matches!(Token::decode(bad, "shop"), Err(TokenError::Bad(_))), "{bad}");
        }
        for index in 0..text.len() {
            let mut flipped = text.clone().into_bytes();
            flipped[index] = if flipped[index] == b'A' { b'B' } else { b'A' };
            let flipped = String::from_utf8(flipped).expect("ASCII");
            assert!(matches!(Token::decode(&flipped, "shop"), Err(TokenError::Bad(_))), "{flipped}");
        }
    }

    #[test]
    fn golden_bytes() {
        let vector = [(Origin(0x0102_0304_0506_0708), 300)].into_iter().collect();
        let text = Token::of(ShardId(0), vector).encode("shop");
        assert_eq!(text, GOLDEN);
    }
    const GOLDEN: &str = "AXxPimYBAAEIBwYFBAMCAawCBIIf_lL0";
}
