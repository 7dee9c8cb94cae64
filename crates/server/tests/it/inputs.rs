//! Bad bodies and bad names: refused whole, and the process serves on.

use crate::support::{Server, raw, send};
use serde_json::json;

#[test]
fn json_that_could_be_read_in_two_ways_is_refused() {
    let server = Server::start();
    server.declare("c", "lww");
    assert_eq!(server.put("/v1/data/c/k", "0").status, 200);
    let state = server.state();
    let deep = "[".repeat(100_000);
    let deep_objects = "{\"a\":".repeat(100_000);
    let just_too_deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    for bad in [
        "",
        "{",
        "NaN",
        "Infinity",
        "1e400",
        "-1e400",
        "12345678901234567890123",
        "0.1000000000000000055511151231257827",
        r#"{"a":1,"a":2}"#,
        r#"{"a":{"b":1,"b":1}}"#,
        r#"{"a":1,"\u0061":2}"#,
        r#""\ud800""#,
        "\"\0\"",
        "1 2",
        "'a'",
        &deep,
        &deep_objects,
        &just_too_deep,
    ] {
        let problem = server.put("/v1/data/c/k", bad).problem(400, "bad-request");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("line 1, column ")), "{problem}");
        server.post("/v1/data/c/k", bad).problem(400, "bad-request");
    }
    send(server.addr, "PUT", "/v1/data/c/k", &[], b"\"\xff\xfe\"").problem(400, "bad-request");
    assert_eq!(server.state(), state);
    let deepest = format!("{}{}", "[".repeat(64), "]".repeat(64));
    for good in ["0.1", "1.0", "18446744073709551615", r#""\u0000""#, &deepest] {
        assert_eq!(server.put("/v1/data/c/k", good).status, 200, "{good}");
        assert_eq!(server.post("/v1/data/c/k", &format!("{{\"put\":{good}}}")).status, 200, "{good}");
        let got = server.get("/v1/data/c/k").body;
        assert!(got.contains(&format!("\"value\":{good}")), "{got}");
    }
}

#[test]
fn names_follow_the_allow_list() {
    let server = Server::start();
    server.declare("c", "lww");
    let state = server.state();
    let long = "x".repeat(129);
    let long_key = "k".repeat(513);
    for name in [
        "..",
        ".",
        "%2e%2e",
        "..%2fx",
        "a%2Fb",
        "%00",
        "a%00",
        "_sys",
        "_resolvers",
        "a~nope",
        "%ff",
        "%",
        "%zz",
        "a%20b",
        "%E2%80%8B",
        "%D9%85",
        long.as_str(),
    ] {
        server.put(&format!("/v1/collections/{name}"), r#"{"resolver":"lww"}"#).problem(400, "bad-request");
        server.put(&format!("/v1/data/{name}/k"), "1").problem(400, "bad-request");
        server.get(&format!("/v1/data/{name}")).problem(400, "bad-request");
    }
    for key in ["..", ".", "%2e%2e", "%00", "a%0Ab", "%7F", "%C2%85", "%ff", "%", "%4", long_key.as_str()] {
        server.put(&format!("/v1/data/c/{key}"), "1").problem(400, "bad-request");
        server.get(&format!("/v1/data/c/{key}")).problem(400, "bad-request");
        server.delete(&format!("/v1/data/c/{key}")).problem(400, "bad-request");
        server.get(&format!("/v1/explain/c/{key}")).problem(400, "bad-request");
    }
    for path in ["/v1/data//k", "/v1/data/c/", "/v1/data/", "/v1/collections/", "/v1/explain/c/"] {
        server.put(path, "1").problem(400, "bad-request");
    }
    server.put("/v1/data/c/a/b", "1").problem(404, "not-found");
    server.put("/v1/data/none/k", "1").problem(404, "no-such-collection");
    server.post("/v1/data/none/k", r#"{"add":1}"#).problem(404, "no-such-collection");
    server.delete("/v1/data/none/k").problem(404, "no-such-collection");
    assert_eq!(server.state(), state);
}

#[test]
fn bodies_are_json_of_bounded_size() {
    let server = Server::start();
    server.declare("c", "lww");
    let state = server.state();
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let answer = server.send("PUT", "/v1/data/c/k", &[("content-type", media)], "1");
        answer.problem(415, "unsupported-media-type");
    }
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    server.put("/v1/data/c/k", &large).problem(413, "too-large");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let head = format!("PUT /v1/data/c/k HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n", server.addr);
    raw(server.addr, format!("{head}{}", chunk.repeat(40)).as_bytes()).problem(413, "too-large");
    let cut = format!(
        "PUT /v1/data/c/k HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 5\r\n\r\n1",
        server.addr
    );
    let mut stream = crate::support::connect(server.addr);
    std::io::Write::write_all(&mut stream, cut.as_bytes()).expect("sent");
    drop(stream);
    assert_eq!(server.state(), state);
    for media in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(server.send("PUT", "/v1/data/c/k", &[("content-type", media)], "1").status, 200, "{media}");
    }
    let most = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    assert_eq!(server.put("/v1/data/c/k", &most).status, 200);
}

#[test]
fn paths_and_methods_that_are_none_are_problems() {
    let server = Server::start();
    server.declare("c", "lww");
    for path in ["/", "/v1", "/v2/data/c/k", "/v1/inbox", "/v1/change", "/favicon.ico"] {
        server.get(path).problem(404, "not-found");
    }
    for (method, path, allow) in [
        ("PATCH", "/v1/data/c/k", "GET,HEAD,PUT,DELETE,POST"),
        ("DELETE", "/v1/collections/c", "PUT,GET,HEAD"),
        ("POST", "/health", "GET,HEAD"),
        ("GET", "/v1/transactions", "POST"),
    ] {
        let answer = server.send(method, path, &[], "");
        answer.problem(405, "method-not-allowed");
        let sorted = |text: &str| {
            let mut methods: Vec<String> = text.split(',').map(|method| method.trim().to_owned()).collect();
            methods.sort();
            methods
        };
        assert_eq!(sorted(answer.header("allow").expect("allowed methods")), sorted(allow));
    }
}

#[test]
fn foreign_pages_are_refused() {
    let config =
        anabranch_server::HttpConfig { allowed_origins: vec!["https://app.example.com".into()], ..Default::default() };
    let server = Server::with(config);
    server.declare("c", "lww");
    let state = server.state();
    let own = format!("http://{}", server.addr);
    for (name, bad) in [
        ("origin", "https://evil.example.com"),
        ("origin", "null"),
        ("origin", own.as_str()),
        ("host", "evil.example.com"),
        ("host", "127.0.0.1.evil.example.com:80"),
        ("host", "localhost@evil.example.com"),
        ("host", ""),
    ] {
        server.send("PUT", "/v1/data/c/k", &[(name, bad)], "1").problem(403, "foreign-origin");
        server.send("GET", "/health", &[(name, bad)], "").problem(403, "foreign-origin");
    }
    let absolute = "GET http://evil.example.com/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    raw(server.addr, absolute.as_bytes()).problem(403, "foreign-origin");
    assert_eq!(server.state(), state);
    for host in ["localhost", "LOCALHOST:9", "127.0.0.1:1", "[::1]:7501"] {
        assert_eq!(server.send("GET", "/health", &[("host", host)], "").status, 200, "{host}");
    }
    let allowed = server.send("PUT", "/v1/data/c/k", &[("origin", "https://app.example.com")], "1");
    assert_eq!(allowed.ok()["value"], json!(1));
}
