//! `conflicts`: what waits for a person, and who decided what.

use super::write::json;
use super::{cell, json_cell, list};
use crate::args::{ConflictListArgs, ConflictsArgs, ConflictsCommand, Format, HistoryArgs, ResolveArgs, ShowArgs};
use crate::http::{Client, Request, segment};
use crate::output;
use anabranch::conflicts::{Column, side_by_side};
use serde_json::{Value, json};
use std::process::ExitCode;

/// How wide what is no terminal is taken to be, in characters.
const WIDTH: usize = 100;

pub(crate) fn run(args: ConflictsArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        ConflictsCommand::List(args) => list_open(&args),
        ConflictsCommand::Show(args) => show(&args),
        ConflictsCommand::Resolve(args) => resolve(args),
        ConflictsCommand::History(args) => history(&args),
    }
}

fn list_open(args: &ConflictListArgs) -> anyhow::Result<ExitCode> {
    let limit = args.limit.to_string();
    let query = [("collection", &args.collection), ("after", &args.after), ("limit", &Some(limit))];
    let answer = Client::new(&args.connection)?.send(Request::get(path("/v1/conflicts", &query)))?;
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => {
            let rows = list(&answer.body, "conflicts").iter().map(open_row).collect();
            output::table(&["conflict", "collection", "key", "field", "since", "options", "regions"], rows)?;
            more(&answer.body);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn path(path: &str, query: &[(&str, &Option<String>)]) -> String {
    let given = query.iter().filter_map(|(name, value)| Some(format!("{name}={}", segment(value.as_ref()?))));
    format!("{path}?{}", given.collect::<Vec<_>>().join("&"))
}

fn open_row(conflict: &Value) -> Vec<String> {
    let options = list(conflict, "options");
    let regions: Vec<String> = options.iter().map(|option| cell(option.get("region"))).collect();
    let mut row = super::row(conflict, &["conflict", "collection", "key", "field", "since"]);
    row.extend([options.len().to_string(), regions.join(", ")]);
    row
}

fn more(page: &Value) {
    if let Some(next) = page.get("next").and_then(Value::as_str) {
        output::note(&format!("there are more: --after {next}"));
    }
}

fn show(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let path = format!("/v1/conflicts/{}", segment(&args.id));
    let answer = Client::new(&args.connection)?.send(Request::get(path))?;
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => output::line(&shown(&answer.body, args.width.map_or_else(width, usize::from)))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// How wide the terminal is.
fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok();
    size.map(|size| usize::from(size.ws_col)).filter(|columns| *columns >= 20).unwrap_or(WIDTH)
}

fn shown(conflict: &Value, width: usize) -> String {
    let mut text = String::new();
    for label in ["conflict", "collection", "key", "field", "since"] {
        if let Some(value) = conflict.get(label) {
            text.push_str(&format!("{:<12}{}\n", format!("{label}:"), cell(Some(value)).escape_debug()));
        }
    }
    for outcome in list(conflict, "outcomes") {
        let who = cell(outcome.get("by"));
        let note = cell(outcome.get("note"));
        text.push_str(&format!("{:<12}{who} kept {} {note}\n", "decided:", json_cell(outcome.get("keep"))));
    }
    let columns: Vec<Column> = list(conflict, "options").iter().map(column).collect();
    text.push('\n');
    text.push_str(&side_by_side(&columns, width, None));
    text.push_str(&format!(
        "\nanabranch conflicts resolve {} --keep OPTION | --value JSON",
        cell(conflict.get("conflict"))
    ));
    text
}

fn column(option: &Value) -> Column {
    let place = [cell(option.get("region")), cell(option.get("by"))]
        .map(|text| if text.is_empty() { "?".into() } else { text });
    let head = vec![cell(option.get("option")), place.join(", "), cell(option.get("at"))];
    Column::new(head, option.get("value").unwrap_or(&Value::Null))
}

fn resolve(args: ResolveArgs) -> anyhow::Result<ExitCode> {
    let mut body = json!({});
    for (name, text) in [("by", &args.by), ("note", &args.note)] {
        if let Some(text) = text {
            body[name] = text.as_str().into();
        }
    }
    let body = match &args.value {
        // As it was written: the node reads it, numbers and all.
        Some(value) => with(&body, "value", &json(value)?),
        None => with(&body, "keep", &json!(args.keep).to_string()),
    };
    let path = format!("/v1/conflicts/{}", segment(&args.id));
    let mut request = Request { method: "POST", path, headers: Vec::new(), body: Some(body) };
    let named =
        [("idempotency-key", args.durability.idempotency.idempotency_key), ("anabranch-ack", args.durability.ack)];
    request.headers.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
    let answer = Client::new(&args.connection)?.send(request)?;
    output::json(&answer.body)?;
    Ok(ExitCode::SUCCESS)
}

/// An object with one more field, whose value is JSON already.
fn with(object: &Value, name: &str, json: &str) -> String {
    let text = object.to_string();
    let rest = text.strip_prefix('{').unwrap_or_default();
    let comma = if rest == "}" { "" } else { "," };
    format!("{{\"{name}\":{json}{comma}{rest}")
}

fn history(args: &HistoryArgs) -> anyhow::Result<ExitCode> {
    let limit = Some(args.limit.to_string());
    let query = [("collection", &args.collection), ("key", &args.key), ("after", &args.after), ("limit", &limit)];
    let answer = Client::new(&args.connection)?.send(Request::get(path("/v1/conflicts/history", &query)))?;
    match args.output.output {
        Format::Json => output::json(&answer.body)?,
        Format::Table => {
            let rows = list(&answer.body, "history").iter().map(past_row).collect();
            output::table(&["at", "collection", "key", "by", "region", "kept", "note", "conflict"], rows)?;
            more(&answer.body);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn past_row(past: &Value) -> Vec<String> {
    let mut row = super::row(past, &["at", "collection", "key", "by", "region"]);
    row.push(kept(past));
    row.extend(super::row(past, &["note", "conflict"]));
    row
}

/// The values that were kept.
fn kept(past: &Value) -> String {
    if past.get("keep").is_none() {
        return json_cell(past.get("value"));
    }
    let names = list(past, "keep");
    let options =
        list(past, "options").iter().filter(|option| names.iter().any(|name| option.get("option") == Some(name)));
    options.map(|option| json_cell(option.get("value"))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{shown, with};
    use serde_json::json;

    #[test]
    fn a_value_goes_out_as_it_was_written() {
        assert_eq!(with(&json!({}), "value", "1.10"), r#"{"value":1.10}"#);
        assert_eq!(with(&json!({"by": "ann"}), "value", "[1]"), r#"{"value":[1],"by":"ann"}"#);
    }

    #[test]
    fn options_stand_side_by_side_and_steer_no_terminal() {
        let option = |option: &str, value: &str| json!({"option": option, "value": value, "region": "eu", "by": "eu-1", "at": "t"});
        let conflict = json!({
            "conflict": "c0ffee", "collection": "docs", "key": "k\u{1b}[2J", "since": "t",
            "options": [option("a1", "same\none\u{1b}"), option("b2", "same\ntwo")],
        });
        let text = shown(&conflict, 60);
        assert!(text.lines().any(|line| line.contains("a1") && line.contains("b2")), "{text}");
        assert!(text.lines().any(|line| line.starts_with("  same") && line.ends_with("|   same")), "{text}");
        assert!(text.lines().any(|line| line.starts_with("* one") && line.ends_with("| * two")), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
