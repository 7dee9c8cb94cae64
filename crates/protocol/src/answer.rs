//! What a node answers.

use crate::hello::Role;
use crate::part;
use crate::request::{decode_headers, encode_headers, flag, option, read_option};
use anabranch_causality::{Context, DecodeError, Dot, Origin, Reader, ShardId, Token, VersionVector, Writer};

/// The largest value in one answer, in bytes of JSON: the largest answer, see [`crate::Assembly`].
const MAX_VALUE: usize = crate::part::MAX_ANSWER;
const MAX_NAME: usize = 256;
const MAX_TEXT: usize = 64 << 10;
const MAX_ITEMS: usize = 1_000;
const MAX_COLLECTIONS: usize = 65_536;
/// Most answers are shorter.
const USUAL_BYTES: usize = 128;

/// The answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The request's id.
    pub id: u64,
    /// Covers what was asked for and what the answer shows or wrote: to be attached to what follows.
    pub token: Token,
    /// The node that answered.
    pub by: String,
    /// The answer.
    pub answer: Answer,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// How the node stands.
    Standing(Standing),
    /// The value of a key; `None` when there is no such key.
    Value {
        /// The collection's resolver.
        resolver: String,
        /// The value.
        shown: Option<Shown>,
    },
    /// Some keys.
    Page(Page),
    /// The collections.
    Collections(Vec<Described>),
    /// The write is durable, as it was asked to be.
    Written(Written),
    /// An HTTP answer, passed back.
    Http {
        /// The status.
        status: u16,
        /// The headers that matter.
        headers: Vec<(String, Vec<u8>)>,
        /// The body.
        body: Vec<u8>,
    },
    /// It was refused, or could not be done.
    Problem(Problem),
}

/// How a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its region.
    pub region: String,
    /// What it does.
    pub role: Role,
    /// How old what it shows may be, in milliseconds; absent while it does not know.
    pub behind_ms: Option<u64>,
    /// Whether that is beyond the limit that its operator set.
    pub lagging: bool,
    /// What it has applied, without what newer origins imply.
    pub vector: VersionVector,
}

/// A value as an answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// JSON; empty when left out.
    pub json: String,
    /// How many conflicts a person could look at.
    pub conflicts: u64,
    /// Whether a sum is beyond 64 bits, and shown clamped.
    pub overflow: bool,
    /// Whether the value was left out for its size.
    pub truncated: bool,
    /// What a write that saw this supersedes; only for registers.
    pub context: Option<String>,
}

/// Some keys of a collection, at one causal cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The collection's resolver.
    pub resolver: String,
    /// Keys and values, in the order of the keys' bytes.
    pub items: Vec<(String, Shown)>,
    /// The last key of this page, when there are more after it.
    pub next: Option<String>,
}

/// A collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name, or `name~kind`.
    pub name: String,
    /// Its resolver.
    pub resolver: String,
    /// Its kind's number.
    pub kind: u8,
}

/// A write that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it was sequenced.
    pub dot: Dot,
    /// It had taken effect before.
    pub repeated: bool,
    /// There was more to clear than one transaction may name: write the same again for the rest.
    pub incomplete: bool,
    /// The value after it, if it was asked for and the key exists.
    pub shown: Option<Shown>,
}

/// Why there is no other answer. Codes are those of the HTTP API, and of `stale`: what is shown would be older than allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong, as programs tell it apart.
    pub code: String,
    /// The same for people: what happened, and what to do next.
    pub detail: String,
    /// The problem document's further members, as a JSON object; empty for none.
    pub more: String,
}

// Numbers of answers. Part of the format: append only.
const STANDING: u8 = 1;
const VALUE: u8 = 2;
const PAGE: u8 = 3;
const COLLECTIONS: u8 = 4;
const WRITTEN: u8 = 5;
const HTTP: u8 = 6;
const PROBLEM: u8 = 7;

impl Reply {
    /// The bytes, to be cut into [`crate::Part`]s.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        self.write(&mut writer);
        writer.into_bytes()
    }

    fn write(&self, writer: &mut Writer) {
        self.token.write(writer);
        writer.bytes(self.by.as_bytes());
        self.answer.encode(writer);
    }

    /// The frame of an answer that is whole in one [`crate::Part`], as nearly all are; `None` for a longer one.
    #[must_use]
    pub fn frame(&self) -> Option<Vec<u8>> {
        let mut writer = Writer::with_capacity(USUAL_BYTES);
        part::begin(&mut writer, self.id, true);
        self.write(&mut writer);
        let frame = writer.into_bytes();
        (frame.len() <= part::HEAD_BYTES + part::PART_BYTES).then_some(frame)
    }

    /// Reads what [`Reply::encode`] wrote, as the answer to the request of that id.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(id: u64, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let token = Token::read(&mut reader)?;
        let by = reader.str(MAX_NAME, "node")?.to_owned();
        let answer = Answer::decode(&mut reader)?;
        reader.finish("answer")?;
        Ok(Self { id, token, by, answer })
    }
}

impl Answer {
    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Standing(standing) => standing.encode(writer.u8(STANDING)),
            Self::Value { resolver, shown } => {
                writer.u8(VALUE).bytes(resolver.as_bytes());
                option(writer, shown.as_ref(), |writer, shown| shown.encode(writer));
            }
            Self::Page(page) => page.encode(writer.u8(PAGE)),
            Self::Collections(list) => {
                writer.u8(COLLECTIONS).varint(list.len() as u64);
                for one in list {
                    writer.bytes(one.name.as_bytes()).bytes(one.resolver.as_bytes()).u8(one.kind);
                }
            }
            Self::Written(written) => written.encode(writer.u8(WRITTEN)),
            Self::Http { status, headers, body } => {
                writer.u8(HTTP).varint(u64::from(*status));
                encode_headers(headers, writer);
                writer.bytes(body);
            }
            Self::Problem(problem) => {
                writer.u8(PROBLEM);
                for text in [&problem.code, &problem.detail, &problem.more] {
                    writer.bytes(text.as_bytes());
                }
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("answer")? {
            STANDING => Standing::decode(reader).map(Self::Standing),
            VALUE => {
                let resolver = reader.str(MAX_NAME, "resolver")?.to_owned();
                Ok(Self::Value { resolver, shown: read_option(reader, "value", Shown::decode)? })
            }
            PAGE => Page::decode(reader).map(Self::Page),
            COLLECTIONS => {
                let count = reader.count(MAX_COLLECTIONS, 3, "collections")?;
                let mut list = Vec::with_capacity(count);
                for _ in 0..count {
                    let name = reader.str(MAX_NAME, "collection")?.to_owned();
                    let resolver = reader.str(MAX_NAME, "resolver")?.to_owned();
                    list.push(Described { name, resolver, kind: reader.u8("kind")? });
                }
                Ok(Self::Collections(list))
            }
            WRITTEN => Written::decode(reader).map(Self::Written),
            HTTP => {
                let status = u16::try_from(reader.varint("status")?).map_err(|_| DecodeError::TooLarge("status"))?;
                let headers = decode_headers(reader)?;
                Ok(Self::Http { status, headers, body: reader.bytes(MAX_VALUE, "body")?.to_vec() })
            }
            PROBLEM => {
                let mut text = |what| reader.str(MAX_TEXT, what).map(str::to_owned);
                Ok(Self::Problem(Problem { code: text("code")?, detail: text("detail")?, more: text("more")? }))
            }
            _ => Err(DecodeError::Invalid("answer")),
        }
    }
}

impl Standing {
    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.region.as_bytes());
        self.role.encode(writer);
        option(writer, self.behind_ms.as_ref(), |writer, behind| {
            writer.varint(*behind);
        });
        writer.u8(u8::from(self.lagging));
        self.vector.encode(writer);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let region = reader.str(MAX_NAME, "region")?.to_owned();
        let role = Role::decode(reader)?;
        let behind_ms = read_option(reader, "behind", |reader| reader.varint("behind"))?;
        let lagging = flag(reader, "lagging")?;
        Ok(Self { region, role, behind_ms, lagging, vector: VersionVector::decode(reader)? })
    }
}

impl Shown {
    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.json.as_bytes()).varint(self.conflicts);
        writer.u8(u8::from(self.overflow)).u8(u8::from(self.truncated));
        option(writer, self.context.as_ref(), |writer, context| {
            writer.bytes(context.as_bytes());
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let json = reader.str(MAX_VALUE, "value")?.to_owned();
        let conflicts = reader.varint("conflicts")?;
        let (overflow, truncated) = (flag(reader, "overflow")?, flag(reader, "truncated")?);
        let context =
            read_option(reader, "context", |reader| reader.str(Context::MAX_TEXT, "context").map(str::to_owned))?;
        Ok(Self { json, conflicts, overflow, truncated, context })
    }
}

impl Page {
    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.resolver.as_bytes()).varint(self.items.len() as u64);
        for (key, shown) in &self.items {
            writer.bytes(key.as_bytes());
            shown.encode(writer);
        }
        option(writer, self.next.as_ref(), |writer, next| {
            writer.bytes(next.as_bytes());
        });
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let resolver = reader.str(MAX_NAME, "resolver")?.to_owned();
        let count = reader.count(MAX_ITEMS, 6, "items")?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            let key = reader.str(anabranch_causality::names::MAX_KEY, "key")?.to_owned();
            items.push((key, Shown::decode(reader)?));
        }
        let key = |reader: &mut Reader<'_>| reader.str(anabranch_causality::names::MAX_KEY, "key").map(str::to_owned);
        Ok(Self { resolver, items, next: read_option(reader, "next", key)? })
    }
}

impl Written {
    fn encode(&self, writer: &mut Writer) {
        writer.varint(u64::from(self.dot.shard.0)).u64(self.dot.origin.0).varint(self.dot.seq);
        writer.u8(u8::from(self.repeated)).u8(u8::from(self.incomplete));
        option(writer, self.shown.as_ref(), |writer, shown| shown.encode(writer));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let shard = u16::try_from(reader.varint("shard")?).map_err(|_| DecodeError::TooLarge("shard"))?;
        let dot = Dot { shard: ShardId(shard), origin: Origin(reader.u64("origin")?), seq: reader.varint("dot")? };
        let (repeated, incomplete) = (flag(reader, "repeated")?, flag(reader, "incomplete")?);
        Ok(Self { dot, repeated, incomplete, shown: read_option(reader, "value", Shown::decode)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples() -> Vec<(Reply, &'static str)> {
        let vector: VersionVector = [(Origin(2), 3)].into_iter().collect();
        let token = Token::of(ShardId(0), vector.clone());
        let reply = |answer| Reply { id: 7, token: token.clone(), by: "n".into(), answer };
        let standing =
            Standing { region: "eu".into(), role: Role::Follower, behind_ms: Some(300), lagging: true, vector };
        let shown =
            || Shown { json: "1".into(), conflicts: 2, overflow: true, truncated: false, context: Some("x".into()) };
        let page = Page { resolver: "lww".into(), items: vec![("k".into(), shown())], next: Some("k".into()) };
        let described = Described { name: "c".into(), resolver: "lww".into(), kind: 1 };
        let dot = Dot { shard: ShardId(0), origin: Origin(2), seq: 3 };
        let written = Written { dot, repeated: true, incomplete: false, shown: None };
        let http = Answer::Http { status: 200, headers: vec![("a".into(), b"b".to_vec())], body: b"{}".to_vec() };
        let problem = Problem { code: "parked".into(), detail: "d".into(), more: String::new() };
        vec![
            (reply(Answer::Standing(standing)), "010265750201ac020101020000000000000003"),
            (reply(Answer::Value { resolver: "lww".into(), shown: Some(shown()) }), "02036c7777010131020100010178"),
            (reply(Answer::Page(page)), "03036c777701016b013102010001017801016b"),
            (reply(Answer::Collections(vec![described])), "04010163036c777701"),
            (reply(Answer::Written(written)), "0500020000000000000003010000"),
            (reply(http), "06c8010101610162027b7d"),
            (reply(Answer::Problem(problem)), "07067061726b6564016400"),
        ]
    }

    #[test]
    fn golden_bytes() {
        for (reply, golden) in samples() {
            let bytes = reply.encode();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, format!("010001020000000000000003016e{golden}"));
            assert_eq!(Reply::decode(7, &bytes), Ok(reply));
        }
    }

    #[test]
    fn the_frame_is_the_only_part() {
        let mut lengths = Vec::new();
        for body in [0, 1].into_iter().chain(part::PART_BYTES - 80..=part::PART_BYTES) {
            let answer = Answer::Http { status: 200, headers: Vec::new(), body: vec![7; body] };
            let reply = Reply { id: 7, token: Token::new(), by: "n".into(), answer };
            let bytes = reply.encode();
            let parts: Vec<Vec<u8>> = part::parts(reply.id, &bytes).collect();
            assert_eq!(reply.frame(), Some(parts[0].clone()).filter(|_| parts.len() == 1), "{} bytes", bytes.len());
            lengths.push(bytes.len());
        }
        assert!(lengths.contains(&part::PART_BYTES) && lengths.contains(&(part::PART_BYTES + 1)));
    }

    #[test]
    fn truncated_and_longer_answers_are_refused() {
        for (reply, _) in samples() {
            let bytes = reply.encode();
            for end in 0..bytes.len() {
                assert!(Reply::decode(7, &bytes[..end]).is_err());
            }
            assert!(Reply::decode(7, &[bytes, vec![0]].concat()).is_err());
        }
    }
}
