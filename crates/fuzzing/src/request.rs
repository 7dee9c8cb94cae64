//! Requests of clients, and of nodes on their behalf; among them operations on every kind.

use crate::meter::{self, Bound};
use anabranch_causality::{Reader, Writer};
use anabranch_protocol::Request;
use anabranch_resolvers::{Operation, Write};

/// JSON inside makes it: an object of one field takes a few bytes, and a node of a tree in memory.
pub const BOUND: Bound = Bound { times: 256, plus: 4_096 };

/// What is accepted is what the other side encoded, to the byte. The same for an operation alone, for which equal bytes
/// must mean equal requests: retries are told by a hash of them.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    if let Ok(request) = meter::within(BOUND, bytes.len(), || Request::decode(bytes)) {
        assert_eq!(request.encode(), bytes, "one form only: {request:?}");
        if let anabranch_protocol::Ask::Write { write, .. } = &request.ask {
            assert!(write.changes.len() <= Write::MAX_CHANGES);
            assert_eq!(write.hash(), write.clone().hash());
        }
    }
    let mut reader = Reader::new(bytes);
    if let Ok(operation) = meter::within(BOUND, bytes.len(), || Operation::decode(&mut reader)) {
        let mut writer = Writer::new();
        operation.encode(&mut writer);
        assert_eq!(writer.as_bytes(), &bytes[..bytes.len() - reader.rest().len()], "one form only: {operation:?}");
        assert!(operation.check_limits().is_ok());
    }
}
