//! Less of a run: parts of its plan switched off, so that what fails can be told in few events.

use crate::plan::{Fault, Plan};
use crate::{Options, Violation};
use std::fmt;
use std::str::FromStr;

/// A part of a plan, by name, and how it is switched off.
type Part = (&'static str, fn(&mut Plan));

const PARTS: [Part; 31] = [
    ("loss", |plan| plan.loss = 0),
    ("duplication", |plan| plan.duplication = 0),
    ("reordering", |plan| plan.reordering = 0),
    ("slow-links", |plan| plan.slow_link = 0),
    ("late-dials", |plan| plan.late_dial = 0),
    ("lost-requests", |plan| plan.lose_requests = 0),
    ("lost-replies", |plan| plan.lose_replies = 0),
    ("other-leaders", |plan| plan.elsewhere = 0),
    ("late-retries", |plan| plan.late = 0),
    ("echoes", |plan| plan.echo = 0),
    ("joins", |plan| plan.joins.clear()),
    ("old-builds", |plan| (plan.builds, plan.novel) = Default::default()),
    ("days", |plan| plan.days = 0),
    ("travellers", |plan| plan.travel.travellers = 1),
    ("several", |plan| plan.several = 0),
    ("drops", |plan| plan.without(Fault::Drop)),
    ("cut-pairs", |plan| plan.without(Fault::CutPair)),
    ("one-way-cuts", |plan| plan.without(Fault::CutOneWay)),
    ("isolation", |plan| plan.without(Fault::Isolate)),
    ("crashes", |plan| plan.without(Fault::Crash)),
    ("roll-backs", |plan| plan.without(Fault::RollBack)),
    ("store-faults", |plan| plan.without(Fault::Store)),
    ("clocks", |plan| plan.without(Fault::Clock)),
    ("halves", |plan| plan.without(Fault::Halves)),
    ("rings", |plan| plan.without(Fault::Ring)),
    ("flaps", |plan| plan.without(Fault::Flap)),
    ("clogs", |plan| plan.without(Fault::Clog)),
    ("away", |plan| plan.without(Fault::Away)),
    ("slow-nodes", |plan| plan.without(Fault::Slow)),
    ("full-disks", |plan| plan.without(Fault::Full)),
    ("clones", |plan| plan.clone_ms = None),
];

/// What is left out of a run. As text: names of parts, `operations=N`, `ms=N`, with commas between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Less {
    /// One bit per part.
    parts: u32,
    /// At most so many requests.
    operations: Option<u64>,
    /// Clients and faults end after so many virtual milliseconds.
    active_ms: Option<u64>,
}

impl Less {
    pub(crate) fn apply(&self, plan: &mut Plan) {
        for (bit, (_, switch_off)) in PARTS.iter().enumerate() {
            if self.parts >> bit & 1 == 1 {
                switch_off(plan);
            }
        }
        let operations = self.operations.and_then(|operations| usize::try_from(operations).ok());
        plan.operations = operations.map_or(plan.operations, |most| plan.operations.min(most));
        plan.travel.calls = operations.map_or(plan.travel.calls, |most| plan.travel.calls.min(most));
        plan.active_ms = self.active_ms.map_or(plan.active_ms, |most| plan.active_ms.min(most));
    }

    /// What one step less could be.
    fn steps(&self) -> Vec<Self> {
        let whole = (0..PARTS.len()).filter(|bit| self.parts >> bit & 1 == 0);
        let mut steps: Vec<Self> = whole.map(|bit| Self { parts: self.parts | 1 << bit, ..*self }).collect();
        let (operations, active_ms) = (self.operations.unwrap_or(400), self.active_ms.unwrap_or(25_000));
        for (numerator, denominator) in [(1, 2), (9, 10)] {
            steps.push(Self { operations: Some(operations * numerator / denominator), ..*self });
            steps.push(Self { active_ms: Some(active_ms * numerator / denominator), ..*self });
        }
        steps
    }
}

/// Leaves out of a failing run what can be left out: what is left fails in the same way, see [`Violation::is_like`]. `None` when it
/// does not fail.
#[must_use]
pub fn shrink(seed: u64, options: Options) -> Option<(Options, Violation)> {
    let quiet = Options { keep_text: false, ..options };
    let first = crate::run(seed, quiet).err()?;
    let mut least = quiet;
    while let Some(less) = least.less.steps().into_iter().find(|less| {
        let is_less = *less != least.less;
        is_less && crate::run(seed, Options { less: *less, ..quiet }).is_err_and(|found| found.is_like(&first))
    }) {
        least.less = less;
    }
    let told = Options { keep_text: true, ..least };
    let violation = crate::run(seed, told).err()?;
    Some((least, violation))
}

impl fmt::Display for Less {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let off = PARTS.iter().enumerate().filter(|(bit, _)| self.parts >> bit & 1 == 1);
        let mut words: Vec<String> = off.map(|(_, (name, _))| (*name).to_owned()).collect();
        words.extend(self.operations.map(|most| format!("operations={most}")));
        words.extend(self.active_ms.map(|most| format!("ms={most}")));
        f.write_str(&words.join(","))
    }
}

impl FromStr for Less {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut less = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            let number = |text: &str| text.parse().map_err(|_| format!("{text} is not a number"));
            match word.split_once('=') {
                Some(("operations", most)) => less.operations = Some(number(most)?),
                Some(("ms", most)) => less.active_ms = Some(number(most)?),
                _ => {
                    let bit = PARTS.iter().position(|(name, _)| *name == word);
                    less.parts |= 1 << bit.ok_or_else(|| format!("{word} is no part of a plan"))?;
                }
            }
        }
        Ok(less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_text_comes_back() {
        let text = "loss,crashes,full-disks,operations=20,ms=1500";
        let less: Less = text.parse().expect("parts");
        assert_eq!(less.to_string(), text);
        assert_eq!("".parse(), Ok(Less::default()));
        assert!("gravity".parse::<Less>().is_err() && "ms=soon".parse::<Less>().is_err());
    }
}
