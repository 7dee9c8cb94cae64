//! Planted bugs, to prove that the simulator's checkers bite. Compiled in only with the feature `mutants`.

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A restart goes on under the last origin it finds on disk, so that a rolled-back disk reuses sequence numbers.
    ReuseSequence,
    /// A transaction that arrives again is applied again.
    ApplyTwice,
    /// Replies do not wait for the disk.
    ReplyBeforeSync,
    /// Dependencies are not waited for.
    IgnoreDependencies,
    /// What a remote transaction supersedes is kept.
    LoseSupersession,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ReuseSequence,
        Self::ApplyTwice,
        Self::ReplyBeforeSync,
        Self::IgnoreDependencies,
        Self::LoseSupersession,
    ];
}

/// The planted bug of one engine, if any; a constant `None` in ordinary builds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Planted {
    #[cfg(feature = "mutants")]
    mutant: Option<Mutant>,
}

impl Planted {
    /// No bug.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// That bug.
    #[cfg(feature = "mutants")]
    #[must_use]
    pub fn bug(mutant: Mutant) -> Self {
        Self { mutant: Some(mutant) }
    }

    /// Whether that bug is planted.
    #[cfg(feature = "mutants")]
    pub(crate) fn is(self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether that bug is planted: never, in this build.
    #[cfg(not(feature = "mutants"))]
    pub(crate) fn is(self, _: Mutant) -> bool {
        false
    }
}
