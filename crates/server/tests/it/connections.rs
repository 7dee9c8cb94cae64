//! Connections: slow ones, silent ones, too many, and the end.

use crate::support::{Server, connect, raw, read};
use anabranch_server::HttpConfig;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

fn short() -> HttpConfig {
    let short = Duration::from_millis(300);
    HttpConfig { header_timeout: short, body_timeout: short, ..HttpConfig::default() }
}

/// Reads until the server closes; says how long that took.
fn closed(mut stream: std::net::TcpStream) -> Duration {
    let started = Instant::now();
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut rest);
    started.elapsed()
}

#[test]
fn silent_and_slow_connections_are_closed() {
    let server = Server::with(short());
    let silent = connect(server.addr);
    let mut slow = connect(server.addr);
    slow.write_all(b"GET /health HTTP/1.1\r\nhos").expect("sent");
    let mut idle = connect(server.addr);
    idle.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
    for stream in [silent, slow, idle] {
        let took = closed(stream);
        assert!(took < Duration::from_secs(3), "{took:?}");
    }
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn a_header_that_drips_does_not_hold_the_connection() {
    let server = Server::with(short());
    let mut stream = connect(server.addr);
    let started = Instant::now();
    for byte in b"GET /health HTTP/1.1\r\nhost: localhost\r\nx-long-header: aaaaaaaaaaaaaa" {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    closed(stream);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_body_that_does_not_come_is_an_error() {
    let server = Server::with(short());
    server.declare("c", "lww");
    let state = server.state();
    let mut stream = connect(server.addr);
    stream.write_all(b"PUT /v1/data/c/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n\"ab").expect("sent");
    let problem = read(&mut stream).problem(400, "bad-request");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("in time")), "{problem}");
    assert_eq!(server.state(), state);
}

#[test]
fn connections_are_counted() {
    let server = Server::with(HttpConfig { max_connections: 2, ..HttpConfig::default() });
    // Accepted in the order in which they came.
    let held = [connect(server.addr), connect(server.addr)];
    let refused = raw(server.addr, b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert_eq!(refused.json()["code"], "too-many-requests");
    drop(held);
    let head = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let deadline = Instant::now() + Duration::from_secs(5);
    while raw(server.addr, head).status != 200 {
        assert!(Instant::now() < deadline, "places are given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn several_requests_share_a_connection() {
    let server = Server::start();
    let one = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let mut stream = connect(server.addr);
    stream.write_all(&[&one[..], &one[..], &last[..]].concat()).expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("answers");
    assert_eq!(text.matches("HTTP/1.1 200").count(), 3, "{text}");
}

#[test]
fn stopping_lets_requests_finish_and_waits_for_nobody_else() {
    let mut server = Server::start();
    server.declare("c", "lww");
    let idle = connect(server.addr);
    let far = anabranch::Token::of(anabranch::ShardId(0), [(anabranch::Origin(1), 1)].into_iter().collect());
    let far = far.encode("shop");
    let addr = server.addr;
    let quick = [("anabranch-token", far.as_str()), ("anabranch-wait", "700ms")];
    let endless = [("anabranch-token", far.as_str()), ("anabranch-wait", "30s")];
    std::thread::scope(|scope| {
        let finishes = scope.spawn(|| crate::support::send(addr, "GET", "/v1/data/c/k", &quick, b""));
        let cut_off = scope.spawn(|| {
            let head = format!(
                "GET /v1/data/c/k HTTP/1.1\r\nhost: {addr}\r\n{}: {}\r\n{}: {}\r\n\r\n",
                endless[0].0, endless[0].1, endless[1].0, endless[1].1
            );
            let mut stream = connect(addr);
            stream.write_all(head.as_bytes()).expect("sent");
            closed(stream)
        });
        std::thread::sleep(Duration::from_millis(200));
        let took = server.stop();
        assert!(took < Duration::from_secs(4), "{took:?}");
        finishes.join().expect("no panic").problem(504, "token-not-reached");
        assert!(cut_off.join().expect("no panic") < Duration::from_secs(5));
    });
    assert!(closed(idle) < Duration::from_secs(1));
    assert!(std::net::TcpStream::connect(addr).is_err());
}
