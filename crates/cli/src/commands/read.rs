//! `get` and `scan`.

use super::{cell, json_cell, list};
use crate::args::{Format, GetArgs, ScanArgs};
use crate::http::{Client, Request, segment};
use crate::output;
use serde_json::Value;
use std::process::ExitCode;

pub(crate) fn get(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/data/{}/{}", segment(&args.collection), segment(&args.key));
    let mut answer = Client::new(&args.connection)?.send(Request::get(path))?;
    if let (Some(context), Some(fields)) = (answer.context.take(), answer.body.as_object_mut()) {
        // A header in HTTP; here it has no other place.
        fields.insert("context".to_owned(), context.into());
    }
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => {
            let mut rows = vec![
                vec!["collection".to_owned(), cell(answer.body.get("collection"))],
                vec!["resolver".to_owned(), cell(answer.body.get("resolver"))],
                vec!["key".to_owned(), cell(answer.body.get("key"))],
                vec!["value".to_owned(), json_cell(answer.body.get("value"))],
                vec!["conflicts".to_owned(), cell(answer.body.get("conflicts"))],
            ];
            rows.extend(answer.body.get("overflow").map(|_| vec!["overflow".to_owned(), "clamped".to_owned()]));
            rows.extend(answer.body.get("context").map(|context| vec!["context".to_owned(), cell(Some(context))]));
            output::table(&["field", "value"], rows)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn scan(args: &ScanArgs) -> anyhow::Result<ExitCode> {
    let mut path = format!("/v1/data/{}?limit={}", segment(&args.collection), args.limit);
    for (name, value) in [("prefix", &args.prefix), ("after", &args.after)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", segment(value)));
        }
    }
    let answer = Client::new(&args.connection)?.send(Request::get(path))?;
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => {
            let line =
                |item: &Value| vec![cell(item.get("key")), json_cell(item.get("value")), cell(item.get("conflicts"))];
            output::table(&["key", "value", "conflicts"], list(&answer.body, "items").iter().map(line).collect())?;
            if let Some(next) = answer.body.get("next").and_then(Value::as_str) {
                output::note(&format!("there is more: --after {next:?}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
