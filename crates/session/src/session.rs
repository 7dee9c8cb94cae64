//! What a session has read and written, and what its next call must wait for.

use crate::carried::Carried;
use crate::guarantees::Guarantees;
use anabranch_causality::{Dot, SessionId, Token};

/// What a session carries: two vectors kept apart, as in Bayou, and its count of operations.
///
/// | guarantee | vector waited for | by |
/// |---|---|---|
/// | read your writes | written | reads |
/// | monotonic reads | read | reads |
/// | monotonic writes | written | writes |
/// | writes follow reads | read | writes |
///
/// Both vectors are kept whatever the guarantees, so that a call may ask for more than the one before it. Neither grows
/// with every start of a leader: one that names 16 origins more than the last answer that covered it is sent along
/// even when nobody asked for it, and the answer takes its place. That waits for more, never for less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    pub(crate) id: SessionId,
    pub(crate) counter: u64,
    pub(crate) guarantees: Guarantees,
    pub(crate) read: Carried,
    pub(crate) written: Carried,
}

/// A write that begins: what to send with every attempt of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The session's count of this operation.
    pub counter: u64,
    /// What the replica must have before it writes.
    pub token: Token,
}

impl SessionState {
    /// A session that has read and written nothing. The id must be new: it and the counter name the session's writes.
    #[must_use]
    pub fn new(id: SessionId, guarantees: Guarantees) -> Self {
        let nothing = || Carried::new(Token::new());
        Self { id, counter: 0, guarantees, read: nothing(), written: nothing() }
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// The counter of the last write that began; 0 before the first.
    #[must_use]
    pub fn counter(&self) -> u64 {
        self.counter
    }

    /// What its calls ask for unless they say otherwise.
    #[must_use]
    pub fn guarantees(&self) -> Guarantees {
        self.guarantees
    }

    /// Its calls ask for this from now on, unless they say otherwise.
    pub fn set_guarantees(&mut self, guarantees: Guarantees) {
        self.guarantees = guarantees;
    }

    /// All that it has read and written: what to hand to whoever goes on.
    #[must_use]
    pub fn token(&self) -> Token {
        let mut token = self.read.token().clone();
        token.join(self.written.token());
        token
    }

    /// Goes on from a token that was handed over. It counts as read.
    pub fn join(&mut self, token: &Token) {
        self.read.join(token);
    }

    /// What a read must wait for.
    #[must_use]
    pub fn token_for_read(&self, guarantees: Guarantees) -> Token {
        self.attach(guarantees.monotonic_reads, guarantees.read_your_writes)
    }

    /// What a write must wait for.
    #[must_use]
    pub fn token_for_write(&self, guarantees: Guarantees) -> Token {
        self.attach(guarantees.writes_follow_reads, guarantees.monotonic_writes || self.written.is_long())
    }

    fn attach(&self, read: bool, written: bool) -> Token {
        let mut token = Token::new();
        if read || self.read.is_long() {
            token.join(self.read.token());
        }
        if written {
            token.join(self.written.token());
        }
        token
    }

    /// Begins a write: all its attempts carry this counter and this token.
    pub fn begin_write(&mut self, guarantees: Guarantees) -> Begun {
        self.counter = self.counter.saturating_add(1);
        Begun { counter: self.counter, token: self.token_for_write(guarantees) }
    }

    /// Begins to repeat a write whose answer was lost, or a write under a counter of the caller's own. Later writes
    /// get higher counters.
    pub fn repeat_write(&mut self, counter: u64, guarantees: Guarantees) -> Begun {
        self.counter = self.counter.max(counter);
        Begun { counter, token: self.token_for_write(guarantees) }
    }

    /// Takes note of a read: what was sent with it, and the token of its answer. The answer's token covers both what was
    /// sent and what was shown.
    pub fn note_read(&mut self, sent: &Token, answered: &Token) {
        self.read.take(sent, answered);
        self.written.shorten(sent, answered);
    }

    /// Takes note of a write that is done: its dot, what was sent with it, the token of its answer, and whether the answer
    /// showed a value (which then was read).
    pub fn note_written(&mut self, dot: Dot, sent: &Token, answered: &Token, showed_value: bool) {
        self.written.shorten(sent, answered);
        self.written.add(dot);
        if showed_value {
            self.read.take(sent, answered);
        } else {
            self.read.shorten(sent, answered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carried::origins;
    use anabranch_causality::{Origin, ShardId};

    fn session() -> SessionState {
        let id = "019293a4-b5c6-7d7e-8f80-010203040506".parse().expect("a v7 id");
        SessionState::new(id, Guarantees::ALL)
    }

    fn token(entries: &[(u64, u64)]) -> Token {
        Token::of(ShardId(0), entries.iter().map(|(origin, seq)| (Origin(*origin), *seq)).collect())
    }

    fn dot(origin: u64, seq: u64) -> Dot {
        Dot { shard: ShardId(0), origin: Origin(origin), seq }
    }

    /// A session that read origin 1 and wrote at origin 2.
    fn used() -> SessionState {
        let mut session = session();
        session.note_read(&Token::new(), &token(&[(1, 5)]));
        session.note_written(dot(2, 7), &token(&[(1, 5)]), &token(&[(1, 9), (2, 7)]), false);
        session
    }

    #[test]
    fn each_guarantee_attaches_its_vector_to_its_calls() {
        let (read, written) = (token(&[(1, 5)]), token(&[(2, 7)]));
        let session = used();
        let only = Guarantees::NONE;
        let reads = |guarantees| session.token_for_read(guarantees);
        let writes = |guarantees| session.token_for_write(guarantees);
        assert_eq!(reads(only.read_your_writes(true)), written);
        assert_eq!(reads(only.monotonic_reads(true)), read);
        assert_eq!(reads(only.monotonic_writes(true).writes_follow_reads(true)), Token::new());
        assert_eq!(writes(only.monotonic_writes(true)), written);
        assert_eq!(writes(only.writes_follow_reads(true)), read);
        assert_eq!(writes(only.read_your_writes(true).monotonic_reads(true)), Token::new());
        assert_eq!(reads(Guarantees::ALL), token(&[(1, 5), (2, 7)]));
        assert_eq!(writes(Guarantees::ALL), reads(Guarantees::ALL));
    }

    #[test]
    fn what_a_write_showed_was_read() {
        let mut session = session();
        session.note_written(dot(2, 7), &Token::new(), &token(&[(1, 9), (2, 7)]), true);
        assert_eq!(session.token_for_read(Guarantees::NONE.monotonic_reads(true)), token(&[(1, 9), (2, 7)]));
        assert_eq!(session.token_for_read(Guarantees::NONE.read_your_writes(true)), token(&[(2, 7)]));
    }

    #[test]
    fn what_is_handed_over_counts_as_read() {
        let mut session = used();
        session.join(&token(&[(3, 1)]));
        assert_eq!(session.token_for_write(Guarantees::NONE.writes_follow_reads(true)), token(&[(1, 5), (3, 1)]));
        assert_eq!(session.token(), token(&[(1, 5), (2, 7), (3, 1)]));
    }

    #[test]
    fn an_answer_takes_the_place_of_what_was_sent() {
        let mut session = session();
        session.note_read(&Token::new(), &token(&[(1, 5)]));
        let sent = session.token_for_read(Guarantees::ALL);
        session.note_read(&sent, &token(&[(2, 1)]));
        assert_eq!(session.token(), token(&[(2, 1)]), "origin 2 implies origin 1: the server says so");
    }

    #[test]
    fn an_answer_to_an_older_question_is_joined() {
        let mut session = session();
        let sent = session.token_for_read(Guarantees::ALL);
        session.note_read(&sent, &token(&[(1, 5)]));
        session.note_read(&sent, &token(&[(2, 1)]));
        assert_eq!(session.token(), token(&[(1, 5), (2, 1)]));
        let eventual = session.token_for_read(Guarantees::NONE);
        session.note_read(&eventual, &token(&[(3, 1)]));
        assert_eq!(session.token(), token(&[(1, 5), (2, 1), (3, 1)]), "nothing was sent, so nothing is covered");
    }

    #[test]
    fn counters_are_never_given_twice() {
        let mut session = session();
        assert_eq!(session.begin_write(Guarantees::ALL).counter, 1);
        assert_eq!(session.repeat_write(1, Guarantees::ALL).counter, 1);
        assert_eq!(session.begin_write(Guarantees::ALL).counter, 2);
        assert_eq!(session.repeat_write(9, Guarantees::ALL).counter, 9);
        assert_eq!(session.begin_write(Guarantees::ALL).counter, 10);
        assert_eq!(session.counter(), 10);
    }

    #[test]
    fn a_leader_that_restarts_all_the_time_makes_no_long_tokens() {
        for guarantees in [Guarantees::ALL, Guarantees::NONE] {
            let mut session = session();
            for origin in 1..1_000 {
                let begun = session.begin_write(guarantees);
                session.note_written(dot(origin, 1), &begun.token, &token(&[(origin, 1)]), origin % 2 == 0);
                let sent = session.token_for_read(guarantees);
                session.note_read(&sent, &token(&[(origin, 1)]));
                assert!(origins(&session.token()) <= 2 * 18, "{} origins", origins(&session.token()));
            }
        }
    }

    #[test]
    fn a_cluster_of_many_origins_is_not_taken_for_a_long_vector() {
        let many: Vec<(u64, u64)> = (1..=300).map(|origin| (origin, 1)).collect();
        let mut session = session();
        session.note_read(&Token::new(), &token(&many));
        assert_eq!(session.token_for_read(Guarantees::NONE), Token::new(), "eventual stays eventual");
    }
}
