//! A reader of changes.

use super::connect;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// An answer that goes on.
pub(crate) struct Feed {
    stream: BufReader<TcpStream>,
    head: String,
    text: String,
    server_sent: bool,
}

/// Changes and the cut that they end in.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) changes: Vec<Value>,
    pub(crate) token: String,
}

impl Feed {
    /// Asks for changes; `query` is what stands behind the path.
    pub(crate) fn open(addr: SocketAddr, query: &str, headers: &[(&str, &str)]) -> Self {
        Self::open_at(addr, &format!("/v1/changes{query}"), headers)
    }

    /// Asks for what goes on at some path.
    pub(crate) fn open_at(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let feed = Self::ask(addr, path, headers);
        assert!(feed.head.starts_with("HTTP/1.1 200 "), "{}", feed.head);
        let media = if feed.server_sent { "text/event-stream" } else { "application/x-ndjson" };
        assert_eq!(feed.header("content-type"), Some(media));
        feed
    }

    /// The next event that is no heartbeat.
    pub(crate) fn next_but_heartbeats(&mut self) -> Value {
        loop {
            let event = self.event().expect("it goes on");
            if event["event"] != "heartbeat" {
                return event;
            }
        }
    }

    fn ask(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut stream = connect(addr);
        let mut head = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).expect("sent");
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).expect("a head") > 0, "closed after {head:?}");
        }
        let server_sent = headers.iter().any(|(_, value)| value.contains("text/event-stream"));
        Self { stream, head, text: String::new(), server_sent }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The next chunk; `None` at the end of the answer, or of the connection.
    fn chunk(&mut self) -> Option<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        let length = usize::from_str_radix(line.trim(), 16).expect("a chunk's length");
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).ok()?;
        bytes.truncate(length);
        (length > 0).then(|| String::from_utf8(bytes).expect("UTF-8"))
    }

    /// The next event, with its name as `event` and its id as `id`; `None` at the end.
    pub(crate) fn event(&mut self) -> Option<Value> {
        let end = if self.server_sent { "\n\n" } else { "\n" };
        while !self.text.contains(end) {
            let chunk = self.chunk()?;
            self.text.push_str(&chunk);
        }
        let (event, rest) = self.text.split_once(end).expect("there is one");
        let event = if self.server_sent { server_sent(event) } else { serde_json::from_str(event).expect("JSON") };
        self.text = rest.to_owned();
        Some(event)
    }

    /// The next group; heartbeats are passed over. `None` at the end.
    pub(crate) fn group(&mut self) -> Option<Group> {
        let mut changes = Vec::new();
        loop {
            let event = self.event()?;
            match event["event"].as_str() {
                Some("change") => changes.push(event),
                Some("cut") => return Some(Group { changes, token: event["token"].as_str()?.to_owned() }),
                Some("heartbeat") => {}
                other => panic!("{other:?}: {event}"),
            }
        }
    }

    /// The next group that tells anything.
    pub(crate) fn changes(&mut self) -> Group {
        loop {
            let group = self.group().expect("it goes on");
            if !group.changes.is_empty() {
                return group;
            }
        }
    }
}

impl Group {
    /// Key and value, in the order in which they were told; what is deleted has no value.
    pub(crate) fn values(&self) -> BTreeMap<String, Option<Value>> {
        let value = |change: &Value| {
            assert!(change.get("value").is_some() != (change["deleted"] == true), "{change}");
            change.get("value").cloned()
        };
        let values: BTreeMap<String, Option<Value>> = self
            .changes
            .iter()
            .map(|change| (change["key"].as_str().expect("a key").to_owned(), value(change)))
            .collect();
        assert_eq!(values.len(), self.changes.len(), "each key once: {:?}", self.changes);
        values
    }
}

fn server_sent(text: &str) -> Value {
    let mut fields: BTreeMap<&str, &str> = BTreeMap::new();
    for line in text.lines() {
        let (name, value) = line.split_once(": ").expect("a field");
        assert_eq!(fields.insert(name, value), None, "{text}");
    }
    let mut event: Value = serde_json::from_str(fields["data"]).expect("JSON");
    event["event"] = fields["event"].into();
    // Only cuts have ids: what browsers send when they come again.
    let cut = event["token"].as_str().filter(|_| fields["event"] == "cut");
    assert_eq!(fields.get("id").copied(), cut, "{text}");
    event
}

/// What stands behind the path to go on after a cut.
pub(crate) fn since(token: &str) -> String {
    format!("?since={token}")
}

/// A change as it is told, without its event.
pub(crate) fn change(collection: &str, key: &str, value: Value, region: &str) -> Value {
    json!({"event": "change", "collection": collection, "key": key, "value": value, "region": region})
}
