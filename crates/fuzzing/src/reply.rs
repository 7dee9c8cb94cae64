//! Answers, and the parts in which they travel.

use crate::meter::{self, Bound};
use anabranch_protocol::{Assembly, Part, Reply, parts};

/// A described collection takes three bytes at least, and two texts in memory.
pub const BOUND: Bound = Bound { times: 64, plus: 1_024 };

/// What is accepted is what the other side encoded, to the byte; what is cut into parts comes together again.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    const ID: u64 = 7;
    if let Ok(reply) = meter::within(BOUND, bytes.len(), || Reply::decode(ID, bytes)) {
        assert_eq!(reply.encode(), bytes, "one form only: {reply:?}");
    }
    if let Ok(part) = Part::decode(bytes) {
        let held = meter::within(BOUND, bytes.len(), || Assembly::default().push(part));
        assert_eq!(held.expect("one part is never too long").is_some(), part.last);
    }
    let mut assembly = Assembly::default();
    let mut whole = None;
    for frame in parts(ID, bytes) {
        assert_eq!(whole, None, "there is something behind the last part");
        whole = assembly.push(Part::decode(&frame).expect("a part")).expect("within the limit");
    }
    assert_eq!(whole.as_deref(), Some(bytes));
}
