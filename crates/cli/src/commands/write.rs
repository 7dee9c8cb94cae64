//! `put`, `del` and `op`.

use crate::args::{Connection, DelArgs, Durability, OpArgs, PutArgs};
use crate::failure::Failure;
use crate::http::{Client, Request, segment};
use crate::output;
use std::io::Read;
use std::process::ExitCode;

/// More than a node accepts, so that the node says what is wrong; and not endless.
const LONGEST_INPUT: u64 = 2 << 20;

pub(crate) fn put(args: PutArgs) -> anyhow::Result<ExitCode> {
    let body = Some(json(&args.json)?);
    let write = Write { method: "PUT", collection: args.collection, key: args.key, body, context: args.context };
    write.send(args.durability, &args.connection)
}

pub(crate) fn del(args: DelArgs) -> anyhow::Result<ExitCode> {
    let (collection, key) = (args.collection, args.key);
    let write = Write { method: "DELETE", collection, key, body: None, context: args.context };
    write.send(args.durability, &args.connection)
}

pub(crate) fn op(args: OpArgs) -> anyhow::Result<ExitCode> {
    let body = Some(json(&args.json)?);
    let write = Write { method: "POST", collection: args.collection, key: args.key, body, context: None };
    write.send(args.durability, &args.connection)
}

struct Write {
    method: &'static str,
    collection: String,
    key: String,
    body: Option<String>,
    context: Option<String>,
}

impl Write {
    /// The answer is JSON as it came, with the context to write on: whoever writes from a script wants the dot, and a
    /// person sees the value after the write.
    fn send(self, durability: Durability, connection: &Connection) -> anyhow::Result<ExitCode> {
        let path = format!("/v1/data/{}/{}", segment(&self.collection), segment(&self.key));
        let mut request = Request { method: self.method, path, headers: Vec::new(), body: self.body };
        let named = [
            ("anabranch-context", self.context),
            ("idempotency-key", durability.idempotency.idempotency_key),
            ("anabranch-ack", durability.ack),
        ];
        request.headers.extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let mut answer = Client::new(connection)?.send(request)?;
        if let (Some(context), Some(fields)) = (answer.context.take(), answer.body.as_object_mut()) {
            fields.insert("context".to_owned(), context.into());
        }
        output::json(&answer.body)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// JSON from the command line or standard input, as it was written: the node reads it, numbers and all.
pub(super) fn json(argument: &str) -> anyhow::Result<String> {
    let text = if argument == "-" { from_input()? } else { argument.to_owned() };
    match serde_json::from_str::<serde::de::IgnoredAny>(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(not_json(&text, &error).into()),
    }
}

fn from_input() -> anyhow::Result<String> {
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LONGEST_INPUT).read_to_string(&mut text);
    read.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")).state("nothing was sent"))?;
    Ok(text)
}

fn not_json(text: &str, error: &serde_json::Error) -> Failure {
    let mut shown: String = text.chars().take(60).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    let failure = Failure::usage(format!("this is not JSON: {shown}")).line("detail", error.to_string());
    let next = format!("strings have quotes, inside those of the shell: '{}'", serde_json::Value::from(shown));
    failure.state("nothing was sent").next(next)
}

#[cfg(test)]
mod tests {
    use super::json;

    #[test]
    fn json_is_passed_on_as_written() {
        assert_eq!(json(r#"{"a":1.10}"#).ok().as_deref(), Some(r#"{"a":1.10}"#));
        let refused = json("Ada").map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains(r#"'"Ada"'"#)));
    }
}
