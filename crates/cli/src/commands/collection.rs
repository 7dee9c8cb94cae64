//! `collection`: making and listing them.

use super::{list, row};
use crate::args::{CollectionArgs, CollectionCommand, CreateArgs, Format, ListArgs};
use crate::http::{Client, Request, segment};
use crate::output;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;

pub(crate) fn run(args: CollectionArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        CollectionCommand::Create(args) => create(args),
        CollectionCommand::List(args) => show(&args),
    }
}

fn create(args: CreateArgs) -> anyhow::Result<ExitCode> {
    let mut request = Request {
        method: "PUT",
        path: format!("/v1/collections/{}", segment(&args.name)),
        body: Some(body(&args).to_string()),
        ..Request::default()
    };
    request.headers.extend(args.idempotency.idempotency_key.map(|key| ("idempotency-key", key)));
    let answer = Client::new(&args.connection)?.send(request)?;
    let done = if answer.status == 201 { "made" } else { "is already there" };
    output::line(&format!("{} ({}): {done}", args.name, args.resolver))?;
    Ok(ExitCode::SUCCESS)
}

fn body(args: &CreateArgs) -> Value {
    let mut body = json!({ "resolver": args.resolver });
    if !args.fields.is_empty() {
        let fields: BTreeMap<&String, &String> =
            args.fields.iter().map(|(field, resolver)| (field, resolver)).collect();
        body["fields"] = json!(fields);
    }
    body
}

/// A collection's line: beside the resolver that counts, those that it was given at the same time.
fn shown(one: &Value) -> Vec<String> {
    let mut cells = row(one, &["name", "resolver", "kind"]);
    let concurrent: Vec<&str> = list(one, "concurrent").iter().filter_map(Value::as_str).collect();
    if !concurrent.is_empty() {
        cells[1].push_str(&format!(" (concurrent: {})", concurrent.join(", ")));
    }
    cells
}

fn show(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let answer = Client::new(&args.connection)?.send(Request::get("/v1/collections".to_owned()))?;
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => {
            let rows = list(&answer.body, "collections").iter().map(shown);
            output::table(&["name", "resolver", "kind"], rows.collect())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::shown;
    use serde_json::json;

    #[test]
    fn resolvers_given_at_the_same_time_are_listed() {
        let mut one = json!({"name": "c", "resolver": "keep-all", "kind": "register"});
        assert_eq!(shown(&one), ["c", "keep-all", "register"]);
        one["concurrent"] = json!(["escalate", "keep-all"]);
        assert_eq!(shown(&one), ["c", "keep-all (concurrent: escalate, keep-all)", "register"]);
    }
}
