//! Writes follow reads: who sees an answer can see its question.
//!
//! For a write `w2` that asked for it, each answered read of its session that ended before it began, and each write `w1` which
//! that read showed, or which must be visible wherever that one is by this same rule: judged is every answered read that shows
//! `w2`, whoever reads and whatever they asked for, since a read is of one causal cut; and every answered read that asked for
//! monotonic reads, of a session that was shown `w2` before. If such a read covers a key of `w1`, it must show `w1`.

use super::flow::Flow;
use super::history::History;
use super::scope::Scope;
use super::violation::Violation;

/// Checks it. At most one violation per read.
#[must_use]
pub fn check(history: &History, scope: &Scope) -> Vec<Violation> {
    let none = Flow::none("writes follow reads");
    Flow { read_to_writes: true, read_to_reads: true, with_past: true, past_only: true, ..none }.check(history, scope)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::histories::Event;
    use crate::histories::example::{NONE, asking, eventual, found, read, write};

    /// A question, and a session that sees it and answers.
    fn after(answer: &Event, reads: &[Event]) -> Vec<u64> {
        let question = eventual(write(1, "q", 10..20, 7, &["questions"]));
        let saw = eventual(read(2, "w", 30..40, &[("questions", &[7])]));
        found(check, &[&[question, saw, answer.clone()], reads].concat())
    }

    #[test]
    fn an_answer_without_its_question_is_found() {
        let answer = asking("wfr", write(3, "w", 40..50, 8, &["answers"]));
        let both = eventual(read(4, "r", 60..70, &[("answers", &[8]), ("questions", &[])]));
        assert_eq!(after(&answer, &[both]), [4], "within one cut, whatever was asked for");
        let saw = eventual(read(4, "r", 60..70, &[("answers", &[8])]));
        assert_eq!(after(&answer, &[saw, asking("mr", read(5, "r", 70..80, &[("questions", &[])]))]), [5]);
    }

    #[test]
    fn questions_of_questions_belong_to_it() {
        let answer = write(3, "w", 40..50, 8, &["answers"]);
        let more = [read(4, "v", 60..70, &[("answers", &[8])]), write(5, "v", 70..80, 9, &["thanks"])];
        let lacking = read(6, "r", 90..99, &[("thanks", &[9]), ("questions", &[])]);
        assert_eq!(after(&answer, &[more.as_slice(), &[lacking]].concat()), [6]);
    }

    #[test]
    fn what_is_not_promised_is_not_asked_for() {
        let answer = asking("wfr", write(3, "w", 40..50, 8, &["answers"]));
        let reads = [read(4, "r", 60..70, &[("answers", &[8])]), read(5, "r", 70..80, &[("questions", &[])])];
        assert_eq!(after(&asking("ryw+mr+mw", answer.clone()), &reads), NONE);
        assert_eq!(after(&asking("wfr", write(3, "w", 39..50, 8, &["answers"])), &reads), NONE, "at the same time");
        assert_eq!(after(&asking("wfr", write(3, "v", 40..50, 8, &["answers"])), &reads), NONE, "another session");
        let earlier = [reads[0].clone(), asking("ryw+mw+wfr", reads[1].clone())];
        assert_eq!(after(&answer, &earlier), NONE, "an earlier cut");
    }
}
