//! What a client asks of a node, or a node of another on a client's behalf.

use anabranch_causality::{DecodeError, Reader, SessionId, Token, Writer, names};
use anabranch_resolvers::{Change, Write};

/// The longest path of a collection: a name, or `name~kind`.
const MAX_PATH: usize = names::MAX_COLLECTION + 32;
/// The most headers of a forwarded HTTP request or answer.
pub(crate) const MAX_HEADERS: usize = 64;
/// The longest name or value of a header, in bytes.
pub(crate) const MAX_HEADER: usize = 16 << 10;
/// The longest path with its query, in bytes.
const MAX_TARGET: usize = 16 << 10;
/// The largest body of a forwarded HTTP request, in bytes.
const MAX_BODY: usize = 1 << 20;

/// One request. A node answers each once, in any order.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Chosen by who asks, unique among its requests that are not answered.
    pub id: u64,
    /// What must have been applied before it is answered or written on top of.
    pub token: Token,
    /// For how long the node may wait for the token and for acknowledgements together, in milliseconds.
    pub wait_ms: u32,
    /// Whether the node may pass it on to another, when that one is known to have what the token names and this one is
    /// not. A request that was passed on says no.
    pub forward: bool,
    /// How old what is shown may be, in milliseconds; absent when that does not matter.
    pub max_lag_ms: Option<u32>,
    /// What is asked.
    pub ask: Ask,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// How the node stands. Answered at once, whatever the token.
    Standing,
    /// The value of a key.
    Get {
        /// The collection: a name, or `name~kind`.
        collection: String,
        /// The key.
        key: String,
    },
    /// Some keys of a collection, at one causal cut, in the order of their bytes.
    Scan {
        /// The collection: a name, or `name~kind`.
        collection: String,
        /// What the keys start with.
        prefix: String,
        /// The key after which to begin.
        after: Option<String>,
        /// How many at most: 1 to 1,000.
        limit: u32,
    },
    /// The collections.
    Collections,
    /// A write. At a follower: for its leader.
    Write {
        /// What to write.
        write: Write,
        /// What its acknowledgement is to mean.
        ack: AckLevel,
        /// Whether the answer is to show the value of the first change's key after the write.
        show: bool,
    },
    /// An HTTP request to `/v1`, passed on by a node that has not what it needs.
    Http(Http),
}

/// What the acknowledgement of a write means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AckLevel {
    /// On this leader's disk.
    #[default]
    Local,
    /// And on the disk of a follower of its region.
    Follower,
    /// On disk in that many regions, the leader's included.
    Regions(u16),
    /// On the disk of every member.
    All,
}

/// An HTTP request, passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The method.
    pub method: String,
    /// The path and query.
    pub target: String,
    /// The headers that matter.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
}

// Numbers of what is asked. Part of the format: append only.
const STANDING: u8 = 1;
const GET: u8 = 2;
const SCAN: u8 = 3;
const COLLECTIONS: u8 = 4;
const WRITE: u8 = 5;
const HTTP: u8 = 6;

impl Request {
    /// The longest time to wait, in milliseconds.
    pub const MAX_WAIT_MS: u32 = 30_000;

    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.u64(self.id);
        self.token.write(&mut writer);
        writer.varint(u64::from(self.wait_ms)).u8(u8::from(self.forward));
        option(&mut writer, self.max_lag_ms.as_ref(), |writer, lag| {
            writer.varint(u64::from(*lag));
        });
        self.ask.encode(&mut writer);
        writer.into_bytes()
    }

    /// Gives a request that was encoded another id.
    pub fn set_id(frame: &mut [u8], id: u64) {
        if let Some(first) = frame.first_chunk_mut() {
            *first = id.to_le_bytes();
        }
    }

    /// Reads what [`Request::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`]: whoever sent it does not speak this protocol.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        let id = reader.u64("request id")?;
        let token = Token::read(&mut reader)?;
        let wait_ms = small(&mut reader, "wait")?;
        if wait_ms > Self::MAX_WAIT_MS {
            return Err(DecodeError::TooLarge("wait"));
        }
        let forward = flag(&mut reader, "forward")?;
        let max_lag_ms = read_option(&mut reader, "lag", |reader| small(reader, "lag"))?;
        let ask = Ask::decode(&mut reader)?;
        reader.finish("request")?;
        Ok(Self { id, token, wait_ms, forward, max_lag_ms, ask })
    }
}

impl Ask {
    /// Whether it writes, as far as that can be told.
    #[must_use]
    pub fn is_write(&self) -> bool {
        matches!(self, Self::Write { .. })
    }

    fn encode(&self, writer: &mut Writer) {
        match self {
            Self::Standing => {
                writer.u8(STANDING);
            }
            Self::Get { collection, key } => {
                writer.u8(GET).bytes(collection.as_bytes()).bytes(key.as_bytes());
            }
            Self::Scan { collection, prefix, after, limit } => {
                writer.u8(SCAN).bytes(collection.as_bytes()).bytes(prefix.as_bytes());
                option(writer, after.as_ref(), |writer, after| {
                    writer.bytes(after.as_bytes());
                });
                writer.varint(u64::from(*limit));
            }
            Self::Collections => {
                writer.u8(COLLECTIONS);
            }
            Self::Write { write, ack, show } => {
                writer.u8(WRITE);
                encode_write(write, writer);
                ack.encode(writer);
                writer.u8(u8::from(*show));
            }
            Self::Http(http) => http.encode(writer.u8(HTTP)),
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("what is asked")? {
            STANDING => Ok(Self::Standing),
            GET => {
                let collection = reader.str(MAX_PATH, "collection")?.to_owned();
                Ok(Self::Get { collection, key: reader.str(names::MAX_KEY, "key")?.to_owned() })
            }
            SCAN => {
                let collection = reader.str(MAX_PATH, "collection")?.to_owned();
                let prefix = reader.str(names::MAX_KEY, "prefix")?.to_owned();
                let after =
                    read_option(reader, "after", |reader| reader.str(names::MAX_KEY, "after").map(str::to_owned))?;
                Ok(Self::Scan { collection, prefix, after, limit: small(reader, "limit")? })
            }
            COLLECTIONS => Ok(Self::Collections),
            WRITE => {
                let write = decode_write(reader)?;
                let ack = AckLevel::decode(reader)?;
                Ok(Self::Write { write, ack, show: flag(reader, "show")? })
            }
            HTTP => Ok(Self::Http(Http::decode(reader)?)),
            _ => Err(DecodeError::Invalid("what is asked")),
        }
    }
}

fn encode_write(write: &Write, writer: &mut Writer) {
    option(writer, write.key.as_ref(), |writer, (session, counter)| {
        writer.raw(&session.0).varint(*counter);
    });
    writer.varint(write.changes.len() as u64);
    for change in &write.changes {
        change.encode(writer);
    }
}

fn decode_write(reader: &mut Reader<'_>) -> Result<Write, DecodeError> {
    let key = read_option(reader, "operation id", |reader| {
        Ok((SessionId(reader.array("session")?), reader.varint("counter")?))
    })?;
    let count = reader.count(Write::MAX_CHANGES, Change::MIN_BYTES, "changes")?;
    let mut changes = Vec::with_capacity(count);
    for _ in 0..count {
        changes.push(Change::decode(reader)?);
    }
    Ok(Write { changes, key })
}

impl AckLevel {
    fn encode(self, writer: &mut Writer) {
        match self {
            Self::Local => writer.u8(0),
            Self::Follower => writer.u8(1),
            Self::Regions(count) => writer.u8(2).varint(u64::from(count)),
            Self::All => writer.u8(3),
        };
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("acknowledgement")? {
            0 => Ok(Self::Local),
            1 => Ok(Self::Follower),
            2 => {
                let count = reader.varint("regions")?;
                u16::try_from(count).map(Self::Regions).map_err(|_| DecodeError::TooLarge("regions"))
            }
            3 => Ok(Self::All),
            _ => Err(DecodeError::Invalid("acknowledgement")),
        }
    }
}

impl Http {
    fn encode(&self, writer: &mut Writer) {
        writer.bytes(self.method.as_bytes()).bytes(self.target.as_bytes());
        encode_headers(&self.headers, writer);
        writer.bytes(&self.body);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let method = reader.str(16, "method")?.to_owned();
        let target = reader.str(MAX_TARGET, "target")?.to_owned();
        let headers = decode_headers(reader)?;
        Ok(Self { method, target, headers, body: reader.bytes(MAX_BODY, "body")?.to_vec() })
    }
}

pub(crate) fn encode_headers(headers: &[(String, Vec<u8>)], writer: &mut Writer) {
    writer.varint(headers.len() as u64);
    for (name, value) in headers {
        writer.bytes(name.as_bytes()).bytes(value);
    }
}

pub(crate) fn decode_headers(reader: &mut Reader<'_>) -> Result<Vec<(String, Vec<u8>)>, DecodeError> {
    let count = reader.count(MAX_HEADERS, 2, "headers")?;
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let name = reader.str(MAX_HEADER, "header")?.to_owned();
        headers.push((name, reader.bytes(MAX_HEADER, "header")?.to_vec()));
    }
    Ok(headers)
}

pub(crate) fn option<T>(writer: &mut Writer, value: Option<&T>, write: impl FnOnce(&mut Writer, &T)) {
    match value {
        None => {
            writer.u8(0);
        }
        Some(value) => write(writer.u8(1), value),
    }
}

pub(crate) fn read_option<'a, T>(
    reader: &mut Reader<'a>,
    what: &'static str,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    match flag(reader, what)? {
        false => Ok(None),
        true => read(reader).map(Some),
    }
}

pub(crate) fn flag(reader: &mut Reader<'_>, what: &'static str) -> Result<bool, DecodeError> {
    match reader.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid(what)),
    }
}

fn small(reader: &mut Reader<'_>, what: &'static str) -> Result<u32, DecodeError> {
    u32::try_from(reader.varint(what)?).map_err(|_| DecodeError::TooLarge(what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Kind, Origin, ShardId};
    use anabranch_resolvers::Operation;

    fn samples() -> Vec<(Request, &'static str)> {
        let token = Token::of(ShardId(0), [(Origin(2), 3)].into_iter().collect());
        let request =
            |ask| Request { id: 7, token: token.clone(), wait_ms: 300, forward: true, max_lag_ms: Some(9), ask };
        let (collection, key) = ("c".to_owned(), "k".to_owned());
        let operation = Operation::Add(1);
        let change = Change::Operate {
            collection: "c".into(),
            kind: Kind::G_COUNTER,
            key: "k".into(),
            operation,
            context: None,
        };
        let write = Write { changes: vec![change], key: Some((SessionId([1; 16]), 5)) };
        let scan = Ask::Scan { collection: "c".into(), prefix: "p".into(), after: None, limit: 10 };
        let http = Http {
            method: "GET".into(),
            target: "/v1/data/c/k".into(),
            headers: vec![("a".into(), b"b".to_vec())],
            body: b"{}".to_vec(),
        };
        const HEAD: &str = "0700000000000000010001020000000000000003ac02010109";
        let golden = |tail: &str| -> &'static str { Box::leak(format!("{HEAD}{tail}").into_boxed_str()) };
        vec![
            (request(Ask::Standing), golden("01")),
            (request(Ask::Get { collection, key }), golden("020163016b")),
            (request(scan), golden("0301630170000a")),
            (request(Ask::Collections), golden("04")),
            (
                request(Ask::Write { write, ack: AckLevel::Regions(2), show: true }),
                golden("050101010101010101010101010101010101050101016302016b01030200020201"),
            ),
            (request(Ask::Http(http)), golden("06034745540c2f76312f646174612f632f6b0101610162027b7d")),
        ]
    }

    #[test]
    fn golden_bytes() {
        for (request, golden) in samples() {
            let bytes = request.encode();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, golden);
            assert_eq!(Request::decode(&bytes), Ok(request.clone()));
            let mut other = bytes;
            Request::set_id(&mut other, u64::MAX);
            assert_eq!(Request::decode(&other), Ok(Request { id: u64::MAX, ..request }));
        }
    }

    #[test]
    fn truncated_and_longer_frames_are_refused() {
        for (request, _) in samples() {
            let bytes = request.encode();
            for end in 0..bytes.len() {
                assert!(Request::decode(&bytes[..end]).is_err());
            }
            assert!(Request::decode(&[bytes, vec![0]].concat()).is_err());
        }
    }

    #[test]
    fn a_wait_beyond_the_limit_is_refused() {
        let request = Request { wait_ms: Request::MAX_WAIT_MS + 1, ..samples().swap_remove(0).0 };
        assert_eq!(Request::decode(&request.encode()), Err(DecodeError::TooLarge("wait")));
    }
}
