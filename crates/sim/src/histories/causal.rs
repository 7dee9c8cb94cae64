//! Causal consistency: the four guarantees and tokens together, and what follows from them over any number of sessions.
//!
//! Each operation carries what its session read and wrote, as far as it asked for that (reads: what was written under read your
//! writes, what was read under monotonic reads; writes: under monotonic writes and writes follow reads), and what its token
//! covers, with the pasts of all these. Judged is every answered read: of the keys that it covers it must show all writes that
//! it carried when it began, and the pasts of all writes that it shows. So a read without any guarantee is judged as one cut.
//! Only writes that were answered ok, or that some read of the chain showed, are asked for.

use super::flow::Flow;
use super::history::History;
use super::scope::Scope;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, scope: &Scope) -> Vec<Violation> {
    let flow = Flow {
        rule: "causal",
        own_to_reads: true,
        read_to_reads: true,
        own_to_writes: true,
        read_to_writes: true,
        tokens: true,
        with_past: true,
        past_only: false,
    };
    flow.check(history, scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::example::{NONE, asking, carrying, eventual, found, join, placed, read, write};

    #[test]
    fn what_only_the_whole_chain_implies_is_found() {
        // w1 before w2 in one session; w3 by one that saw w2; a reader of w3 looks for w1.
        let chain = [
            write(1, "s", 10..20, 7, &["a"]),
            write(2, "s", 20..30, 8, &["b"]),
            read(3, "t", 40..50, &[("b", &[8])]),
            write(4, "t", 50..60, 9, &["c"]),
        ];
        let lacking = eventual(read(5, "r", 70..80, &[("a", &[]), ("c", &[9])]));
        assert_eq!(found(check, &[chain.as_slice(), std::slice::from_ref(&lacking)].concat()), [5]);
        assert_eq!(
            found(super::super::monotonic_writes::check, &[&chain[..], std::slice::from_ref(&lacking)].concat()),
            NONE
        );
        let mut loose = chain;
        loose[3] = asking("ryw+mr+mw", loose[3].clone());
        assert_eq!(found(check, &[loose.as_slice(), &[lacking]].concat()), NONE);
    }

    #[test]
    fn own_writes_bring_their_past() {
        let events = [
            eventual(write(1, "q", 10..20, 7, &["a"])),
            read(2, "s", 30..40, &[("a", &[7])]),
            asking("wfr", write(3, "s", 40..50, 8, &["b"])),
            asking("ryw", read(4, "s", 60..70, &[("a", &[])])),
        ];
        assert_eq!(found(check, &events), [4], "what a write of its own followed");
    }

    #[test]
    fn a_token_takes_the_past_along() {
        let own = [placed(write(1, "s", 10..20, 7, &["a"]), 5, 3), write(2, "q", 10..20, 8, &["b"])];
        let by_token = |seq| [carrying(eventual(read(3, "t", 30..40, &[("a", &[]), ("b", &[])])), &[(5, seq)])];
        assert_eq!(found(check, &[own.as_slice(), &by_token(3)].concat()), [3]);
        assert_eq!(found(check, &[own.as_slice(), &by_token(2)].concat()), NONE);
        let joined = [join(3, "t", 25..26, "s"), read(4, "t", 30..40, &[("a", &[]), ("b", &[])])];
        assert_eq!(found(check, &[own.as_slice(), &joined].concat()), [4]);
    }

    #[test]
    fn long_forks_are_allowed() {
        let events = [
            write(1, "s", 10..20, 7, &["a"]),
            write(2, "t", 10..20, 8, &["b"]),
            read(3, "u", 30..40, &[("a", &[7]), ("b", &[])]),
            read(4, "v", 30..40, &[("a", &[]), ("b", &[8])]),
        ];
        assert_eq!(found(check, &events), NONE);
    }
}
