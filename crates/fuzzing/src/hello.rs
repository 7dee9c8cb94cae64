//! The first message of a connection, and the names that certificates bear.

use crate::meter::{self, Bound};
use anabranch_protocol::Hello;
use anabranch_transport::PeerName;

/// Three short names and a number; errors about names show 200 characters of them.
pub const BOUND: Bound = Bound { times: 4, plus: 2_048 };

/// What is accepted is what the other side encoded, to the byte; a URI that is a name is written as it was read.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    if let Ok(hello) = meter::within(BOUND, bytes.len(), || Hello::decode(bytes)) {
        assert_eq!(hello.encode(), bytes, "one form only: {hello:?}");
    }
    let Ok(uri) = std::str::from_utf8(bytes) else { return };
    match meter::within(BOUND, bytes.len(), || PeerName::parse(uri)) {
        Ok(name) => {
            assert_eq!(name.to_string(), uri);
            assert_eq!(PeerName::new(&name.cluster, &name.region, &name.node), Ok(name));
        }
        Err(error) => assert!(error.to_string().len() < 2_048, "a stranger's text floods the error"),
    }
}
