//! Benchmarks: each layer of Anabranch beside its physical limit and beside every peer that can be run, in one run on one
//! machine. `--help` says how; `README.md` says what is needed.

mod limits;
mod load;
mod machine;
mod numbers;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod report;
mod setting;
mod workload;
mod workloads;

use anyhow::Context as _;
use clap::Parser as _;
use report::results::Results;
use setting::Setting;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use workload::Workload;

/// That of the `anabranch` command, for all that runs in this process, peers and limits too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures workloads and writes docs/benchmarks.
#[derive(clap::Parser, Debug)]
#[command(
    after_help = "Examples:\n  anabranch-benchmarks --list\n  anabranch-benchmarks all\n  anabranch-benchmarks writes-64 reads --runs 3"
)]
#[command(args_conflicts_with_subcommands = true)]
struct Args {
    #[command(subcommand)]
    part: Option<Part>,
    /// Which workloads; `all` for every one.
    workloads: Vec<String>,
    /// Says which there are.
    #[arg(long)]
    list: bool,
    /// How often each is measured. Medians, least and most are shown; ratios are taken run by run.
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// How long each measured part takes, where the workload does not say.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Everything a thousand times smaller, once: whether it works, not how fast. Writes no report.
    #[arg(long)]
    smoke: bool,
    /// Where the databases are put, each in a folder of its own that is removed. Should be a real disk.
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Where results and report are written. Without, they are only printed.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Texts: a trace of edits (github.com/josephg/editing-traces), as JSON or JSON in gzip. Without, a small sample.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

impl Args {
    /// What to say to have one workload measured like this again. Where the trace lies is nobody's business.
    fn arguments(&self, workload: &str) -> String {
        if self.smoke {
            return format!("{workload} --smoke");
        }
        let trace = self.trace.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
        let trace = trace.map_or_else(String::new, |name| format!(" --trace {name}"));
        format!("{workload} --runs {} --seconds {}{trace}", self.runs, self.seconds)
    }
}

/// What this program is when it starts itself.
#[derive(clap::Subcommand, Debug)]
enum Part {
    /// A node that is measured: told what to do on its standard input.
    #[command(hide = true)]
    Node,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(Part::Node) = args.part {
        return ours::node::serve();
    }
    if args.list {
        for workload in workloads::all() {
            println!("{:24} {}", workload.name, workload.title);
        }
        return Ok(());
    }
    anyhow::ensure!(!args.workloads.is_empty(), "name a workload, or `all`; `--list` says which there are");
    let scratch = tempfile::Builder::new().prefix("anabranch-bench-").tempdir_in(&args.dir);
    let scratch = scratch.with_context(|| format!("cannot make a folder in {}", args.dir.display()))?;
    let setting = Setting {
        length: if args.smoke { Duration::from_millis(50) } else { Duration::from_secs_f64(args.seconds) },
        scale: if args.smoke { 1_000 } else { 1 },
        dir: scratch.path().to_owned(),
        trace: args.trace.clone(),
    };
    for workload in chosen(&args.workloads)? {
        let mut results = Results::new(workload.name, args.arguments(workload.name));
        measure(&workload, &setting, if args.smoke { 1 } else { args.runs }, &mut results)?;
        print!("{}", report::markdown::section(&workload, &results));
        if let (Some(out), false) = (&args.out, args.smoke) {
            results.save(out)?;
        }
    }
    match (&args.out, args.smoke) {
        (Some(out), false) => report::write(Path::new(out)),
        _ => Ok(()),
    }
}

fn chosen(names: &[String]) -> anyhow::Result<Vec<Workload>> {
    let all = workloads::all();
    for name in names {
        let known = name == "all" || all.iter().any(|workload| workload.name == name);
        anyhow::ensure!(known, "there is no workload {name}; `--list` says which there are");
    }
    Ok(all.into_iter().filter(|workload| names.iter().any(|name| name == "all" || name == workload.name)).collect())
}

fn measure(workload: &Workload, setting: &Setting, runs: usize, results: &mut Results) -> anyhow::Result<()> {
    for run in 1..=runs {
        let begun = Instant::now();
        let figures = (workload.measure)(setting).with_context(|| format!("{}, run {run}", workload.name))?;
        eprintln!("{}: run {run} of {runs}, {:.1} s", workload.name, begun.elapsed().as_secs_f64());
        results.add(figures);
    }
    Ok(())
}
