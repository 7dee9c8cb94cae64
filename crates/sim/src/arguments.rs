//! The command line of a run.

use anabranch_sim::{Options, Scenario};
use std::num::NonZeroUsize;
use std::time::Duration;

pub(crate) const USAGE: &str = "usage: anabranch-sim [--seed N | --seeds A..B | --seeds A..] [--minutes M] [--scenario swarm|healthy|relay]
                     [--threads N] [--keep-going] [--coverage] [--trace]
  --seeds A..B   A to B - 1; 0..100 when nothing is said; no end when --minutes is said
  --minutes M    begins no further seed after so many minutes
  --threads N    runs so many seeds at once; as many as there are processors when nothing is said
  --keep-going   goes on after a violation
  --coverage     fails when something that should happen never did; always on from 2,000 seeds on
  --trace        prints what happened before a violation
  --shrink       of one seed that fails: leaves out what can be left out, and tells the story of the rest
  --less PARTS   leaves parts of the plan out, as --shrink says them
   or: anabranch-sim check FILE…
exit code: 0 without a violation, 1 with one (or when coverage lacks something), 2 for a wrong command, 130 when stopped";

/// From so many seeds on, what never happened is a failure.
const COVERED_FROM: u64 = 2_000;

pub(crate) struct Arguments {
    pub(crate) from: u64,
    /// Not included; `None` goes on until the time is over.
    pub(crate) to: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) threads: usize,
    pub(crate) options: Options,
    pub(crate) keep_going: bool,
    pub(crate) coverage: bool,
    pub(crate) shrink: bool,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let options = Options::new(Scenario::Swarm);
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (mut seeds, mut time) = (None, None);
        let mut found =
            Self { from: 0, to: None, time, threads, options, keep_going: false, coverage: false, shrink: false };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--seed" => {
                    let seed = number(&value()?)?;
                    seeds = Some((seed, seed.checked_add(1)));
                }
                "--seeds" => seeds = Some(range(&value()?)?),
                "--minutes" => time = Some(minutes(&value()?)?),
                "--threads" => found.threads = usize::try_from(number(&value()?)?.clamp(1, 256)).unwrap_or(1),
                "--scenario" => found.options.scenario = value()?.parse()?,
                "--keep-going" => found.keep_going = true,
                "--coverage" => found.coverage = true,
                "--less" => found.options.less = value()?.parse()?,
                "--shrink" => found.shrink = true,
                "--trace" => found.options.keep_text = true,
                other => return Err(format!("{other} is not known")),
            }
        }
        (found.from, found.to) = seeds.unwrap_or((0, time.is_none().then_some(100)));
        found.time = time;
        if found.to.is_none() && time.is_none() {
            return Err("seeds without an end need --minutes".to_owned());
        }
        if found.shrink && !found.is_single() {
            return Err("--shrink is for one --seed".to_owned());
        }
        if found.to.is_some_and(|to| to <= found.from) {
            return Err("no seeds: the end is not after the beginning".to_owned());
        }
        Ok(found)
    }

    /// Whether there is one seed only, of which more is told.
    pub(crate) fn is_single(&self) -> bool {
        self.to == self.from.checked_add(1)
    }

    /// Whether everything must have happened among so many seeds.
    pub(crate) fn wants_coverage(&self, seeds: u64) -> bool {
        self.coverage || (self.options.scenario == Scenario::Swarm && seeds >= COVERED_FROM)
    }
}

fn range(text: &str) -> Result<(u64, Option<u64>), String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("{text} is not A..B"))?;
    let to = if to.is_empty() { None } else { Some(number(to)?) };
    Ok((number(from)?, to))
}

fn number(text: &str) -> Result<u64, String> {
    text.replace(['_', ','], "").parse().map_err(|_| format!("{text} is not a number"))
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes = text.parse().ok().filter(|minutes: &f64| *minutes > 0.0 && *minutes <= 1e6);
    minutes.map(|minutes| Duration::from_secs_f64(minutes * 60.0)).ok_or_else(|| format!("{text} are no minutes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &str) -> Result<Arguments, String> {
        Arguments::parse(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn seeds_end_where_it_is_said() {
        let ends = |words| parse(words).map(|found| (found.from, found.to));
        assert_eq!(ends(""), Ok((0, Some(100))));
        assert_eq!(ends("--seed 7"), Ok((7, Some(8))));
        assert_eq!(ends("--seeds 5..5_000"), Ok((5, Some(5_000))));
        assert_eq!(ends("--minutes 0.5"), Ok((0, None)));
        assert_eq!(ends("--seeds 9.. --minutes 3"), Ok((9, None)));
        for wrong in ["--seeds 5", "--seeds 5..5", "--seeds 5..", "--seed", "--minutes 0", "--unknown"] {
            assert!(ends(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn large_batches_want_everything_to_happen() {
        let arguments = parse("--seeds 0..5000").expect("arguments");
        assert!(arguments.wants_coverage(2_000) && !arguments.wants_coverage(1_999));
        assert!(parse("--coverage").expect("arguments").wants_coverage(1));
    }
}
