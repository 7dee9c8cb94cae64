//! A node in this process and a client that speaks plain HTTP/1.1.

pub(crate) mod ask;
pub(crate) mod cluster;
pub(crate) mod feed;
pub(crate) mod wire;

use anabranch::Database;
use anabranch_server::{HttpConfig, HttpServer, serve_http};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tokio::runtime::Runtime;

/// A database served over HTTP.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) database: Database,
    http: Option<HttpServer>,
    runtime: Runtime,
    _dir: tempfile::TempDir,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(HttpConfig::default())
    }

    pub(crate) fn with(config: HttpConfig) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let database = Database::builder().names("shop", "eu", "eu-1").open(dir.path().join("data")).expect("opens");
        let runtime = Runtime::new().expect("a runtime");
        let http = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            serve_http(database.clone(), None, listener, config).expect("serves")
        });
        Self { addr: http.addr(), database, http: Some(http), runtime, _dir: dir }
    }

    /// Stops serving, as a node does; says how long that took.
    pub(crate) fn stop(&mut self) -> Duration {
        let started = std::time::Instant::now();
        if let Some(http) = self.http.take() {
            self.runtime.block_on(http.stop());
        }
        started.elapsed()
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        send(self.addr, method, path, headers, body.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn put(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[], body)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[], body)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "")
    }

    /// Makes a collection.
    pub(crate) fn declare(&self, name: &str, resolver: &str) {
        let answer = self.put(&format!("/v1/collections/{name}"), &format!(r#"{{"resolver":"{resolver}"}}"#));
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    /// What must not change when something is refused.
    pub(crate) fn state(&self) -> Value {
        let status = self.get("/v1/status");
        assert_eq!(status.status, 200, "{status:?}");
        let shard = &status.json()["shards"][0];
        serde_json::json!([shard["digest"], shard["version_vector"], shard["log_transactions"]])
    }
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn token(&self) -> &str {
        self.header("anabranch-token").expect("every answer has a token")
    }

    pub(crate) fn context(&self) -> &str {
        self.header("anabranch-context").expect("a context")
    }

    /// Checks all that every problem of the one node has.
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.served_by(), "eu-1");
        self.problem_of(status, code)
    }

    /// The node that answered.
    pub(crate) fn served_by(&self) -> &str {
        self.header("anabranch-served-by").expect("every answer says who gave it")
    }

    /// Checks all that every problem has.
    pub(crate) fn problem_of(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"].as_str(), self.header("x-request-id"));
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        assert!(!self.token().is_empty());
        problem
    }

    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()
    }
}

/// Sends one request on a connection of its own.
pub(crate) fn send(addr: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("host: {addr}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    raw(addr, &[head.as_bytes(), body].concat())
}

/// Sends bytes, reads until the other side closes.
pub(crate) fn raw(addr: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = connect(addr);
    // The server may have answered and closed before all was sent.
    let _ = stream.write_all(bytes);
    read(&mut stream)
}

pub(crate) fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

pub(crate) fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = stream.read_to_end(&mut bytes);
    parse(&bytes).unwrap_or_else(|| panic!("{read:?}: no answer in {:?}", String::from_utf8_lossy(&bytes)))
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let body = String::from_utf8(bytes[end + 4..].to_vec()).ok()?;
    Some(Answer { status, headers: lines.filter_map(header).collect(), body })
}

/// A session's id that began that long ago.
pub(crate) fn session(age: Duration) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let ms = (now - age).as_millis() as u64;
    let random = uuid::Uuid::now_v7().simple().to_string();
    let stamp = format!("{ms:012x}");
    let hex = format!("{stamp}{}", &random[12..]);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
