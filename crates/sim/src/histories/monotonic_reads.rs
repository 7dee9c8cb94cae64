//! Monotonic reads: a session's reads never go back.
//!
//! Judged are answered reads that asked for it. Of the keys that they cover they must show all that answered reads of their
//! session which ended before they began had shown, whatever those asked for; and what a token that was handed over before covers.

use super::flow::Flow;
use super::history::History;
use super::scope::Scope;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, scope: &Scope) -> Vec<Violation> {
    Flow { read_to_reads: true, ..Flow::none("monotonic reads") }.check(history, scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::example::{NONE, asking, eventual, found, info, join, read, write};

    fn after_a_write(events: &[crate::histories::Event]) -> Vec<u64> {
        found(check, &[&[eventual(write(1, "w", 10..20, 7, &["a"]))], events].concat())
    }

    #[test]
    fn a_read_that_goes_back_is_found() {
        let first = eventual(read(2, "s", 30..40, &[("a", &[7])]));
        assert_eq!(after_a_write(&[first.clone(), read(3, "s", 40..50, &[("a", &[])])]), [3]);
        let between = read(3, "s", 50..60, &[("b", &[])]);
        let late = asking("mr", read(4, "s", 70..80, &[("a", &[]), ("b", &[])]));
        assert_eq!(after_a_write(&[first, between, late]), [4]);
    }

    #[test]
    fn what_was_handed_over_counts_as_read() {
        let first = read(2, "s", 30..40, &[("a", &[7])]);
        let back = read(4, "t", 60..70, &[("a", &[])]);
        assert_eq!(after_a_write(&[first.clone(), join(3, "t", 40..50, "s"), back.clone()]), [4]);
        assert_eq!(after_a_write(&[first, join(3, "t", 39..50, "s"), back]), NONE, "handed over before the answer");
    }

    #[test]
    fn what_is_not_promised_is_not_asked_for() {
        let first = read(2, "s", 30..40, &[("a", &[7])]);
        for other in [
            read(3, "s", 39..50, &[("a", &[])]),
            read(3, "t", 50..60, &[("a", &[])]),
            asking("ryw+mw+wfr", read(3, "s", 50..60, &[("a", &[])])),
            info(read(3, "s", 50..60, &[("a", &[])])),
        ] {
            assert_eq!(after_a_write(&[first.clone(), other]), NONE);
        }
        let own = [write(2, "s", 30..40, 8, &["a"]), read(3, "s", 50..60, &[("a", &[])])];
        assert_eq!(after_a_write(&own), NONE, "that is read your writes");
    }
}
