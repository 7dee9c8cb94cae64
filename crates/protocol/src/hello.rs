//! The first message of a connection, in both directions.

use anabranch_causality::{DecodeError, Origin, Reader, Writer};

const MAGIC: &[u8; 8] = b"anabrnch";
const MAX_NAME: usize = 64;

/// What a node or client says of itself. Who it **is**, its certificate says; the two must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The cluster's name.
    pub cluster: String,
    /// Its region.
    pub region: String,
    /// Its name.
    pub node: String,
    /// What it does.
    pub role: Role,
    /// The origin under which it will write, or does; a follower's and a client's is never used.
    pub origin: Origin,
}

/// What a node does in its region, or that it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Accepts writes.
    Leader,
    /// Applies everything, serves reads, passes writes on.
    Follower,
    /// No replica: it asks, and is answered.
    Client,
}

impl Role {
    /// Appends its number.
    pub fn encode(self, writer: &mut Writer) {
        writer.u8(match self {
            Self::Leader => 1,
            Self::Follower => 2,
            Self::Client => 3,
        });
    }

    /// Reads what [`Role::encode`] wrote.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8("role")? {
            1 => Ok(Self::Leader),
            2 => Ok(Self::Follower),
            3 => Ok(Self::Client),
            _ => Err(DecodeError::Invalid("role")),
        }
    }

    /// Its name: `leader`, `follower`, `client`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Client => "client",
        }
    }
}

impl Hello {
    /// The frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.raw(MAGIC).u8(crate::VERSION);
        for name in [&self.cluster, &self.region, &self.node] {
            writer.bytes(name.as_bytes());
        }
        self.role.encode(&mut writer);
        writer.u64(self.origin.0);
        writer.into_bytes()
    }

    /// Reads what [`Hello::encode`] wrote. A version above ours may say more at the end; one byte tells.
    ///
    /// # Errors
    /// [`DecodeError::Version`] for another protocol version, other [`DecodeError`]s for what is no hello at all.
    pub fn decode(frame: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(frame);
        if reader.array::<8>("hello")? != *MAGIC {
            return Err(DecodeError::Invalid("hello"));
        }
        match reader.u8("protocol version")? {
            crate::VERSION => {}
            version => return Err(DecodeError::Version { what: "protocol", version }),
        }
        let mut name = |what| reader.str(MAX_NAME, what).map(str::to_owned);
        let (cluster, region, node) = (name("cluster name")?, name("region name")?, name("node name")?);
        let role = Role::decode(&mut reader)?;
        let origin = Origin(reader.u64("origin")?);
        reader.finish("hello")?;
        Ok(Self { cluster, region, node, role, origin })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello() -> Hello {
        let (cluster, region, node) = ("shop".into(), "eu".into(), "eu-1".into());
        Hello { cluster, region, node, role: Role::Leader, origin: Origin(1) }
    }

    #[test]
    fn golden_bytes() {
        let expected = [b"anabrnch\x03\x04shop\x02eu\x04eu-1\x01".as_slice(), &1u64.to_le_bytes()].concat();
        assert_eq!(hello().encode(), expected);
        assert_eq!(Hello::decode(&expected), Ok(hello()));
    }

    #[test]
    fn another_version_and_garbage_are_told_apart() {
        let mut bytes = hello().encode();
        bytes[8] = 1;
        assert_eq!(Hello::decode(&bytes), Err(DecodeError::Version { what: "protocol", version: 1 }));
        assert_eq!(Hello::decode(b"GET / HTTP/1.1"), Err(DecodeError::Invalid("hello")));
        assert_eq!(Hello::decode(b""), Err(DecodeError::Short("hello")));
    }
}
