//! `explain`: why a value is what it is.

use super::{cell, json_cell, list};
use crate::args::{ExplainArgs, Format};
use crate::http::{Client, Request, segment};
use crate::output;
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/explain/{}/{}", segment(&args.collection), segment(&args.key));
    let answer = Client::new(&args.connection)?.send(Request::get(path))?;
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => {
            versions(list(&answer.body, "versions"))?;
            output::line(&format!("outcome: {}", json_cell(answer.body.get("outcome"))))?;
            output::line(&format!("reason:  {}", cell(answer.body.get("reason"))))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A counter has none: its adds are one sum.
fn versions(versions: &[Value]) -> std::io::Result<()> {
    if versions.is_empty() {
        return Ok(());
    }
    let titles = ["value", "region", "at", "by", "operation", "dot"];
    let line = |version: &Value| {
        let mut row = vec![json_cell(version.get("value"))];
        row.extend(titles[1..].iter().map(|field| cell(version.get(field))));
        row
    };
    output::table(&titles, versions.iter().map(line).collect())?;
    output::line("")
}
