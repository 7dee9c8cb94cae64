//! Monotonic writes: a session's writes become visible in their order.
//!
//! For a write `w2` that asked for it, and each write `w1` of the same session that was answered ok before `w2` began: judged is
//! every answered read that shows `w2`, whoever reads and whatever they asked for, since a read is of one causal cut; and every
//! answered read that asked for monotonic reads, of a session that was shown `w2` before. If such a read covers a key of `w1`, it
//! must show `w1`. A later read without monotonic reads may be of an earlier cut.

use super::flow::Flow;
use super::history::History;
use super::scope::Scope;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, scope: &Scope) -> Vec<Violation> {
    let none = Flow::none("monotonic writes");
    Flow { own_to_writes: true, read_to_reads: true, with_past: true, past_only: true, ..none }.check(history, scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::Event;
    use crate::histories::example::{NONE, asking, eventual, found, info, read, write};

    fn after(second: &Event, reads: &[Event]) -> Vec<u64> {
        let first = eventual(write(1, "w", 10..20, 7, &["a"]));
        found(check, &[&[first, second.clone()], reads].concat())
    }

    #[test]
    fn a_later_write_without_the_earlier_is_found() {
        let second = asking("mw", write(2, "w", 20..30, 8, &["b"]));
        let both = [eventual(read(3, "r", 40..50, &[("a", &[]), ("b", &[8])]))];
        assert_eq!(after(&second, &both), [3], "within one cut, whatever was asked for");
        let saw = eventual(read(3, "r", 40..50, &[("b", &[8])]));
        assert_eq!(after(&second, &[saw, asking("mr", read(4, "r", 50..60, &[("a", &[])]))]), [4]);
        assert_eq!(after(&info(second), &both), [3], "it took effect, as is seen");
    }

    #[test]
    fn what_is_not_promised_is_not_asked_for() {
        let second = asking("mw", write(2, "w", 20..30, 8, &["b"]));
        let saw = read(3, "r", 40..50, &[("b", &[8])]);
        let without = read(4, "r", 50..60, &[("a", &[])]);
        assert_eq!(after(&second, &[saw.clone(), asking("ryw+mw+wfr", without.clone())]), NONE, "an earlier cut");
        assert_eq!(after(&second, std::slice::from_ref(&without)), NONE, "the later one was not shown");
        let reads = [saw, without];
        assert_eq!(after(&asking("ryw+mr+wfr", second.clone()), &reads), NONE);
        assert_eq!(after(&asking("mw", write(2, "w", 19..30, 8, &["b"])), &reads), NONE, "at the same time");
        assert_eq!(after(&asking("mw", write(2, "v", 20..30, 8, &["b"])), &reads), NONE, "another session");
        let back = read(4, "r", 50..60, &[("b", &[])]);
        assert_eq!(after(&second, &[reads[0].clone(), back]), NONE, "that is monotonic reads");
    }
}
