//! The first message of a connection, in both directions.

use anabranch_causality::{DecodeError, Origin, Reader, Writer};

const MAGIC: &[u8; 8] = b"anabrnch";
const MAX_NAME: usize = 64;

/// What a node says of itself. Who it **is**, its certificate says; the two must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The cluster's name.
    pub cluster: String,
    /// The node's region.
    pub region: String,
    /// The node's name.
    pub node: String,
    /// What it does.
    pub role: Role,
    /// The origin under which it will write, or does.
    pub origin: Origin,
}

/// What a node does in its region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Accepts writes.
    Leader,
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
        match self.role {
            Role::Leader => writer.u8(1),
        };
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
        let role = match reader.u8("role")? {
            1 => Role::Leader,
            _ => return Err(DecodeError::Invalid("role")),
        };
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
        let expected = [b"anabrnch\x01\x04shop\x02eu\x04eu-1\x01".as_slice(), &1u64.to_le_bytes()].concat();
        assert_eq!(hello().encode(), expected);
        assert_eq!(Hello::decode(&expected), Ok(hello()));
    }

    #[test]
    fn another_version_and_garbage_are_told_apart() {
        let mut bytes = hello().encode();
        bytes[8] = 2;
        assert_eq!(Hello::decode(&bytes), Err(DecodeError::Version { what: "protocol", version: 2 }));
        assert_eq!(Hello::decode(b"GET / HTTP/1.1"), Err(DecodeError::Invalid("hello")));
        assert_eq!(Hello::decode(b""), Err(DecodeError::Short("hello")));
    }
}
