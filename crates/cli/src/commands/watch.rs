//! `watch`: changes as they come, for as long as it takes.

use super::{cell, json_cell};
use crate::args::{Format, WatchArgs};
use crate::failure::Failure;
use crate::http::{Client, Refused, Request, segment};
use crate::output;
use anabranch_server::shutdown_signal;
use serde_json::Value;
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;

/// Three times as long as a node is silent at most.
const SILENCE: Duration = Duration::from_secs(45);
/// How long to wait before connecting again: so long at first, then twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How many events are read ahead of the terminal.
const AHEAD: usize = 64;

pub(crate) fn run(args: WatchArgs) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.connection)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::failed(format!("cannot hear signals: {error}")))?;
    runtime.block_on(async {
        let told_to_stop = shutdown_signal().map_err(|error| Failure::failed(error.to_string()))?;
        let mut watching = Watching { client, since: args.since.clone(), pause: FIRST_PAUSE, connected: false, args };
        tokio::select! {
            () = told_to_stop => {}
            failed = watching.go_on() => failed?,
        }
        if let (Format::Table, Some(since)) = (watching.args.output.output, &watching.since) {
            output::note(&format!("to go on from here: --since {since}"));
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// What is being watched, and how far.
struct Watching {
    client: Client,
    args: WatchArgs,
    /// The last cut.
    since: Option<String>,
    pause: Duration,
    /// Whether a node has ever answered.
    connected: bool,
}

/// What a connection brings.
enum Brought {
    Connected,
    Event(Value),
    Ended(Option<Refused>),
}

impl Watching {
    /// Returns only with what cannot be mended by trying again.
    async fn go_on(&mut self) -> anyhow::Result<()> {
        if self.args.output.output == Format::Table {
            output::line("COLLECTION  KEY  VALUE  REGION")?;
        }
        loop {
            let why = self.connection().await?;
            let ms = self.pause.as_millis();
            output::note(&format!("{why}: connecting again in {ms} ms, to go on at the last cut"));
            tokio::time::sleep(self.pause).await;
            self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// One connection, until it ends; says why it did.
    async fn connection(&mut self) -> anyhow::Result<String> {
        let (sender, mut brought) = mpsc::channel(AHEAD);
        let (client, request) = (self.client.clone(), Request::get(self.path()));
        // A thread, for it waits; one that waits for a node that is silent ends when its connection does.
        std::thread::spawn(move || read(client, &request, &sender));
        loop {
            let next = tokio::time::timeout(SILENCE, brought.recv()).await;
            match next.map(Option::unwrap_or_default) {
                Err(_) => return Ok("the node is silent".to_owned()),
                Ok(Brought::Connected) => {
                    if self.connected {
                        output::note("connected again");
                    }
                    self.connected = true;
                }
                Ok(Brought::Event(event)) => {
                    self.pause = FIRST_PAUSE;
                    if let Some(why) = self.event(event)? {
                        return Ok(why);
                    }
                }
                Ok(Brought::Ended(None)) => return Ok("the connection was lost".to_owned()),
                Ok(Brought::Ended(Some(refused))) if self.connected && refused.passes => {
                    return Ok(refused.failure.what().to_owned());
                }
                Ok(Brought::Ended(Some(refused))) => return Err(refused.failure.into()),
            }
        }
    }

    fn path(&self) -> String {
        let parameters = [("collection", &self.args.collection), ("prefix", &self.args.prefix), ("since", &self.since)];
        let given = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
        let query: Vec<String> = given.map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("/v1/changes{mark}{}", query.join("&"))
    }

    /// Shows one event; says why if the node ends the stream with it.
    fn event(&mut self, event: Value) -> anyhow::Result<Option<String>> {
        let name = event.get("event").and_then(Value::as_str).unwrap_or_default();
        match (name, self.args.output.output) {
            ("change", Format::Table) => output::line(&line(&event))?,
            // One line each, unlike answers: there is no last one.
            ("change" | "cut", Format::Json) => output::line(&event.to_string())?,
            _ => {}
        }
        if let ("cut", Some(token)) = (name, event.get("token").and_then(Value::as_str)) {
            self.since = Some(token.to_owned());
        }
        Ok((name == "lagged").then(|| "this reader was too slow".to_owned()))
    }
}

fn line(change: &Value) -> String {
    let value = if change.get("deleted").is_some() { "deleted".to_owned() } else { json_cell(change.get("value")) };
    let cells = [cell(change.get("collection")), cell(change.get("key")), value, cell(change.get("region"))];
    cells.join("  ").trim_end().to_owned()
}

/// Reads one connection to its end, or until nobody listens.
fn read(mut client: Client, request: &Request, to: &mpsc::Sender<Brought>) {
    let told = |brought| to.blocking_send(brought).is_ok();
    let mut lines = match client.lines(request) {
        Ok(lines) => lines,
        Err(refused) => {
            told(Brought::Ended(Some(refused)));
            return;
        }
    };
    let mut listens = told(Brought::Connected);
    while listens {
        listens = match lines.next() {
            Some(event) => told(Brought::Event(event)),
            None => {
                told(Brought::Ended(None));
                false
            }
        };
    }
}

impl Default for Brought {
    /// What a thread that is gone brings.
    fn default() -> Self {
        Self::Ended(None)
    }
}
