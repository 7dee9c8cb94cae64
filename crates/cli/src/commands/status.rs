//! `status`: what a node has, and how far its peers are.

use super::{cell, list, row};
use crate::args::{Format, StatusArgs};
use crate::http::{Client, Request};
use crate::output;
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let answer = Client::new(&args.connection)?.send(Request::get("/v1/status".to_owned()))?;
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => show(&answer.body)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(status: &Value) -> std::io::Result<()> {
    let fields =
        ["cluster", "region", "name", "role", "leader", "origin", "version", "uptime_s", "behind_ms", "conflicts_open"];
    let known = fields.iter().filter(|field| status.get(**field).is_some_and(|value| !value.is_null()));
    output::table(&["node", ""], known.map(|field| vec![(*field).to_owned(), cell(status.get(field))]).collect())?;
    for shard in list(status, "shards") {
        output::line("")?;
        let fields = ["shard", "digest", "log_transactions", "buffered"];
        output::table(&["shard", "digest", "transactions", "buffered"], vec![row(shard, &fields)])?;
        vector(shard)?;
        let parked = list(shard, "parked")
            .iter()
            .map(|one| vec![cell(one.get("collection").or_else(|| one.get("origin"))), cell(one.get("reason"))]);
        let parked: Vec<_> = parked.collect();
        if !parked.is_empty() {
            output::line("")?;
            output::table(&["parked", "reason"], parked)?;
        }
    }
    let peers = list(status, "peers");
    if !peers.is_empty() {
        output::line("")?;
        let titles = ["peer", "region", "role", "state", "we lack", "they lack", "lag ms", "rtt ms"];
        let fields =
            ["name", "region", "role", "state", "lag_transactions", "unacked_transactions", "lag_ms", "rtt_ms"];
        output::table(&titles, peers.iter().map(|peer| row(peer, &fields)).collect())?;
    }
    Ok(())
}

fn vector(shard: &Value) -> std::io::Result<()> {
    let Some(entries) = shard.get("version_vector").and_then(Value::as_object).filter(|map| !map.is_empty()) else {
        return Ok(());
    };
    output::line("")?;
    let entry = |(origin, applied): (&String, &Value)| vec![origin.clone(), applied.to_string()];
    output::table(&["origin", "applied"], entries.iter().map(entry).collect())
}
