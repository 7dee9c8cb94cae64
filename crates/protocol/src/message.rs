//! The messages between nodes after the hello.

use anabranch_causality::{DecodeError, Origin, Reader, ShardId, VersionVector, Writer, transaction};

const MAX_TRANSACTIONS: usize = 65_536;
const MAX_SAMPLES: usize = 512;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Transactions as they were encoded by their leaders, in the order in which the sender applied them.
    Transactions(Vec<Vec<u8>>),
    /// What the receiver has, and what it wants.
    Ack(Ack),
    /// A sign of life, with what is needed to notice lag, skew and divergence.
    Heartbeat(Heartbeat),
}

/// What a receiver has on disk, and what it wants from this sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    /// The shard.
    pub shard: ShardId,
    /// What it has applied and synced.
    pub vector: VersionVector,
    /// Origins that it wants relayed, besides the sender's own current one.
    pub want: Vec<Origin>,
    /// Origins whose transactions it cannot decode: send none of them.
    pub parked: Vec<Origin>,
    /// Whether something was lost, so that the sender must go back to `vector`.
    pub rewind: bool,
}

/// A sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// The shard.
    pub shard: ShardId,
    /// The sender's wall clock, milliseconds since 1970.
    pub wall_ms: u64,
    /// How old what the sender shows may be, in milliseconds; absent while it does not know.
    pub behind_ms: Option<u64>,
    /// What the sender has applied and synced.
    pub vector: VersionVector,
    /// The digest of its whole state at `vector`; absent while it has parked anything.
    pub digest: Option<u64>,
    /// Some of its digest buckets; over time all of them.
    pub buckets: Vec<BucketSample>,
}

/// One bucket of keys: two replicas with equal `touched` must have equal `digest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSample {
    /// Which bucket.
    pub bucket: u16,
    /// A hash of the set of transactions that touched the bucket.
    pub touched: u64,
    /// A hash of the rows in the bucket.
    pub digest: u64,
}

impl Message {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Transactions(list) => {
                let bytes: usize = list.iter().map(|one| one.len() + 4).sum();
                let mut writer = Writer::with_capacity(bytes + 8);
                writer.u8(1).varint(list.len() as u64);
                for one in list {
                    writer.bytes(one);
                }
                writer.into_bytes()
            }
            Self::Ack(ack) => ack.encode(),
            Self::Heartbeat(heartbeat) => heartbeat.encode(),
        }
    }

    /// Reads what [`Message::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]: whoever sent it does not speak this protocol.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        if frame.len() > crate::MAX_FRAME {
            return Err(DecodeError::TooLarge("frame"));
        }
        let mut reader = Reader::new(frame);
        let message = match reader.u8("message type")? {
            1 => {
                let count = reader.count(MAX_TRANSACTIONS, 2, "transactions")?;
                let mut list = Vec::with_capacity(count);
                for _ in 0..count {
                    list.push(reader.bytes(transaction::MAX_BYTES, "transaction")?.to_vec());
                }
                Self::Transactions(list)
            }
            2 => Self::Ack(Ack::decode(&mut reader)?),
            3 => Self::Heartbeat(Heartbeat::decode(&mut reader)?),
            _ => return Err(DecodeError::Invalid("message type")),
        };
        reader.finish("message")?;
        Ok(message)
    }
}

impl Ack {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(2).varint(u64::from(self.shard.0)).u8(u8::from(self.rewind));
        self.vector.encode(&mut writer);
        for list in [&self.want, &self.parked] {
            writer.varint(list.len() as u64);
            for origin in list {
                writer.u64(origin.0);
            }
        }
        writer.into_bytes()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let shard = decode_shard(reader)?;
        let rewind = match reader.u8("rewind")? {
            0 => false,
            1 => true,
            _ => return Err(DecodeError::Invalid("rewind")),
        };
        let vector = VersionVector::decode(reader)?;
        Ok(Self { shard, rewind, vector, want: decode_origins(reader)?, parked: decode_origins(reader)? })
    }
}

impl Heartbeat {
    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u8(3).varint(u64::from(self.shard.0)).u64(self.wall_ms);
        match self.behind_ms {
            None => writer.u8(0),
            Some(behind_ms) => writer.u8(1).varint(behind_ms),
        };
        self.vector.encode(&mut writer);
        match self.digest {
            None => writer.u8(0),
            Some(digest) => writer.u8(1).u64(digest),
        };
        writer.varint(self.buckets.len() as u64);
        for sample in &self.buckets {
            writer.varint(u64::from(sample.bucket)).u64(sample.touched).u64(sample.digest);
        }
        writer.into_bytes()
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let shard = decode_shard(reader)?;
        let wall_ms = reader.u64("wall clock")?;
        let behind_ms = match reader.u8("behind")? {
            0 => None,
            1 => Some(reader.varint("behind")?),
            _ => return Err(DecodeError::Invalid("behind")),
        };
        let vector = VersionVector::decode(reader)?;
        let digest = match reader.u8("digest")? {
            0 => None,
            1 => Some(reader.u64("digest")?),
            _ => return Err(DecodeError::Invalid("digest")),
        };
        let count = reader.count(MAX_SAMPLES, 17, "buckets")?;
        let mut buckets = Vec::with_capacity(count);
        for _ in 0..count {
            let bucket = u16::try_from(reader.varint("bucket")?).map_err(|_| DecodeError::TooLarge("bucket"))?;
            buckets.push(BucketSample { bucket, touched: reader.u64("bucket")?, digest: reader.u64("bucket")? });
        }
        Ok(Self { shard, wall_ms, behind_ms, vector, digest, buckets })
    }
}

fn decode_shard(reader: &mut Reader<'_>) -> Result<ShardId, DecodeError> {
    u16::try_from(reader.varint("shard")?).map(ShardId).map_err(|_| DecodeError::TooLarge("shard"))
}

fn decode_origins(reader: &mut Reader<'_>) -> Result<Vec<Origin>, DecodeError> {
    let count = reader.count(VersionVector::MAX_ORIGINS, 8, "origins")?;
    let mut origins: Vec<Origin> = Vec::with_capacity(count);
    for _ in 0..count {
        let origin = Origin(reader.u64("origin")?);
        if origins.last() >= Some(&origin) {
            return Err(DecodeError::Invalid("order of origins"));
        }
        origins.push(origin);
    }
    Ok(origins)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(Message, &'static str)> {
        let vector: VersionVector = [(Origin(2), 300)].into_iter().collect();
        let ack = Ack {
            shard: ShardId(0),
            vector: vector.clone(),
            want: vec![Origin(1), Origin(3)],
            parked: vec![Origin(9)],
            rewind: true,
        };
        let buckets = vec![BucketSample { bucket: 256, touched: 1, digest: 2 }];
        let heartbeat =
            Heartbeat { shard: ShardId(0), wall_ms: 5, behind_ms: Some(6), vector, digest: Some(7), buckets };
        vec![
            (Message::Transactions(vec![b"ab".to_vec(), b"c".to_vec()]), "01020261620163"),
            (Message::Ack(ack), "020001010200000000000000ac020201000000000000000300000000000000010900000000000000"),
            (
                Message::Heartbeat(heartbeat),
                "030005000000000000000106010200000000000000ac0201070000000000000001800201000000000000000200000000000000",
            ),
        ]
    }

    #[test]
    fn golden_bytes() {
        for (message, golden) in samples() {
            let bytes = message.encode();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, golden);
            assert_eq!(Message::decode(&bytes), Ok(message));
        }
    }

    #[test]
    fn truncated_and_longer_frames_are_refused() {
        for (message, _) in samples() {
            let bytes = message.encode();
            for end in 0..bytes.len() {
                assert!(Message::decode(&bytes[..end]).is_err());
            }
            assert!(Message::decode(&[bytes, vec![0]].concat()).is_err());
        }
        assert_eq!(Message::decode(&[9]), Err(DecodeError::Invalid("message type")));
        assert_eq!(Message::decode(&[1, 0xff, 0xff, 0x7f]), Err(DecodeError::TooLarge("transactions")));
    }
}
