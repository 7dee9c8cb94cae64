//! `anabranch demo`: three regions in one process, faults while everybody writes, and everything compared at the end.

mod contents;
mod dump;
mod http;
mod interrupts;
mod pace;
mod place;
mod progress;
mod random;
mod regions;
mod shop;
mod story;
mod trace;
mod verdict;
mod wide_area;
mod workload;
mod world;
mod writers;

use crate::output;
use interrupts::Interrupts;
use pace::Pace;
use place::Place;
use progress::Progress;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use story::Story;
use tokio::task::JoinSet;
use verdict::Verdict;
use workload::Workload;
use world::World;
use writers::Tally;

/// What the shell expects of a program that was interrupted.
const INTERRUPTED: u8 = 130;
/// How long tasks that wait for the network may take to end.
const ENDING: Duration = Duration::from_secs(1);

/// `demo`
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  anabranch demo
  anabranch demo --seed 7 --writes 100000 --json
  anabranch demo --trace online-retail.csv --dump out
  anabranch demo --keep --data-dir demo-data

A trace is a CSV file with the columns invoice, stock_code, quantity, customer_id and country. Each line becomes writes of
its own in a region that the seed picks: counters (stock), carts and sets (customers).
Exit codes: 0 the regions are equal and hold what was written, 1 they do not.")]
pub(crate) struct DemoArgs {
    /// Write the lines of this CSV file, instead of a shop made up from the seed
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// How many writes [default: 30000, or all of the trace]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    writes: Option<u64>,
    /// Picks the shop, the region of each write, and who is cut off and who dropped
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of a table
    #[arg(long)]
    json: bool,
    /// Write what came out into this directory: stock.csv, carts.csv, customers.csv
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Leave the regions running, with their HTTP API, until interrupted
    #[arg(long)]
    keep: bool,
    /// Where the regions keep their data, which stays [default: a temporary directory, which does not]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// How many writes without a trace.
const WRITES: u64 = 30_000;

/// Runs the demonstration.
///
/// # Errors
/// What kept it from coming to a verdict.
pub(crate) fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let workload = workload(&args)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let inside = runtime.enter();
    // From here on, an interrupt tidies up.
    let mut interrupts = Interrupts::new()?;
    let place = Place::new(args.data_dir.as_deref())?;
    let started = World::start(place.path(), args.seed);
    drop(inside);
    let exit = started.and_then(|world| {
        let exit = runtime.block_on(until_interrupted(&mut interrupts, act(&args, &world, workload)));
        world.close();
        exit
    });
    // Tasks that wait for what is gone need not end by themselves.
    runtime.shutdown_timeout(ENDING);
    place.tidy_up();
    exit
}

fn workload(args: &DemoArgs) -> anyhow::Result<Workload> {
    Ok(match &args.trace {
        Some(file) => Workload::spread(trace::read(file)?, args.seed, args.writes.unwrap_or(u64::MAX)),
        None => Workload::spread(shop::lines(args.seed), args.seed, args.writes.unwrap_or(WRITES)),
    })
}

async fn until_interrupted(
    interrupts: &mut Interrupts,
    acting: impl Future<Output = anyhow::Result<Act>>,
) -> anyhow::Result<ExitCode> {
    let act = tokio::select! {
        biased;
        () = interrupts.next() => {
            output::note("interrupted: the regions are closed");
            return Ok(ExitCode::from(INTERRUPTED));
        }
        act = acting => act?,
    };
    if let Some(servers) = act.keep {
        interrupts.next().await;
        servers.stop().await;
    }
    Ok(if act.is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How it ended.
struct Act {
    is_good: bool,
    /// What goes on until interrupted, if it does.
    keep: Option<http::Servers>,
}

async fn act(args: &DemoArgs, world: &Arc<World>, workload: Workload) -> anyhow::Result<Act> {
    let started = Instant::now();
    let (tally, pace) = (Arc::new(Tally::default()), Arc::new(Pace::new(workload.total)));
    let progress = Progress::new();
    let story = Story::new(world, &pace, &tally, &progress, args.seed);
    let clients = writers::begin(world, &pace, &tally, workload.tasks);
    let acting = async {
        tokio::try_join!(story.tell(), all(clients))?;
        story::convergence(world).await
    };
    let statuses = tokio::select! {
        statuses = acting => statuses?,
        never = pace.run() => match never {},
        never = progress.run(world) => match never {},
    };
    let verdict = tokio::task::block_in_place(|| Verdict::reach(world, statuses, &workload.expected))?;
    let took = started.elapsed();
    drop(progress);
    if let (Some(dir), Some(contents)) = (&args.dump, verdict.contents.first()) {
        dump::write(dir, contents)?;
    }
    let keep = if args.keep { Some(http::Servers::start(world).await?) } else { None };
    report(args, world, &tally, &verdict, took, keep.as_ref())?;
    Ok(Act { is_good: verdict.is_good(), keep })
}

/// Returns when all clients are done, or one cannot go on.
async fn all(mut clients: JoinSet<anyhow::Result<()>>) -> anyhow::Result<()> {
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(())
}

fn report(
    args: &DemoArgs,
    world: &World,
    tally: &Tally,
    verdict: &Verdict,
    took: Duration,
    keep: Option<&http::Servers>,
) -> anyhow::Result<()> {
    for problem in verdict.problems() {
        output::note(&problem);
    }
    let urls = keep.map(http::Servers::urls).unwrap_or_default();
    if args.json {
        verdict.print_json(tally.written.load(Ordering::Relaxed), took, &urls)?;
    } else {
        verdict.print(world, tally, took)?;
        output::line(&next_steps(args, &urls))?;
    }
    Ok(())
}

/// What to try next.
fn next_steps(args: &DemoArgs, urls: &[String]) -> String {
    let mut steps = vec!["\nTry next:".to_owned()];
    match urls {
        [first, ..] => {
            let all: Vec<String> = urls.iter().map(|url| format!("--url {url}")).collect();
            steps.push(format!("  anabranch scan stock --url {first}    read from a region; Ctrl-C here ends them"));
            steps.push(format!("  anabranch verify {}", all.join(" ")));
        }
        [] => steps.push("  anabranch demo --keep              the regions stay, with their HTTP API".to_owned()),
    }
    if args.dump.is_none() {
        steps.push("  anabranch demo --dump out          what came out, as CSV files".to_owned());
    }
    let seed = args.seed.wrapping_add(1);
    steps.push(format!("  anabranch demo --seed {seed:<12} another shop, and other regions are hit"));
    steps.push("  anabranch cert init --help         begin a cluster of your own".to_owned());
    steps.join("\n")
}
