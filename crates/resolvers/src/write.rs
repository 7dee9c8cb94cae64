//! What a client asks to be written: an atomic group of changes, and its bytes.

use crate::operation::Operation;
use anabranch_causality::{Context, DecodeError, Kind, Reader, SessionId, Writer, hash64, names};

/// An atomic group of changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// What to change, in order; each sees what the former left.
    pub changes: Vec<Change>,
    /// The client's session and its count of operations, for retrying: sent again, at any leader, it takes effect once.
    pub key: Option<(SessionId, u64)>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// An operation on a key.
    Operate {
        /// The collection's name.
        collection: String,
        /// Its kind.
        kind: Kind,
        /// The key.
        key: String,
        /// What to do.
        operation: Operation,
        /// What the client saw of the key, if it says.
        context: Option<Context>,
    },
    /// A collection comes into being, or a register collection gets another resolver.
    Declare {
        /// The collection's name.
        collection: String,
        /// Its kind.
        kind: Kind,
        /// The resolver's name.
        resolver: String,
    },
    /// A field of a collection of maps gets a resolver of its own.
    Field {
        /// The collection's name.
        collection: String,
        /// The field: at most [`MAX_DECLARED_FIELD`] bytes.
        field: String,
        /// The name of a resolver of registers.
        resolver: String,
    },
}

/// The longest name of a field that gets a resolver of its own, in bytes.
pub const MAX_DECLARED_FIELD: usize = 256;

impl Change {
    /// The collection that it is about.
    #[must_use]
    pub fn collection(&self) -> &str {
        match self {
            Self::Operate { collection, .. } | Self::Declare { collection, .. } | Self::Field { collection, .. } => {
                collection
            }
        }
    }
}

impl Write {
    /// The most changes in one write.
    pub const MAX_CHANGES: usize = 1_000;

    /// The hash that tells this request from another under the same counter.
    #[must_use]
    pub fn hash(&self) -> u64 {
        let mut writer = Writer::new();
        for change in &self.changes {
            match change {
                Change::Operate { collection, kind, key, operation, .. } => {
                    writer.u8(1).bytes(collection.as_bytes()).u8(kind.0).bytes(key.as_bytes());
                    operation.encode(&mut writer);
                }
                Change::Declare { collection, kind, resolver } => {
                    writer.u8(2).bytes(collection.as_bytes()).u8(kind.0).bytes(resolver.as_bytes());
                }
                Change::Field { .. } => change.encode(&mut writer),
            }
        }
        hash64("anabranch request 1", &[writer.as_bytes()])
    }
}

const OPERATE: u8 = 1;
const DECLARE: u8 = 2;
const FIELD: u8 = 3;
/// The longest name of a resolver, in bytes.
const MAX_RESOLVER: usize = 128;

impl Change {
    /// The fewest bytes of a change.
    pub const MIN_BYTES: usize = 4;

    /// Appends the change: a number for its form, then its fields.
    pub fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Operate { collection, kind, key, operation, context } => {
                writer.u8(OPERATE).bytes(collection.as_bytes()).u8(kind.0).bytes(key.as_bytes());
                operation.encode(writer);
                match context {
                    None => writer.u8(0),
                    Some(context) => writer.u8(1).bytes(context.encode(collection, key).as_bytes()),
                };
            }
            Self::Declare { collection, kind, resolver } => {
                writer.u8(DECLARE).bytes(collection.as_bytes()).u8(kind.0).bytes(resolver.as_bytes());
            }
            Self::Field { collection, field, resolver } => {
                writer.u8(FIELD).bytes(collection.as_bytes()).bytes(field.as_bytes()).bytes(resolver.as_bytes());
            }
        }
    }

    /// Reads what [`Change::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]; also for what is above the limits, and for a context of another key.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let form = reader.u8("change")?;
        let collection = reader.str(names::MAX_COLLECTION, "collection")?.to_owned();
        if form == FIELD {
            let field = reader.str(MAX_DECLARED_FIELD, "field")?.to_owned();
            let resolver = reader.str(MAX_RESOLVER, "resolver")?.to_owned();
            return Ok(Self::Field { collection, field, resolver });
        }
        let kind = Kind(reader.u8("kind")?);
        match form {
            OPERATE => {
                let key = reader.str(names::MAX_KEY, "key")?.to_owned();
                let operation = Operation::decode(reader)?;
                let context = match reader.u8("context")? {
                    0 => None,
                    1 => {
                        let text = reader.str(Context::MAX_TEXT, "context")?;
                        let context = Context::decode(text, &collection, &key);
                        Some(context.map_err(|_| DecodeError::Invalid("context"))?)
                    }
                    _ => return Err(DecodeError::Invalid("context")),
                };
                Ok(Self::Operate { collection, kind, key, operation, context })
            }
            DECLARE => {
                let resolver = reader.str(MAX_RESOLVER, "resolver")?.to_owned();
                Ok(Self::Declare { collection, kind, resolver })
            }
            _ => Err(DecodeError::Invalid("change")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(Change, &'static str)> {
        let operate = |context| Change::Operate {
            collection: "likes".into(),
            kind: Kind::G_COUNTER,
            key: "k".into(),
            operation: Operation::Add(1),
            context,
        };
        let declare = Change::Declare { collection: "c".into(), kind: Kind::REGISTER, resolver: "lww".into() };
        vec![
            (operate(None), "01056c696b657302016b01030200"),
            (operate(Some(Context::default())), ""),
            (declare, "02016301036c7777"),
            (Change::Field { collection: "c".into(), field: "f".into(), resolver: "lww".into() }, "0301630166036c7777"),
        ]
    }

    #[test]
    fn golden_bytes() {
        for (change, golden) in samples() {
            let mut writer = Writer::new();
            change.encode(&mut writer);
            let hex: String = writer.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert!(golden.is_empty() || hex == golden, "{hex}");
            let mut reader = Reader::new(writer.as_bytes());
            assert_eq!(Change::decode(&mut reader), Ok(change));
            assert_eq!(reader.finish("change"), Ok(()));
        }
    }

    #[test]
    fn truncated_bytes_and_a_foreign_context_are_refused() {
        for (change, _) in samples() {
            let mut writer = Writer::new();
            change.encode(&mut writer);
            for end in 0..writer.as_bytes().len() {
                assert!(Change::decode(&mut Reader::new(&writer.as_bytes()[..end])).is_err());
            }
        }
        let mut writer = Writer::new();
        writer.u8(OPERATE).bytes(b"c").u8(1).bytes(b"k");
        Operation::Delete.encode(&mut writer);
        writer.u8(1).bytes(Context::default().encode("c", "other").as_bytes());
        assert_eq!(Change::decode(&mut Reader::new(writer.as_bytes())), Err(DecodeError::Invalid("context")));
    }
}
