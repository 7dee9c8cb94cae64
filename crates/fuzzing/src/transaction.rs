//! Transactions as nodes send and store them.

use crate::meter::{self, Bound};
use anabranch_causality::Transaction;

/// An effect of 6 bytes, or an empty row of 3, is a hundred in memory; a vector's entry of 9 may begin a node of a tree.
pub const BOUND: Bound = Bound { times: 48, plus: 1_024 };

/// What is accepted is what its leader encoded, to the byte: its hash and its comparison with the log depend on that.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let decoded = meter::within(BOUND, bytes.len(), || Transaction::decode(bytes));
    let Ok(transaction) = decoded else { return };
    assert_eq!(Transaction::peek(bytes), Ok(transaction.dot), "the dot is known before the rest is");
    assert_eq!(transaction.encode(), bytes, "one form only: {transaction:?}");
}
