//! Paths and methods that are none, and web pages that may ask. Bad bodies, names and hosts: crates/cli/tests/it/bad_inputs.

use crate::support::Server;
use serde_json::json;

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
fn pages_of_allowed_origins_may_ask() {
    let config =
        anabranch_server::HttpConfig { allowed_origins: vec!["https://app.example.com".into()], ..Default::default() };
    let server = Server::with(config);
    server.declare("c", "lww");
    for host in ["localhost", "LOCALHOST:9", "127.0.0.1:1", "[::1]:7501"] {
        assert_eq!(server.send("GET", "/health", &[("host", host)], "").status, 200, "{host}");
    }
    let put = |origin| server.send("PUT", "/v1/data/c/k", &[("origin", origin)], "1");
    assert_eq!(put("https://app.example.com").ok()["value"], json!(1));
    put("https://app.example.com:8443").problem(403, "foreign-origin");
}
