//! Transactions: atomic groups of effects, with everything a replica needs to order and apply them.

use crate::bytes::{DecodeError, Reader, Writer};
use crate::hlc::Hlc;
use crate::ids::{Actor, Dot, OperationId, Origin, ShardId, Tag};
use crate::kind::Kind;
use crate::lineage::Lineage;
use crate::names;
use crate::vector::VersionVector;

/// The format version that this build writes.
pub const VERSION: u8 = 1;
/// The most bytes of an encoded transaction.
pub const MAX_BYTES: usize = 3 << 20;
/// The most effects in a transaction: one per operation of a request, and a few of the system's own.
pub const MAX_EFFECTS: usize = 1_024;
/// The most tags that one effect names.
pub const MAX_TAGS: usize = 10_000;
/// The most rows or sums that one effect adds.
pub const MAX_ADDS: usize = 10_000;
/// The longest subkey, in bytes.
pub const MAX_SUBKEY: usize = 4_096;
/// The longest payload of a row, in bytes.
pub const MAX_PAYLOAD: usize = 2 << 20;

/// An atomic group of effects with one dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// Its place in the log, for ever.
    pub dot: Dot,
    /// When its leader sequenced it.
    pub hlc: Hlc,
    /// What was asked. A retry at another leader is another transaction with the same operation id.
    pub operation: OperationId,
    /// What its leader had applied, as the difference to its previous transaction (for an origin's first: whole).
    pub dependencies: VersionVector,
    /// Present exactly in an origin's first transaction.
    pub lineage: Option<Lineage>,
    /// What changes, in order.
    pub effects: Vec<Effect>,
}

/// What one operation changes in one key. Makes its collection exist; without any change in it, that is all it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The collection's name.
    pub collection: String,
    /// The collection's kind: the same name with another kind is another collection.
    pub kind: Kind,
    /// The key; empty when the effect only makes the collection exist.
    pub key: String,
    /// Rows that go, unless they are not there.
    pub supersedes: Vec<Supersede>,
    /// Rows that come, unless the operation was applied before.
    pub adds: Vec<Add>,
    /// Changes to sums, unless the operation was applied before.
    pub folds: Vec<Fold>,
}

/// Rows under one subkey that go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supersede {
    /// The subkey.
    pub subkey: Vec<u8>,
    /// Tags of rows that the leader has applied.
    pub tags: Vec<Tag>,
}

/// A row that comes. Its tag is the transaction's operation id with this position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Add {
    /// The position in the request, unique in a transaction.
    pub position: u32,
    /// The subkey.
    pub subkey: Vec<u8>,
    /// What the row holds.
    pub payload: Vec<u8>,
}

/// A change to the one sum under a subkey, as its kind understands it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fold {
    /// The subkey.
    pub subkey: Vec<u8>,
    /// The change.
    pub payload: Vec<u8>,
}

impl Effect {
    /// An effect that makes a collection exist and changes nothing yet.
    #[must_use]
    pub fn new(collection: impl Into<String>, kind: Kind, key: impl Into<String>) -> Self {
        let (collection, key) = (collection.into(), key.into());
        Self { collection, kind, key, supersedes: Vec::new(), adds: Vec::new(), folds: Vec::new() }
    }

    /// How many tags it names.
    #[must_use]
    pub fn superseded(&self) -> usize {
        self.supersedes.iter().map(|group| group.tags.len()).sum()
    }

    /// About how many bytes it takes, for making room.
    fn room(&self) -> usize {
        let adds = self.adds.iter().map(|add| add.subkey.len() + add.payload.len() + 8);
        let folds = self.folds.iter().map(|fold| fold.subkey.len() + fold.payload.len() + 8);
        let supersedes = self.supersedes.iter().map(|group| group.subkey.len() + group.tags.len() * 32 + 8);
        self.collection.len() + self.key.len() + 16 + adds.chain(folds).chain(supersedes).sum::<usize>()
    }

    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.collection.as_bytes()).u8(self.kind.0).bytes(self.key.as_bytes());
        writer.varint(self.supersedes.len() as u64);
        for group in &self.supersedes {
            writer.bytes(&group.subkey).varint(group.tags.len() as u64);
            for tag in &group.tags {
                tag.encode(writer);
            }
        }
        writer.varint(self.adds.len() as u64);
        for add in &self.adds {
            writer.varint(u64::from(add.position)).bytes(&add.subkey).bytes(&add.payload);
        }
        writer.varint(self.folds.len() as u64);
        for fold in &self.folds {
            writer.bytes(&fold.subkey).bytes(&fold.payload);
        }
    }

    /// Reads what [`Effect::encode`] wrote, in the place of what is there.
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        refill_text(&mut self.collection, reader.str(names::MAX_COLLECTION, "collection")?);
        if !names::is_collection(&self.collection) {
            return Err(DecodeError::Invalid("collection"));
        }
        self.kind = Kind(reader.u8("kind")?);
        refill_text(&mut self.key, reader.str(names::MAX_KEY, "key")?);
        self.read_supersedes(reader)?;
        resize(&mut self.adds, reader.count(MAX_ADDS, 3, "adds")?, Add::default);
        for add in &mut self.adds {
            add.position = u32::try_from(reader.varint("position")?).map_err(|_| DecodeError::TooLarge("position"))?;
            refill(&mut add.subkey, reader.bytes(MAX_SUBKEY, "subkey")?);
            refill(&mut add.payload, reader.bytes(MAX_PAYLOAD, "payload")?);
        }
        resize(&mut self.folds, reader.count(MAX_ADDS, 2, "folds")?, Fold::default);
        for fold in &mut self.folds {
            refill(&mut fold.subkey, reader.bytes(MAX_SUBKEY, "subkey")?);
            refill(&mut fold.payload, reader.bytes(MAX_PAYLOAD, "payload")?);
        }
        let changes = !(self.supersedes.is_empty() && self.adds.is_empty() && self.folds.is_empty());
        if names::check_key(&self.key).is_err() && (changes || !self.key.is_empty()) {
            return Err(DecodeError::Invalid("key"));
        }
        Ok(())
    }

    fn read_supersedes(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let count = reader.count(MAX_TAGS, 2 + Tag::MIN_BYTES, "superseded subkeys")?;
        resize(&mut self.supersedes, count, Supersede::default);
        let mut left = MAX_TAGS;
        for group in &mut self.supersedes {
            refill(&mut group.subkey, reader.bytes(MAX_SUBKEY, "subkey")?);
            let count = reader.count(left, Tag::MIN_BYTES, "superseded tags")?;
            if count == 0 {
                return Err(DecodeError::Invalid("superseded tags"));
            }
            left -= count;
            group.tags.clear();
            group.tags.reserve_exact(count);
            for _ in 0..count {
                group.tags.push(Tag::decode(reader)?);
            }
        }
        Ok(())
    }
}

/// What is read takes as much memory as it needs, no more: a stranger may have chosen it.
fn resize<T>(list: &mut Vec<T>, count: usize, empty: fn() -> T) {
    list.reserve_exact(count.saturating_sub(list.len()));
    list.resize_with(count, empty);
}

fn refill(buffer: &mut Vec<u8>, bytes: &[u8]) {
    buffer.clear();
    buffer.reserve_exact(bytes.len());
    buffer.extend_from_slice(bytes);
}

fn refill_text(buffer: &mut String, text: &str) {
    buffer.clear();
    buffer.reserve_exact(text.len());
    buffer.push_str(text);
}

impl Transaction {
    /// Its bytes: what is logged, sent and hashed.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(64 + self.effects.iter().map(Effect::room).sum::<usize>());
        writer.u8(VERSION).varint(u64::from(self.dot.shard.0)).u64(self.dot.origin.0).varint(self.dot.seq);
        writer.u64(self.hlc.0);
        match self.operation.actor {
            // The leader's own id says nothing that the dot does not.
            Actor::Leader(_) => writer.u8(0),
            Actor::Session(session) => {
                writer.u8(1).raw(&session.0).varint(self.operation.counter).u64(self.operation.hash)
            }
        };
        self.dependencies.encode(&mut writer);
        if let Some(lineage) = &self.lineage {
            lineage.encode(&mut writer);
        }
        writer.varint(self.effects.len() as u64);
        for effect in &self.effects {
            effect.encode(&mut writer);
        }
        writer.into_bytes()
    }

    /// Reads what [`Transaction::encode`] wrote, nothing else.
    ///
    /// # Errors
    /// [`DecodeError`]; the bytes are to blame.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_over(Vec::new(), bytes)
    }

    /// As [`Transaction::decode`], in the memory that `effects` take, of a transaction that is not needed any more.
    ///
    /// # Errors
    /// As [`Transaction::decode`].
    pub fn decode_over(mut effects: Vec<Effect>, bytes: &[u8]) -> Result<Self, DecodeError> {
        if bytes.len() > MAX_BYTES {
            return Err(DecodeError::TooLarge("transaction"));
        }
        let mut reader = Reader::new(bytes);
        let (version, dot) = decode_dot(&mut reader)?;
        if version != VERSION {
            return Err(DecodeError::Version { what: "transaction", version });
        }
        let hlc = Hlc(reader.u64("stamp")?);
        let operation = match reader.u8("actor kind")? {
            0 => OperationId::numbered(dot.origin, dot.seq),
            1 => decode_session(&mut reader)?,
            _ => return Err(DecodeError::Invalid("actor kind")),
        };
        let dependencies = VersionVector::decode(&mut reader)?;
        if dependencies.get(dot.origin) > 0 {
            return Err(DecodeError::Invalid("dependencies"));
        }
        let lineage = if dot.seq == 1 { Some(Lineage::decode(&mut reader)?) } else { None };
        resize(&mut effects, reader.count(MAX_EFFECTS, 6, "effects")?, || Effect::new("", Kind(0), ""));
        for effect in &mut effects {
            effect.read(&mut reader)?;
        }
        reader.finish("transaction")?;
        let transaction = Self { dot, hlc, operation, dependencies, lineage, effects };
        transaction.check_positions()?;
        Ok(transaction)
    }

    /// The dot alone, from the first bytes, which are the same in every format version: enough to know whose
    /// transaction cannot be read.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn peek(bytes: &[u8]) -> Result<Dot, DecodeError> {
        decode_dot(&mut Reader::new(bytes)).map(|(_, dot)| dot)
    }

    fn check_positions(&self) -> Result<(), DecodeError> {
        let mut next = 0;
        for add in self.effects.iter().flat_map(|effect| &effect.adds) {
            if u64::from(add.position) < next {
                return Err(DecodeError::Invalid("order of positions"));
            }
            next = u64::from(add.position) + 1;
        }
        Ok(())
    }
}

fn decode_dot(reader: &mut Reader<'_>) -> Result<(u8, Dot), DecodeError> {
    let version = reader.u8("version")?;
    let shard = u16::try_from(reader.varint("shard")?).map_err(|_| DecodeError::TooLarge("shard"))?;
    let origin = Origin(reader.u64("origin")?);
    let seq = reader.varint("sequence number")?;
    if seq == 0 || seq == u64::MAX {
        return Err(DecodeError::Invalid("sequence number"));
    }
    Ok((version, Dot { shard: ShardId(shard), origin, seq }))
}

fn decode_session(reader: &mut Reader<'_>) -> Result<OperationId, DecodeError> {
    let session = crate::ids::SessionId(reader.array("session")?);
    let counter = reader.varint("counter")?;
    if !session.is_v7() || counter == 0 {
        return Err(DecodeError::Invalid("operation id"));
    }
    Ok(OperationId { actor: Actor::Session(session), counter, hash: reader.u64("request hash")? })
}

#[cfg(test)]
mod tests;
