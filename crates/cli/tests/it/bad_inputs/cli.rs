//! Client commands that were asked for wrongly, and answers that no node would give: a definite end, nothing done, and a terminal
//! that nobody steers.

use super::Target;
use crate::support::command::{Ended, finish, program};
use anabranch_causality::{Origin, ShardId, Token};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

/// Waiting for an answer ends before.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn what_cannot_be_meant_is_refused_before_or_by_the_node() {
    let mut target = Target::start(&[]);
    let client = |arguments: &[&str]| target.cluster.client(0, arguments);
    let usage: [&[&str]; 14] = [
        &["promote"],
        &["get", "c"],
        &["get", "c", "good", "more"],
        &["get", "c", "good", "--no-such-flag"],
        &["get", "c", "good", "-o", "yaml"],
        &["get", "c", "good", "--wait", "31s"],
        &["get", "c", "good", "--wait", "soon"],
        &["get", "c", "good", "--wait", "99999999999999999999s"],
        &["scan", "c", "--limit", "0"],
        &["scan", "c", "--limit", "1001"],
        &["put", "c", "good", "NaN"],
        &["put", "c", "good", ""],
        &["put", "c", "good", "{\"a\":"],
        &["op", "likes", "p", "add 1"],
    ];
    for arguments in usage {
        client(arguments).with_code(2).says(&["error: "]);
    }
    let endless = "x".repeat(100_000);
    let refused: [(&[&str], &str); 12] = [
        (&["put", "c", "good", "{\"a\":1,\"a\":2}"], "twice"),
        (&["put", "c", "good", "1e400"], "bad-request"),
        (&["put", "c", "a\nb", "1"], "bad-request"),
        (&["put", "c", "", "1"], "bad-request"),
        (&["put", "c", "..", "1"], "bad-request"),
        (&["put", "_sys", "k", "1"], "bad-request"),
        (&["put", "../x", "k", "1"], "bad-request"),
        (&["collection", "create", "a~b", "--resolver", "lww"], "bad-request"),
        (&["op", "likes", "p", "{\"add\":-1}"], "rejected"),
        (&["del", "likes", "p"], "not-supported"),
        (&["put", "c", "good", "1", "--idempotency-key", "1"], "bad-idempotency-key"),
        (&["put", "c", "good", "1", "--context", "1"], "bad-context"),
    ];
    for (arguments, code) in refused {
        client(arguments).with_code(1).says(&[code, "nothing was changed"]);
    }
    client(&["put", "c", &endless, "1"]).with_code(1).says(&["nothing was sent"]);
    for url in [
        "",
        "ftp://127.0.0.1",
        "127.0.0.1:7501",
        "http://",
        "http://127.0.0.1:0",
        "http://127.0.0.1:70000",
        "http://[::1]:x",
    ] {
        let ended = crate::support::command::run(&["get", "c", "good", "--url", url]);
        ended.with_code(2).says(&["is not a node's address", "nothing was sent"]);
    }
    target.is_unharmed("commands");
    target.serves_on();
}

#[test]
fn a_file_that_is_no_session_is_refused_and_kept() {
    let mut target = Target::start(&[]);
    let file = target.cluster.dir().join("session");
    let name = file.to_str().expect("a path");
    let foreign = Token::of(ShardId(0), [(Origin(1), 1)].into_iter().collect()).encode("bank");
    for (what, bytes, code) in [
        ("text", b"garbage".to_vec(), "bad-token"),
        ("of another cluster", foreign.into_bytes(), "wrong-cluster-token"),
        ("a header", b"x\r\nX-Y: z".to_vec(), "it holds something else"),
        ("not UTF-8", b"\xff\xfe".to_vec(), "UTF-8"),
    ] {
        fs::write(&file, &bytes).expect("writing");
        for command in [&["get", "c", "good"][..], &["put", "c", "good", "1"]] {
            target.cluster.client(0, &[command, &["--token-file", name]].concat()).with_code(1).says(&[code]);
            assert_eq!(fs::read(&file).expect("a file"), bytes, "{what}: what it said is not lost");
        }
    }
    fs::File::create(&file).and_then(|file| file.set_len(10 << 30)).expect("a file full of zeros");
    target.cluster.client(0, &["get", "c", "good", "--token-file", name]).with_code(1).says(&["too long"]);
    fs::remove_file(&file).expect("removing");
    fs::create_dir(&file).expect("a directory");
    target.cluster.client(0, &["get", "c", "good", "--token-file", name]).with_code(1).says(&["directory"]);
    target.is_unharmed("session files");
    target.serves_on();
}

/// What a command makes of an answer that these bytes are.
fn told(answer: &'static [u8]) -> Ended {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 4_096];
        // It may go away at any time.
        let _ = stream.read(&mut request);
        let _ = stream.write_all(answer);
    });
    let mut command = program();
    command.args(["get", "c", "good", "--url", &format!("http://127.0.0.1:{port}")]);
    let ended = finish(command);
    answering.join().expect("it has answered");
    ended
}

#[test]
fn answers_of_no_node_are_no_answers() {
    let began = Instant::now();
    for answer in [
        &b""[..],
        b"nonsense\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"HTTP/1.1 999 What\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 400 Bad\r\ncontent-length: 13\r\n\r\n{\"x\":\"\\u001b\"}",
        b"HTTP/1.1 400 Bad\r\ncontent-length: 38\r\n\r\n{\"code\":\"\\u001b[2J\",\"detail\":\"\\u0007\"}  ",
    ] {
        let shown = String::from_utf8_lossy(answer);
        let ended = told(answer);
        assert_eq!(ended.code, Some(1), "{shown}: {ended:?}");
        let text = ended.stdout + &ended.stderr;
        assert!(text.contains("error: ") && !text.contains("panicked"), "{shown}: {text}");
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{shown}: {text:?}");
    }
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
}
