//! Messages between replicas.

use crate::meter::{self, Bound};
use anabranch_protocol::Message;

/// A packed transaction of three bytes may have a collection's name of 128 when unpacked, beside the 24 of a list's entry.
pub const BOUND: Bound = Bound { times: 96, plus: 1_024 };

/// What is accepted is what the other side encoded, to the byte.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let decoded = meter::within(BOUND, bytes.len(), || Message::decode(bytes));
    let Ok(message) = decoded else { return };
    assert_eq!(message.encode(), bytes, "one form only: {message:?}");
    if let Message::Transactions(list) = &message {
        list.iter().for_each(|transaction| crate::transaction::body(transaction));
    }
}
