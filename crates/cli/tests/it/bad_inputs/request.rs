//! HTTP as no client writes it: any bytes, any pace.

use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What came back on a connection until the node closed it.
#[derive(Debug)]
pub(super) struct Heard {
    /// 0 when there was no answer.
    pub(super) status: u16,
    /// Head and body.
    pub(super) text: String,
}

impl Heard {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let status = text.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        Self { status: status.unwrap_or(0), text }
    }

    /// The problem document, if it is one.
    pub(super) fn problem(&self) -> Value {
        let body = self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or(Value::Null)
    }

    /// It must be this problem, with all that a problem has.
    #[track_caller]
    pub(super) fn is(&self, status: u16, code: &str, what: &str) {
        let problem = self.problem();
        assert_eq!((self.status, &problem["code"]), (status, &json!(code)), "{}: {self:?}", shortened(what));
        assert_eq!((&problem["status"], &problem["type"]), (&json!(status), &json!(format!("/problems/{code}"))));
        assert!(problem["detail"].is_string() && problem["instance"].is_string(), "{problem}");
        let says = |header: &str| self.text.contains(&format!("\r\n{header}: "));
        assert!(says("anabranch-token") && says("anabranch-served-by"), "{self:?}");
    }
}

/// For messages: some inputs are long.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(120).collect()
}

pub(super) fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Reads until the node closes, for whatever reason.
pub(super) fn hear(mut stream: TcpStream) -> Heard {
    let mut bytes = Vec::new();
    // A node that closes while it is still sent something resets the connection: what came before counts.
    let _ = stream.read_to_end(&mut bytes);
    Heard::of(&bytes)
}

/// Sends bytes on a connection of their own.
pub(super) fn raw(port: u16, bytes: &[u8]) -> Heard {
    let mut stream = connect(port);
    // It may have answered and closed before all was sent.
    let _ = stream.write_all(bytes);
    hear(stream)
}

/// The head of a request for one answer, up to the headers of its body.
pub(super) fn head(method: &str, path: &str, headers: &[(&str, &[u8])]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n").into_bytes();
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.extend_from_slice(b"host: localhost\r\n");
    }
    for (name, value) in headers {
        head.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    head
}

/// Sends a request, which need not be one.
pub(super) fn send(port: u16, method: &str, path: &str, headers: &[(&str, &[u8])], body: &[u8]) -> Heard {
    let length = format!("content-length: {}\r\n\r\n", body.len());
    raw(port, &[&head(method, path, headers), length.as_bytes(), body].concat())
}
