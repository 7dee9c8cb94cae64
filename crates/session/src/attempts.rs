//! One call: from its first attempt to its verdict.

use crate::choice::{Purpose, Want};
use crate::fleet::Fleet;
use crate::outcome::{Failure, Verdict};
use anabranch_causality::{SessionId, Token, hash64};
use std::collections::BTreeMap;

/// A replica is asked again after this long at the soonest, then twice as long each time.
const FIRST_PAUSE_MS: u64 = 25;
const LONGEST_PAUSE_MS: u64 = 400;
/// How long an answer may take beyond what the replica was told to wait, before the attempt is given up: time for passing
/// the call on to another replica.
const PATIENCE_MS: u64 = 500;
/// How long before an attempt is given up the replica stops waiting, so that its answer arrives.
const MARGIN_MS: u64 = 100;

/// What a call asks for. All its attempts ask for the same, however the session goes on meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Whose call it is.
    pub session: SessionId,
    /// What it is for.
    pub purpose: Purpose,
    /// What the replica must have applied.
    pub token: Token,
    /// How far behind the replica may be, in milliseconds; `None` for no matter.
    pub max_lag_ms: Option<u64>,
    /// How long each replica may wait, for the token and for acknowledgements.
    pub wait_ms: u64,
    /// When the call is over, whatever came of it.
    pub deadline_ms: u64,
    /// Whether it may be sent again after an attempt was lost: reads always, writes with an operation id.
    pub repeatable: bool,
    /// Whether a read that is late may be asked of another replica as well.
    pub hedge: bool,
    /// The only replica to ask; `None` for whichever is best.
    pub only: Option<String>,
}

/// One attempt to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskOne {
    /// Whom to ask.
    pub replica: String,
    /// How long it may wait, in milliseconds.
    pub wait_ms: u64,
    /// When to give up on it: report [`Failure::Lost`] then, if it was sent.
    pub give_up_ms: u64,
    /// After how many microseconds without an answer to call [`Attempts::hedge`]; `None` for never.
    pub hedge_after_micros: Option<u64>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this replica.
    Ask(AskOne),
    /// An attempt is under way: wait for what comes of it.
    Await,
    /// Nobody can be asked before then.
    Pause {
        /// When to go on.
        until_ms: u64,
    },
    /// The call is over without an answer.
    Stop(Verdict),
}

/// The attempts of one call. Ask [`Attempts::next`] what to do; report what came of it with [`Attempts::failed`]. An
/// answer ends the call: there is nothing to report then.
///
/// Each replica is asked once before any is asked again. A replica that said that it does not get what the token names, or that
/// it is too far behind, has waited as long as the call allows and is not asked again.
#[derive(Clone, Debug)]
pub struct Attempts {
    terms: Terms,
    asked: BTreeMap<String, Asked>,
    under_way: Vec<String>,
    hedged: bool,
    lost: bool,
    refused: bool,
    behind: bool,
    reason: Failure,
}

/// What one replica was asked in this call.
#[derive(Clone, Debug, Default)]
struct Asked {
    times: u32,
    not_before_ms: u64,
}

impl Attempts {
    /// A call that begins.
    #[must_use]
    pub fn new(terms: Terms) -> Self {
        Self {
            terms,
            asked: BTreeMap::new(),
            under_way: Vec::new(),
            hedged: false,
            lost: false,
            refused: false,
            behind: false,
            reason: Failure::NotSent,
        }
    }

    /// What every attempt asks for.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// What to do now.
    pub fn next(&mut self, fleet: &Fleet, now_ms: u64) -> Step {
        if let Some(verdict) = self.verdict(now_ms) {
            return Step::Stop(verdict);
        }
        if !self.under_way.is_empty() {
            return Step::Await;
        }
        let candidates = self.candidates(fleet, now_ms);
        let again = |name: &String| self.asked.get(name).map_or(0, |asked| asked.not_before_ms);
        if let Some(replica) = candidates.iter().find(|name| again(name) <= now_ms) {
            return Step::Ask(self.ask(replica.clone(), fleet, now_ms));
        }
        match candidates.iter().map(again).min() {
            Some(until_ms) if until_ms < self.terms.deadline_ms => Step::Pause { until_ms },
            _ => Step::Stop(self.without_answer()),
        }
    }

    /// An attempt that is late: whom to ask as well, if anybody. Only reads, only once, and only a replica that
    /// is known to answer at once.
    pub fn hedge(&mut self, fleet: &Fleet, now_ms: u64) -> Option<AskOne> {
        if !self.may_hedge() || self.under_way.len() != 1 || now_ms >= self.terms.deadline_ms {
            return None;
        }
        let asked: Vec<&str> = self.asked.keys().map(String::as_str).collect();
        let replica = fleet.hedge_candidate(&self.want(), &asked, now_ms)?.to_owned();
        self.hedged = true;
        Some(self.ask(replica, fleet, now_ms))
    }

    /// Takes note of what came of the attempt at a replica.
    pub fn failed(&mut self, replica: &str, failure: Failure, now_ms: u64) {
        self.under_way.retain(|name| name != replica);
        self.lost |= failure == Failure::Lost;
        self.refused |= failure == Failure::Refused;
        self.behind |= matches!(failure, Failure::TokenNotReached | Failure::Stale);
        if failure.tells() >= self.reason.tells() {
            self.reason = failure;
        }
        let pause = self.pause(replica);
        let asked = self.asked.entry(replica.to_owned()).or_default();
        asked.not_before_ms = match failure {
            Failure::TokenNotReached | Failure::Stale => u64::MAX,
            Failure::Busy { retry_after_ms } => now_ms.saturating_add(pause.max(retry_after_ms)),
            _ => now_ms.saturating_add(pause),
        };
    }

    fn verdict(&self, now_ms: u64) -> Option<Verdict> {
        let writes = self.terms.purpose == Purpose::Write;
        if self.refused {
            return Some(Verdict::Refused { earlier_unknown: self.lost && writes });
        }
        let is_over = now_ms >= self.terms.deadline_ms;
        (is_over || (self.lost && !self.terms.repeatable)).then(|| self.without_answer())
    }

    fn without_answer(&self) -> Verdict {
        // What is still under way may take effect as well as what was lost.
        let open = !self.under_way.is_empty();
        match self.terms.purpose {
            Purpose::Write if self.lost || open => Verdict::Unknown,
            _ if open && self.reason == Failure::NotSent => Verdict::NoEffect(Failure::Lost),
            _ => Verdict::NoEffect(self.reason),
        }
    }

    /// The best first: those asked least often; then, once a replica was behind, those known not to be.
    fn candidates(&self, fleet: &Fleet, now_ms: u64) -> Vec<String> {
        if let Some(only) = &self.terms.only {
            return vec![only.clone()];
        }
        let mut names = fleet.candidates(&self.want(), now_ms);
        let times = |name: &str| self.asked.get(name).map_or(0, |asked| asked.times);
        names.sort_by_key(|name| (times(name), self.behind && !fleet.satisfies(name, &self.terms.token)));
        names.into_iter().map(str::to_owned).collect()
    }

    fn ask(&mut self, replica: String, fleet: &Fleet, now_ms: u64) -> AskOne {
        let round_trip_ms = fleet.get(&replica).and_then(|known| known.round_trip_micros()).unwrap_or(0) / 1_000;
        let budget = self.budget(&replica, fleet, now_ms);
        let patience = PATIENCE_MS.saturating_add(round_trip_ms.saturating_mul(4));
        let allowed = self.terms.wait_ms.saturating_add(patience).min(budget);
        let margin = MARGIN_MS.saturating_add(round_trip_ms.saturating_mul(2)).min(allowed / 2);
        let late = fleet.hedge_after_micros(&replica);
        let ask = AskOne {
            wait_ms: self.terms.wait_ms.min(allowed - margin),
            give_up_ms: now_ms + allowed,
            hedge_after_micros: late.filter(|_| self.may_hedge()),
            replica,
        };
        self.asked.entry(ask.replica.clone()).or_default().times += 1;
        self.under_way.push(ask.replica.clone());
        ask
    }

    /// The most time for one attempt: what is left, or half of it while others have not been asked.
    fn budget(&self, replica: &str, fleet: &Fleet, now_ms: u64) -> u64 {
        let left = self.terms.deadline_ms.saturating_sub(now_ms);
        let others = |(name, _): (&str, _)| name != replica && !self.asked.contains_key(name);
        if self.terms.only.is_none() && fleet.iter().any(others) { left.div_ceil(2) } else { left }
    }

    fn may_hedge(&self) -> bool {
        self.terms.purpose == Purpose::Read && self.terms.hedge && self.terms.only.is_none() && !self.hedged
    }

    fn want(&self) -> Want<'_> {
        let Terms { session, purpose, token, max_lag_ms, .. } = &self.terms;
        Want { session: *session, purpose: *purpose, token, max_lag_ms: *max_lag_ms }
    }

    /// Between half a pause and a whole one, drawn from the session's id, so that sessions that lost the same replica do
    /// not all come back at once.
    fn pause(&self, replica: &str) -> u64 {
        let times = self.asked.get(replica).map_or(1, |asked| asked.times.max(1));
        let whole = (FIRST_PAUSE_MS << (times - 1).min(10)).min(LONGEST_PAUSE_MS);
        let drawn = hash64("anabranch pause 1", &[&self.terms.session.0, replica.as_bytes(), &times.to_le_bytes()]);
        whole / 2 + drawn % (whole - whole / 2 + 1)
    }
}

#[cfg(test)]
mod tests;
