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
    /// The version vector goes to the disk with a later batch than the rows.
    ClocksApart,
    /// What is stamped beyond the limit for clocks takes no effect.
    DropOnSkew,
    /// A restart forgets which operations were applied.
    ForgetActors,
    /// A counter far below the highest seen of its session is ignored when it is applied, not only where it enters.
    WindowOnApply,
    /// A late retry supersedes what its session wrote later.
    LateRetryUndoes,
    /// Peers are sent what they lack in another order than that in which it was applied.
    UnorderedRelay,
    /// When a second copy has the lower stamp, the higher one stays.
    HigherStamp,
    /// The digest is not told what second copies change.
    DigestStale,
    /// Heartbeats say what was applied, on disk or not.
    HeartbeatUnsynced,
    /// Some transactions lose their last effect.
    HalfApplied,
    /// What comes too early is kept without a limit.
    UnboundedBuffer,
    /// Of two decisions about one conflict that did not see each other, the one that comes later takes away what the other
    /// kept, and keeps nothing itself.
    OppositesErase,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::ReuseSequence,
        Self::ApplyTwice,
        Self::ReplyBeforeSync,
        Self::IgnoreDependencies,
        Self::LoseSupersession,
        Self::ClocksApart,
        Self::DropOnSkew,
        Self::ForgetActors,
        Self::WindowOnApply,
        Self::LateRetryUndoes,
        Self::UnorderedRelay,
        Self::HigherStamp,
        Self::DigestStale,
        Self::HeartbeatUnsynced,
        Self::HalfApplied,
        Self::UnboundedBuffer,
        Self::OppositesErase,
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
