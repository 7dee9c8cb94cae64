//! Runs seeds, says how it goes, and ends with what happened and where to go on.

use crate::arguments::{Arguments, USAGE};
use crate::batch::{Batch, Outcome};
use anabranch_sim::{Coverage, Violation};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// So often it is said how it goes.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// Stopped from outside, as shells say it.
const STOPPED: u8 = 130;

/// Runs them; the exit code.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<u8, String> {
    let arguments = Arguments::parse(words).map_err(|error| format!("{error}\n{USAGE}"))?;
    if arguments.shrink {
        return tell(&arguments).map_err(|error| error.to_string());
    }
    let stopped = stop_when_asked()?;
    run_all(&arguments, &stopped).map_err(|error| error.to_string())
}

/// Shrinks one seed, and tells what is left of it.
fn tell(arguments: &Arguments) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    let Some((least, violation)) = anabranch_sim::shrink(arguments.from, arguments.options) else {
        writeln!(out, "seed {} does not fail", arguments.from)?;
        return Ok(0);
    };
    write!(out, "{}", violation.story())?;
    writeln!(out, "left out: {}\n{violation}", least.less)?;
    Ok(1)
}

/// The first Ctrl-C lets the seeds that run end, the second ends the process.
fn stop_when_asked() -> Result<Arc<AtomicBool>, String> {
    let stopped = Arc::new(AtomicBool::new(false));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
    let runtime = runtime.map_err(|error| format!("signals cannot be heard: {error}"))?;
    let told = Arc::clone(&stopped);
    std::thread::spawn(move || {
        runtime.block_on(async {
            if tokio::signal::ctrl_c().await.is_ok() {
                told.store(true, Ordering::Relaxed);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(STOPPED));
            }
        });
    });
    Ok(stopped)
}

/// How it goes.
struct Tally {
    began: Instant,
    said: Instant,
    seeds: u64,
    violations: Vec<Violation>,
    coverage: Coverage,
    /// How long each run took to converge.
    converged_ms: Vec<u64>,
}

fn run_all(arguments: &Arguments, stopped: &Arc<AtomicBool>) -> io::Result<u8> {
    let now = Instant::now();
    let mut tally = Tally {
        began: now,
        said: now,
        seeds: 0,
        violations: Vec::new(),
        coverage: Coverage::default(),
        converged_ms: Vec::new(),
    };
    let enough = Arc::new(AtomicBool::new(false));
    let Arguments { from, to, time, threads, options, .. } = *arguments;
    let batch = Batch { from, to, time, threads, options, stop: Arc::clone(&enough) };
    let mut failed = None;
    let next = batch.run(|outcome| {
        let broken = tally.take(arguments, outcome).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            true
        });
        if stopped.load(Ordering::Relaxed) || (broken && !arguments.keep_going) {
            enough.store(true, Ordering::Relaxed);
        }
    });
    failed.map_or(Ok(()), Err)?;
    tally.end(arguments, next, stopped.load(Ordering::Relaxed))
}

impl Tally {
    /// Takes in what came of a seed. `true` when that was a violation.
    fn take(&mut self, arguments: &Arguments, outcome: Option<Outcome>) -> io::Result<bool> {
        let mut broken = false;
        if let Some((seed, outcome)) = outcome {
            self.seeds += 1;
            match outcome {
                Ok(report) => {
                    if arguments.is_single() {
                        writeln!(io::stderr(), "seed {seed}: trace {:016x}", report.trace)?;
                    }
                    self.coverage.join(&report.coverage);
                    self.converged_ms.push(report.converged_ms);
                }
                Err(violation) => {
                    broken = true;
                    show(&violation)?;
                    self.violations.push(*violation);
                }
            }
        }
        if self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            writeln!(io::stderr(), "{}", self.progress())?;
        }
        Ok(broken)
    }

    fn progress(&self) -> String {
        let seconds = self.began.elapsed().as_secs_f64();
        let rate = self.seeds as f64 / seconds.max(0.001);
        format!("{} seeds in {seconds:.0} s, {rate:.1} seeds/s, {} violations", self.seeds, self.violations.len())
    }

    fn end(&mut self, arguments: &Arguments, next: u64, stopped: bool) -> io::Result<u8> {
        let mut out = io::stdout().lock();
        write!(out, "{}", self.coverage)?;
        let missing = self.show_scenarios(arguments, &mut out)?;
        self.converged_ms.sort_unstable();
        if let Some(longest) = self.converged_ms.last() {
            let rank = |per_mille: usize| self.converged_ms[(self.converged_ms.len() - 1) * per_mille / 1000];
            let (half, most, nearly) = (rank(500), rank(990), rank(999));
            writeln!(
                out,
                "ms from silence until all are equal: median {half}, 99 % {most}, 99.9 % {nearly}, longest {longest}"
            )?;
        }
        writeln!(out, "{}, revision {}", self.progress(), anabranch_sim::REVISION)?;
        if arguments.to != Some(next) {
            let to = arguments.to.map_or_else(String::new, |to| to.to_string());
            let scenario = arguments.options.scenario;
            writeln!(out, "stopped before seed {next}; on: anabranch-sim --scenario {scenario} --seeds {next}..{to}")?;
        }
        self.violations.sort_by_key(|violation| violation.seed);
        for violation in &self.violations {
            writeln!(out, "seed {}: {}\n  {}", violation.seed, violation.what, violation.again())?;
        }
        Ok(match (self.violations.is_empty(), stopped) {
            (false, _) => 1,
            (true, true) => STOPPED,
            (true, false) => u8::from(missing),
        })
    }

    /// The scenarios and how often each happened, when enough seeds ran; whether one is missing that must not be.
    fn show_scenarios(&self, arguments: &Arguments, out: &mut impl Write) -> io::Result<bool> {
        if !arguments.wants_coverage(self.seeds) {
            return Ok(false);
        }
        for (number, what, count) in self.coverage.scenarios() {
            writeln!(out, "scenario {number:>2} {count:>12}  {what}")?;
        }
        for what in self.coverage.missing() {
            writeln!(out, "NEVER HAPPENED: {what}")?;
        }
        Ok(!self.coverage.missing().is_empty())
    }
}

fn show(violation: &Violation) -> io::Result<()> {
    if let Some(text) = &violation.text {
        write!(io::stderr(), "{text}")?;
    }
    writeln!(io::stderr(), "{violation}")
}
