//! How events are written: as server-sent events, or as lines of JSON.

use anabranch::{Cut, Token, WatchedChange};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

/// About how many bytes of events are sent at a time; never less than one event.
const AT_ONCE: usize = 32 << 10;

const LAGGED: &str = "this reader did not take what it was sent: begin again at its last cut";

/// One of two forms, for one cluster's tokens.
#[derive(Clone)]
pub(crate) struct Form {
    pub(crate) server_sent: bool,
    pub(crate) cluster: Arc<str>,
}

impl Form {
    pub(crate) fn media(&self) -> &'static str {
        if self.server_sent { "text/event-stream" } else { "application/x-ndjson" }
    }

    /// The events of one group, or of a part of one, in pieces that are sent one by one.
    pub(super) fn part(&self, cut: &Cut) -> Vec<Bytes> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        for change in &cut.changes {
            self.event(&mut text, "change", None, self::change(change));
            if text.len() >= AT_ONCE {
                pieces.push(std::mem::take(&mut text).into());
            }
        }
        if cut.whole {
            self.write_cut(&mut text, &cut.token);
        }
        if !text.is_empty() {
            pieces.push(text.into());
        }
        pieces
    }

    /// Events of whatever kind, without ids, in pieces that are sent one by one.
    pub(super) fn events(&self, events: impl Iterator<Item = (&'static str, Value)>) -> Vec<Bytes> {
        let (mut pieces, mut text) = (Vec::new(), String::new());
        for (event, data) in events {
            self.event(&mut text, event, None, data);
            if text.len() >= AT_ONCE {
                pieces.push(std::mem::take(&mut text).into());
            }
        }
        if !text.is_empty() {
            pieces.push(text.into());
        }
        pieces
    }

    pub(super) fn cut(&self, token: &Token) -> Bytes {
        let mut text = String::new();
        self.write_cut(&mut text, token);
        text.into()
    }

    fn write_cut(&self, text: &mut String, token: &Token) {
        let token = token.encode(&self.cluster);
        self.event(text, "cut", Some(&token), json!({ "token": token }));
    }

    pub(super) fn heartbeat(&self) -> Bytes {
        self.alone("heartbeat", json!({}))
    }

    pub(super) fn lagged(&self) -> Bytes {
        self.alone("lagged", json!({ "detail": LAGGED }))
    }

    fn alone(&self, event: &str, data: Value) -> Bytes {
        let mut text = String::new();
        self.event(&mut text, event, None, data);
        text.into()
    }

    /// JSON has no line breaks of its own, and tokens have none.
    fn event(&self, text: &mut String, event: &str, id: Option<&str>, mut data: Value) {
        if !self.server_sent {
            data["event"] = event.into();
            text.push_str(&format!("{data}\n"));
            return;
        }
        let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
        text.push_str(&format!("event: {event}\n{id}data: {data}\n\n"));
    }
}

fn change(change: &WatchedChange) -> Value {
    let mut data = json!({ "collection": change.collection, "key": change.key, "region": change.region });
    match &change.outcome {
        Some(outcome) => data["value"] = outcome.value.clone(),
        None => data["deleted"] = true.into(),
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(server_sent: bool) -> Form {
        Form { server_sent, cluster: "shop".into() }
    }

    #[test]
    fn only_cuts_have_ids_and_parts_that_are_not_whole_have_none() {
        let change = WatchedChange { collection: "c".into(), key: "k\n".into(), outcome: None, region: None };
        let cut = |whole| Cut { changes: vec![change.clone()], token: Token::new(), shown: Token::new(), whole };
        let text = |pieces: Vec<Bytes>| String::from_utf8(pieces.concat()).expect("text");
        let token = Token::new().encode("shop");
        let told = "event: change\ndata: {\"collection\":\"c\",\"deleted\":true,\"key\":\"k\\n\",\"region\":null}\n\n";
        assert_eq!(text(form(true).part(&cut(false))), told);
        let end = format!("event: cut\nid: {token}\ndata: {{\"token\":\"{token}\"}}\n\n");
        assert_eq!(text(form(true).part(&cut(true))), format!("{told}{end}"));
        let lines = text(form(false).part(&cut(true)));
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let change = json!({"event": "change", "collection": "c", "key": "k\n", "region": null, "deleted": true});
        assert_eq!(lines, [change, json!({"event": "cut", "token": token})]);
    }

    #[test]
    fn much_is_sent_in_pieces_of_whole_events() {
        let change = WatchedChange { collection: "c".into(), key: "k".repeat(500), outcome: None, region: None };
        let cut = Cut { changes: vec![change; 200], token: Token::new(), shown: Token::new(), whole: true };
        let pieces = form(false).part(&cut);
        assert!(pieces.len() > 2 && pieces.iter().all(|piece| piece.len() < AT_ONCE + 1_000 && piece.ends_with(b"\n")));
    }
}
