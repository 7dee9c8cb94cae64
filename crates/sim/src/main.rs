//! Runs seeds until one fails. `anabranch-sim --seeds 0..1000`, or `--seed 17 --trace` for one with all that happened.
//! `anabranch-sim check FILE…` checks histories of clients.

mod command_check;

use anabranch_sim::{Coverage, Options, Scenario, Violation};
use std::io::{self, Write};
use std::ops::Range;
use std::process::ExitCode;

const USAGE: &str =
    "usage: anabranch-sim [--seed N | --seeds A..B] [--scenario swarm|healthy|relay] [--keep-going] [--trace]
  --seeds A..B   A to B - 1; 0..100 when nothing is said
  --keep-going   goes on after a violation
  --trace        prints what happened before a violation
   or: anabranch-sim check FILE…";

struct Arguments {
    seeds: Range<u64>,
    options: Options,
    keep_going: bool,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    let outcome = if words.next_if(|word| word == "check").is_some() {
        command_check::run(words)
    } else {
        let arguments = parse(words).map_err(|error| format!("{error}\n{USAGE}"));
        arguments.map(|arguments| run(&arguments).unwrap_or(1))
    };
    let code = match outcome {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            2
        }
    };
    ExitCode::from(code)
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let options = Options::new(Scenario::Swarm);
    let mut arguments = Arguments { seeds: 0..100, options, keep_going: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--seed" => {
                let seed = number(&value()?)?;
                arguments.seeds = seed..seed + 1;
            }
            "--seeds" => {
                let text = value()?;
                let (from, to) = text.split_once("..").ok_or_else(|| format!("{text} is not A..B"))?;
                arguments.seeds = number(from)?..number(to)?;
            }
            "--scenario" => arguments.options.scenario = value()?.parse()?,
            "--keep-going" => arguments.keep_going = true,
            "--trace" => arguments.options.keep_text = true,
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(arguments)
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

fn run(arguments: &Arguments) -> io::Result<u8> {
    let mut coverage = Coverage::default();
    let (mut runs, mut violations) = (0u64, 0u64);
    for seed in arguments.seeds.clone() {
        runs += 1;
        match anabranch_sim::run(seed, arguments.options) {
            Ok(report) => {
                coverage.join(&report.coverage);
                if arguments.seeds.end - arguments.seeds.start == 1 {
                    writeln!(io::stderr(), "seed {seed}: trace {:016x}", report.trace)?;
                }
            }
            Err(violation) => {
                violations += 1;
                show(&violation)?;
                if !arguments.keep_going {
                    break;
                }
            }
        }
        if runs.is_multiple_of(100) {
            writeln!(io::stderr(), "{runs} runs, {violations} violations")?;
        }
    }
    write!(io::stdout(), "{coverage}")?;
    writeln!(io::stdout(), "{runs:>12}  runs\n{violations:>12}  violations")?;
    Ok(u8::from(violations > 0))
}

fn show(violation: &Violation) -> io::Result<()> {
    if let Some(text) = &violation.text {
        write!(io::stderr(), "{text}")?;
    }
    writeln!(io::stderr(), "{violation}")
}
