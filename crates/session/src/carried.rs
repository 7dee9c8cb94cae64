//! One of a session's two vectors, kept short.

use anabranch_causality::{Dot, Token, VersionVector};

/// How many origins a vector may name beyond those of the last answer that covered it.
const SLACK: usize = 16;

/// A vector that grows with what it is told, until an answer that covers all of it takes its place.
///
/// Every start of a leader is a new origin. A vector that is only joined would name all of them; an answer's token leaves
/// out what newer origins imply, but only for the vectors that were sent.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    token: Token,
    limit: usize,
}

/// Two that ask for the same are the same, whatever they may grow to.
impl PartialEq for Carried {
    fn eq(&self, other: &Self) -> bool {
        self.token == other.token
    }
}

impl Eq for Carried {}

impl Carried {
    pub(crate) fn new(token: Token) -> Self {
        let limit = origins(&token) + SLACK;
        Self { token, limit }
    }

    pub(crate) fn token(&self) -> &Token {
        &self.token
    }

    /// Names so many origins that it should be sent whatever the guarantees, so that the answer can take its place.
    pub(crate) fn is_long(&self) -> bool {
        origins(&self.token) > self.limit
    }

    pub(crate) fn join(&mut self, token: &Token) {
        self.token.join(token);
    }

    pub(crate) fn add(&mut self, dot: Dot) {
        let one: VersionVector = [(dot.origin, dot.seq)].into_iter().collect();
        self.token.join_vector(dot.shard, &one);
    }

    /// Takes in the token of an answer to a request that carried `sent`. It covers `sent`: if that is all there was, it
    /// replaces it.
    pub(crate) fn take(&mut self, sent: &Token, answered: &Token) {
        if covers(sent, &self.token) { *self = Self::new(answered.clone()) } else { self.join(answered) }
    }

    /// As [`Carried::take`], but only to become short again.
    pub(crate) fn shorten(&mut self, sent: &Token, answered: &Token) {
        if self.is_long() && covers(sent, &self.token) {
            *self = Self::new(answered.clone());
        }
    }
}

/// Whether `token` names at least all that `other` does. Says no when only lineage could tell.
pub(crate) fn covers(token: &Token, other: &Token) -> bool {
    other.iter().all(|(shard, asked)| token.vector(shard).is_some_and(|vector| vector.covers(asked)))
}

/// How many origins a token names.
pub(crate) fn origins(token: &Token) -> usize {
    token.iter().map(|(_, vector)| vector.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_causality::{Origin, ShardId};

    fn token(entries: &[(u64, u64)]) -> Token {
        Token::of(ShardId(0), entries.iter().map(|(origin, seq)| (Origin(*origin), *seq)).collect())
    }

    #[test]
    fn an_answer_replaces_what_was_sent() {
        let mut carried = Carried::new(token(&[(1, 10)]));
        carried.take(&token(&[(1, 10)]), &token(&[(2, 1)]));
        assert_eq!(carried.token(), &token(&[(2, 1)]), "origin 2 continues origin 1");
    }

    #[test]
    fn an_answer_joins_what_was_not_sent() {
        let mut carried = Carried::new(token(&[(1, 10)]));
        carried.take(&token(&[(1, 9)]), &token(&[(2, 1)]));
        assert_eq!(carried.token(), &token(&[(1, 10), (2, 1)]));
        carried.take(&Token::new(), &token(&[(3, 1)]));
        assert_eq!(carried.token(), &token(&[(1, 10), (2, 1), (3, 1)]));
    }

    #[test]
    fn covering_looks_at_every_shard() {
        let mut both = token(&[(1, 1)]);
        both.join(&Token::of(ShardId(1), [(Origin(1), 1)].into_iter().collect()));
        assert!(covers(&both, &token(&[(1, 1)])) && covers(&both, &Token::new()));
        assert!(!covers(&token(&[(1, 1)]), &both));
    }
}
