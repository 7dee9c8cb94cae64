//! The messages between nodes after the hello.

use crate::compressed;
use anabranch_causality::{DecodeError, Origin, Packer, Reader, ShardId, Unpacker, VersionVector, Writer};

const MAX_TRANSACTIONS: usize = 65_536;
const MAX_SAMPLES: usize = 512;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Transactions as they were encoded by their leaders, in the order in which the sender applied them; in a frame they are
    /// packed ([`Packer`]), and compressed where that pays. All together have at most [`MAX_FRAME`](crate::MAX_FRAME) bytes.
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
                let mut packer = Packer::default();
                for one in list {
                    packer.pack(one, &mut writer);
                }
                compressed::compress(writer.into_bytes())
            }
            Self::Ack(ack) => ack.encode(),
            Self::Heartbeat(heartbeat) => heartbeat.encode(),
        }
    }

    /// Roughly how much memory it takes: a frame of transactions is packed, and much smaller than they are.
    #[must_use]
    pub fn weight(&self) -> usize {
        const BESIDE: usize = size_of::<Vec<u8>>();
        match self {
            Self::Transactions(list) => list.iter().map(|one| one.len() + BESIDE).sum(),
            Self::Ack(ack) => (ack.vector.len() + ack.want.len() + ack.parked.len()) * size_of::<(Origin, u64)>(),
            Self::Heartbeat(heartbeat) => {
                heartbeat.vector.len() * size_of::<(Origin, u64)>()
                    + heartbeat.buckets.len() * size_of::<BucketSample>()
            }
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
        let frame = compressed::decompress(frame)?;
        let mut reader = Reader::new(&frame);
        let message = match reader.u8("message type")? {
            1 => Self::Transactions(decode_transactions(&mut reader)?),
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

/// A little can say that much follows: what it comes to is bounded like a frame.
fn decode_transactions(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, DecodeError> {
    let count = reader.count(MAX_TRANSACTIONS, 2, "transactions")?;
    let (mut list, mut bytes, mut unpacker) = (Vec::with_capacity(count), 0, Unpacker::default());
    for _ in 0..count {
        let transaction = unpacker.unpack(reader)?;
        bytes += transaction.len();
        if bytes > crate::MAX_FRAME {
            return Err(DecodeError::TooLarge("transactions"));
        }
        list.push(transaction);
    }
    Ok(list)
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
    use anabranch_causality::{Actor, Add, Dot, Effect, Hlc, Kind, OperationId, Transaction};

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
            (Message::Transactions(vec![b"ab".to_vec(), b"c".to_vec()]), "010208026162080163"),
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

    /// So many transactions, all but the first of three bytes, in a collection with the longest name.
    fn expanding(count: usize) -> Vec<u8> {
        let dot = Dot { shard: ShardId(0), origin: Origin(1), seq: 1 << 20 };
        let operation = OperationId { actor: Actor::Leader(dot.origin), counter: dot.seq, hash: 0 };
        let add = Add { position: 0, subkey: Vec::new(), payload: Vec::new() };
        let effect = Effect { adds: vec![add], ..Effect::new("c".repeat(128), Kind::REGISTER, "") };
        let (dependencies, lineage, effects) = (VersionVector::new(), None, vec![effect]);
        let first = Transaction { dot, hlc: Hlc(1), operation, dependencies, lineage, effects };
        let first = Message::Transactions(vec![first.encode()]).encode();
        let mut writer = Writer::new();
        writer.u8(1).varint(count as u64).raw(&first[2..]).raw(&[1 << 5, 0, 0].repeat(count - 1));
        writer.into_bytes()
    }

    #[test]
    fn what_unpacks_to_more_than_a_frame_is_refused() {
        let decoded = Message::decode(&expanding(1_000)).expect("not too much");
        let Message::Transactions(list) = &decoded else { panic!("{decoded:?}") };
        assert!(list.iter().all(|one| one.len() == list[0].len()));
        assert_eq!(decoded.weight(), 1_000 * (list[0].len() + size_of::<Vec<u8>>()));
        let most = crate::MAX_FRAME / list[0].len();
        assert!(Message::decode(&expanding(most)).is_ok());
        assert_eq!(Message::decode(&expanding(most + 1)), Err(DecodeError::TooLarge("transactions")));
    }
}
