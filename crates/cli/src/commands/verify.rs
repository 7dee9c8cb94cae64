//! `verify`: do nodes hold the same data?

mod compare;
mod node;

use crate::args::{Format, VerifyArgs};
use crate::failure::{Exit, Failure};
use crate::http::Client;
use crate::output;
use compare::{Verdict, compare};
use node::{Heard, Node, ask};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// A pause between two rounds of asking.
const PAUSE: Duration = Duration::from_millis(200);
/// How long one node may take to answer: others are asked in the meantime, and it is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn run(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let mut nodes = targets(&args)?;
    let deadline = Instant::now() + args.timeout.0;
    loop {
        let heard = ask_all(&mut nodes);
        let verdict = compare(&heard)?;
        let is_last = Instant::now() + PAUSE >= deadline;
        if verdict.is_definite() || is_last {
            return show(&heard, &verdict, args.output.output);
        }
        std::thread::sleep(PAUSE);
    }
}

fn targets(args: &VerifyArgs) -> Result<Vec<Node>, Failure> {
    let named = args.regions.iter().map(|named| (Some(named.region.clone()), named.url.clone()));
    let targets: Vec<_> = named.chain(args.url.iter().map(|url| (None, url.clone()))).collect();
    if targets.len() < 2 {
        return Err(Failure::usage("there is nothing to compare one node with").next("name two nodes or more: --url"));
    }
    let patience = PATIENCE.min(args.timeout.0.max(Duration::from_millis(100)));
    let target =
        |(region, url): (Option<String>, String)| Ok(Node { client: Client::impatient(&url, patience)?, url, region });
    targets.into_iter().map(target).collect()
}

/// All at the same time, so that one that does not answer holds up no other.
fn ask_all(nodes: &mut [Node]) -> Vec<Heard> {
    std::thread::scope(|scope| {
        let asked: Vec<_> = nodes.iter_mut().map(|node| scope.spawn(|| ask(node))).collect();
        let lost = || Heard { name: "?".to_owned(), state: Err("asking it failed".to_owned()) };
        asked.into_iter().map(|thread| thread.join().unwrap_or_else(|_| lost())).collect()
    })
}

fn show(heard: &[Heard], verdict: &Verdict, format: Format) -> anyhow::Result<ExitCode> {
    let word = match verdict {
        Verdict::Equal => "equal",
        Verdict::Different(_) => "different",
        Verdict::Behind(_) => "behind",
    };
    match format {
        Format::Json => {
            output::json(&json!({ "verdict": word, "regions": heard.iter().map(in_json).collect::<Vec<_>>() }))?
        }
        Format::Table => output::table(&["region", "transactions", "digest"], heard.iter().map(in_table).collect())?,
    }
    match verdict {
        Verdict::Equal => {
            output::note(&format!("equal: {} nodes have applied the same and hold the same", heard.len()));
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Different(what) => Err(Failure::failed(format!("different: {}", what.join("; ")))
            .state("each still serves what it holds")
            .next("this must never happen: keep the data directories and logs, and report it")
            .into()),
        Verdict::Behind(what) => Err(Failure::new(Exit::NotReady, format!("not equal yet: {}", what.join("; ")))
            .state("each serves what it holds; what is missing comes when they reach each other")
            .next("`anabranch status` shows the peers; try again, or with a longer --timeout")
            .into()),
    }
}

fn in_table(heard: &Heard) -> Vec<String> {
    match &heard.state {
        Ok(state) => vec![heard.name.clone(), state.transactions().to_string(), state.digests()],
        Err(problem) => vec![heard.name.clone(), "?".to_owned(), problem.clone()],
    }
}

fn in_json(heard: &Heard) -> Value {
    match &heard.state {
        Ok(state) => json!({ "name": heard.name, "shards": state.in_json() }),
        Err(problem) => json!({ "name": heard.name, "problem": problem }),
    }
}
