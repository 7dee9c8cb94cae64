//! Read your writes: a session's read shows what the session wrote before.
//!
//! Judged are answered reads that asked for it. Of the keys that they cover they must show each write of their session that
//! was answered ok before they began, whatever that write asked for.

use super::flow::Flow;
use super::history::History;
use super::scope::Scope;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, scope: &Scope) -> Vec<Violation> {
    Flow { own_to_reads: true, ..Flow::none("read your writes") }.check(history, scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::example::{NONE, asking, eventual, found, info, read, write};

    #[test]
    fn a_missing_own_write_is_found() {
        let events = [write(1, "s", 10..20, 7, &["a"]), read(2, "s", 20..30, &[("a", &[])])];
        assert_eq!(found(check, &events), [2]);
        let events =
            [eventual(write(1, "s", 10..20, 7, &["a", "b"])), asking("ryw", read(2, "s", 30..40, &[("b", &[])]))];
        assert_eq!(found(check, &events), [2], "what the write asked for does not matter");
    }

    #[test]
    fn the_story_names_both() {
        let events = [
            write(1, "s", 10..20, 7, &["a"]),
            write(2, "s", 21..22, 8, &["a"]),
            read(3, "s", 1_500_000..1_500_001, &[("a", &[])]),
        ];
        let history = History::new(None, events.to_vec()).expect("a history");
        let story = check(&history, &Scope::promised()).pop().expect("a violation").to_string();
        let right = "read your writes: read 3 (session s at n, 1.500001 s) of \"a\" does not show 7 and 1 more, \
                     from write 1 (session s at n, 0.000020 s): the same session wrote that before";
        assert_eq!(story, right);
    }

    #[test]
    fn what_is_not_promised_is_not_asked_for() {
        let own = write(1, "s", 10..20, 7, &["a"]);
        for other in [
            read(2, "s", 19..30, &[("a", &[])]),
            read(2, "t", 30..40, &[("a", &[])]),
            read(2, "s", 30..40, &[("b", &[])]),
            asking("mr+mw+wfr", read(2, "s", 30..40, &[("a", &[])])),
            read(2, "s", 30..40, &[("a", &[7])]),
        ] {
            assert_eq!(found(check, &[own.clone(), other]), NONE);
        }
        assert_eq!(found(check, &[info(own), read(2, "s", 30..40, &[("a", &[])])]), NONE);
    }
}
