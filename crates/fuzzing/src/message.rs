//! Messages between replicas.

use crate::meter::{self, Bound};
use anabranch_protocol::Message;

/// A packed transaction of three bytes may have a collection's name of 128 when unpacked, beside the 24 of a list's entry.
pub const BOUND: Bound = Bound { times: 96, plus: 1_024 };

/// A compressed one declares what it comes to: as much as a frame, then unpacked, at most as much again.
pub const COMPRESSED: Bound = Bound { times: 1, plus: 4 * anabranch_protocol::MAX_FRAME };
const COMPRESSED_TYPE: u8 = 4;

/// What is accepted is what the other side encoded, to the byte; compressed, it says what the other side could have said.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let compressed = bytes.first() == Some(&COMPRESSED_TYPE);
    let bound = if compressed { COMPRESSED } else { BOUND };
    let decoded = meter::within(bound, bytes.len(), || Message::decode(bytes));
    let Ok(message) = decoded else { return };
    let again = message.encode();
    // There are many ways to compress; and what we would compress may come as it is.
    if again.first() == Some(&COMPRESSED_TYPE) || compressed {
        assert_eq!(Message::decode(&again).as_ref(), Ok(&message), "it comes back");
    } else {
        assert_eq!(again, bytes, "one form only: {message:?}");
    }
    if let Message::Transactions(list) = &message {
        list.iter().for_each(|transaction| crate::transaction::body(transaction));
    }
}
