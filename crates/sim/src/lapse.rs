//! Bugs planted in how simulated nodes and clients treat tokens, and in resolvers, to prove that the checkers bite. Compiled in
//! only with the feature `mutants`.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Reads are answered at once, whatever their token names.
    ReadsDoNotWait,
    /// Writes are sequenced at once, whatever their token names.
    WritesDoNotWait,
    /// An answer's token is that of the request: it does not cover what the answer shows.
    TokensLackWhatWasShown,
    /// A client that asks again leaves the token out.
    AskedAgainWithoutToken,
    /// Of two versions of one moment, `lww` shows the one that came first.
    TiesByArrival,
    /// An add to a set adds nothing when the member is there already.
    AddsPreparedAway,
    /// A decision takes away what is not kept, and leaves what is kept as it is, instead of adding it anew: then two opposite
    /// ones take away everything.
    DecisionsAddNothing,
    /// When the updates of a text are merged, the last one is forgotten.
    MergesForget,
}

/// The planted bug of a run, if any; a constant `None` in ordinary builds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lapse {
    #[cfg(feature = "mutants")]
    bug: Option<Bug>,
}

impl Lapse {
    /// No bug.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// That bug.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn planted(bug: Bug) -> Self {
        Self { bug: Some(bug) }
    }

    /// Whether that bug is planted.
    #[cfg(feature = "mutants")]
    pub(crate) fn is(self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether that bug is planted: never, in this build.
    #[cfg(not(feature = "mutants"))]
    pub(crate) fn is(self, _: Bug) -> bool {
        false
    }
}
