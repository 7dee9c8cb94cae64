//! What came of an attempt, and of a call.

/// Why one attempt brought no answer that ends the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It never left: it had no effect.
    NotSent,
    /// It left, and no answer came: a write may or may not have taken effect.
    Lost,
    /// The replica waited and did not get what the token names. It had no effect.
    TokenNotReached,
    /// The replica is further behind than the call allows.
    Stale,
    /// The replica cannot answer now. It had no effect.
    NotReady,
    /// The replica takes no writes now. It had no effect.
    NotWritable,
    /// The replica has too much to do. It had no effect.
    Busy {
        /// It asks to be left alone for this long.
        retry_after_ms: u64,
    },
    /// A definite no, which another replica would say as well. This attempt had no effect.
    Refused,
}

impl Failure {
    /// How much it tells of why a call failed: of several failures the verdict names the one that tells the most.
    #[must_use]
    pub fn tells(self) -> u8 {
        match self {
            Self::NotSent => 0,
            Self::Lost => 1,
            Self::NotReady => 2,
            Self::NotWritable => 3,
            Self::Busy { .. } => 4,
            Self::Stale => 5,
            Self::TokenNotReached => 6,
            Self::Refused => 7,
        }
    }
}

/// How a call ended that got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A definite no.
    Refused {
        /// An earlier attempt was lost, and may still have taken effect: the refusal does not speak for it.
        earlier_unknown: bool,
    },
    /// An attempt was lost, and may have taken effect. Repeating it under its operation id tells, and does no harm.
    Unknown,
    /// Surely nothing took effect; why, as far as it is known. A read that was lost is also this.
    NoEffect(Failure),
}
