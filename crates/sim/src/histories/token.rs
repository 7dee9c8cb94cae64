//! A read with a token is answered from a state that has all that the token names, or not at all.
//!
//! Judged are answered reads that carried a token, in histories that name their cluster, whatever guarantees were asked for. Of
//! the keys that they cover they must show every write whose dot the token covers. Writes whose dot is not known are not asked for.

use super::flow::Flow;
use super::history::History;
use super::scope::Scope;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, scope: &Scope) -> Vec<Violation> {
    Flow { tokens: true, ..Flow::none("token") }.check(history, scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::example::{NONE, carrying, eventual, found, placed, read, write};

    #[test]
    fn an_answer_from_too_early_a_state_is_found() {
        let writes = [
            placed(write(1, "s", 10..20, 7, &["a"]), 5, 2),
            placed(write(2, "t", 10..20, 8, &["a"]), 5, 4),
            placed(write(3, "u", 10..20, 9, &["a"]), 6, 1),
        ];
        let reading = |seen: &[u64], token: &[(u64, u64)]| {
            let read = carrying(eventual(read(4, "r", 30..40, &[("a", seen)])), token);
            found(check, &[&writes[..], &[read]].concat())
        };
        assert_eq!(reading(&[], &[(5, 2)]), [4]);
        assert_eq!(reading(&[7], &[(5, 3)]), NONE);
        assert_eq!(reading(&[7], &[(5, 4)]), [4]);
        assert_eq!(reading(&[7, 8], &[(5, 4), (6, 1)]), [4]);
        assert_eq!(reading(&[7, 8, 9], &[(5, 4), (6, 1), (7, 100)]), NONE);
    }
}
