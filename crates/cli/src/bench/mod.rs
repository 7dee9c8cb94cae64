//! `anabranch bench`: each layer beside the raw part it stands on, in the same run.

mod reads;
mod replication;
mod report;
#[cfg(feature = "text")]
mod text;
mod tokens;
#[cfg(feature = "text")]
mod trace;
mod writes;

use crate::output;
use anyhow::Context as _;
use report::{Report, Row};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What to measure, for how long, and where.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  anabranch bench\n  anabranch bench --seconds 5 --runs 5 --dir /var/tmp\n  anabranch bench --only writes --json"
)]
pub(crate) struct BenchArgs {
    /// How long each measurement takes.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often everything is measured; medians are shown.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=99))]
    runs: u64,
    /// Where to put the databases; each is made in a folder of its own there and removed. Must be a real disk.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Only what starts with this: writes, reads, tokens, replication, text.
    #[arg(long)]
    only: Option<String>,
    /// Texts: a trace of edits (github.com/josephg/editing-traces), as JSON or JSON in gzip. Without one, a small sample.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What all measurements share.
pub(crate) struct Setting {
    pub(crate) length: Duration,
    pub(crate) dir: PathBuf,
    /// A trace of edits.
    #[cfg_attr(not(feature = "text"), expect(dead_code))]
    pub(crate) trace: Option<PathBuf>,
}

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<ExitCode> {
    let scratch = tempfile::Builder::new().prefix("anabranch-bench-").tempdir_in(&args.dir);
    let scratch = scratch.with_context(|| format!("cannot make a folder in {}", args.dir.display()))?;
    let setting = Setting {
        length: Duration::from_secs(args.seconds),
        dir: scratch.path().to_owned(),
        trace: args.trace.clone(),
    };
    let mut report = Report::new();
    for run in 0..args.runs {
        for (name, measure) in measurements() {
            if args.only.as_ref().is_some_and(|only| !name.starts_with(only.as_str())) {
                continue;
            }
            output::note(&format!("run {} of {}: {name}", run + 1, args.runs));
            report.add(name, measure(&setting)?);
        }
    }
    report.print(args.json)?;
    Ok(ExitCode::SUCCESS)
}

type Measure = fn(&Setting) -> anyhow::Result<Row>;

fn measurements() -> Vec<(&'static str, Measure)> {
    let mut all: Vec<(&'static str, Measure)> = vec![
        ("writes, 1 writer", |setting| writes::measure(setting, 1)),
        ("writes, 64 writers", |setting| writes::measure(setting, 64)),
        ("writes, 1024 writers", |setting| writes::measure(setting, 1024)),
        ("reads, point", reads::measure),
        ("tokens, in the library", tokens::library),
        ("tokens, in a session", tokens::session),
        ("tokens, over HTTP", tokens::over_http),
        ("replication, 64 writers, beside the sender alone", replication::beside_sender),
        ("replication, 64 writers, beside QUIC alone", replication::beside_quic),
    ];
    #[cfg(feature = "text")]
    all.extend([("text, keystrokes", text::keystrokes as Measure), ("text, people", text::people)]);
    all
}
