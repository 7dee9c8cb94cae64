//! One node and the client commands.

use crate::support::cluster::Cluster;
use crate::support::command::{finish, program, run};
use crate::support::ports::free_port;
use crate::support::process::Process;
use serde_json::json;
use std::time::Duration;

#[test]
fn a_node_serves_every_client_command() {
    let mut cluster = Cluster::start(&["eu"]);
    let client = |arguments: &[&str]| cluster.client(0, arguments);

    client(&["collection", "create", "profiles", "--resolver", "keep-all"]).with_code(0);
    client(&["collection", "create", "likes", "--resolver", "g-counter"]).with_code(0);
    client(&["collection", "create", "likes", "--resolver", "g-counter"]).with_code(0);
    client(&["collection", "create", "docs", "--resolver", "map", "--field", "body=keep-all"]).with_code(0);
    let set = client(&["op", "docs", "k", r#"{"set":{"body":"x"}}"#]).with_code(0).json();
    assert_eq!(set["value"], json!({ "body": ["x"] }));
    client(&["collection", "create", "docs", "--resolver", "map", "--field", "body"])
        .with_code(2)
        .says(&["FIELD=RESOLVER"]);
    client(&["collection", "create", "likes", "--resolver", "cart"]).with_code(1).says(&["resolver-mismatch", "409"]);
    let listed = client(&["collection", "list", "-o", "json"]).with_code(0).json();
    assert_eq!(listed["collections"].as_array().map(Vec::len), Some(3), "{listed}");
    let table = client(&["collection", "list"]).with_code(0).stdout;
    assert!(table.starts_with("NAME") && table.contains("likes"), "{table}");

    let key = "user/1 é%?";
    let put = client(&["put", "profiles", key, r#"{"name":"Ada"}"#]).with_code(0).json();
    assert!(put["dot"].as_str().is_some_and(|dot| dot.starts_with("0:")), "{put}");
    let got = client(&["get", "profiles", key, "-o", "json"]).with_code(0).json();
    assert_eq!((&got["value"], &got["key"]), (&json!([{ "name": "Ada" }]), &json!(key)));
    let context = got["context"].as_str().expect("a context").to_owned();
    client(&["put", "profiles", key, "\"Bo\"", "--context", &context]).with_code(0);
    // Written with the first one's context: it has not seen Bo, so both stand.
    client(&["put", "profiles", key, "\"Cy\"", "--context", &context]).with_code(0);
    let got = client(&["get", "profiles", key, "-o", "json"]).with_code(0).json();
    assert_eq!((&got["value"], &got["conflicts"]), (&json!(["Bo", "Cy"]), &json!(2)));
    let explained = client(&["explain", "profiles", key, "-o", "json"]).with_code(0).json();
    assert_eq!(explained["versions"].as_array().map(Vec::len), Some(2), "{explained}");
    let table = client(&["explain", "profiles", key]).with_code(0).stdout;
    assert!(table.contains("\"Bo\"") && table.contains("reason:"), "{table}");

    client(&["op", "likes", "post:1", r#"{"add":2}"#]).with_code(0);
    client(&["op", "likes", "post:2", r#"{"add":-1}"#]).with_code(1).says(&["state:", "nothing was changed"]);
    client(&["op", "likes", "post:2", r#"{"add":3}"#]).with_code(0);
    let page = client(&["scan", "likes", "--prefix", "post:", "--limit", "1", "-o", "json"]).with_code(0).json();
    assert_eq!((&page["items"][0]["value"], &page["next"]), (&json!(2), &json!("post:1")));
    let rest = client(&["scan", "likes", "--after", "post:1"]).with_code(0).stdout;
    assert!(rest.contains("post:2") && !rest.contains("post:1"), "{rest}");

    client(&["del", "profiles", key]).with_code(0);
    client(&["get", "profiles", key]).with_code(1).says(&["no-such-key", "404"]);
    client(&["get", "nothing", key]).with_code(1).says(&["no-such-collection"]);
    client(&["put", "profiles", key, "Ada"]).with_code(2).says(&["not JSON", "'\"Ada\"'"]);

    let status = client(&["status", "-o", "json"]).with_code(0).json();
    assert_eq!((&status["cluster"], &status["region"]), (&json!("shop"), &json!("eu")));
    let table = client(&["status"]).with_code(0).stdout;
    assert!(table.contains("shop") && table.contains("DIGEST"), "{table}");

    cluster.stop(0);
    let log = std::fs::read_to_string(cluster.nodes[0].config.with_extension("log")).expect("a log");
    assert!(log.contains("node started") && !log.contains("WARN") && !log.contains("ERROR"), "{log}");
}

#[test]
fn sigterm_at_any_moment_ends_a_node_well() {
    let mut cluster = Cluster::prepare(&["eu"]);
    cluster.start_node(0);
    cluster.stop(0);
    let log = cluster.nodes[0].config.with_extension("log");
    let starts = || std::fs::read_to_string(&log).expect("a log").matches("node started").count();
    for ms in (20..80).step_by(6) {
        let before = starts();
        let mut process = Process::start(&cluster.nodes[0].config);
        std::thread::sleep(Duration::from_millis(ms));
        let (status, took) = process.terminate();
        // Too early for the program to hear of it, the signal ends it as any program.
        assert!(status.success() || starts() == before, "{status} of a node that had started, after {ms} ms");
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
    cluster.start_node(0);
}

#[test]
fn logs_are_json_when_asked_for_and_filters_are_checked() {
    let mut cluster = Cluster::prepare(&["eu"]);
    let mut command = program();
    command.args(["serve", "--log-format", "json", "--config"]).arg(&cluster.nodes[0].config);
    cluster.nodes[0].process = Some(Process::start_command(command, &cluster.nodes[0].config));
    cluster.wait_until_up(0);
    cluster.stop(0);
    let log = std::fs::read_to_string(cluster.nodes[0].config.with_extension("log")).expect("a log");
    assert!(!log.is_empty());
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert!(line["level"].is_string() && line["timestamp"].is_string(), "{line}");
    }
    run(&["collection", "list", "--log", "anabranch=loudest"]).with_code(2).says(&["loudest"]);
}

#[test]
fn a_token_file_and_an_idempotency_key_make_a_session() {
    let cluster = Cluster::start(&["eu"]);
    cluster.client(0, &["collection", "create", "likes", "--resolver", "g-counter"]).with_code(0);
    let file = cluster.dir().join("session");
    let file = file.to_str().expect("a path");
    let key = format!("{}/1", uuid::Uuid::now_v7());

    let add = ["op", "likes", "post:1", r#"{"add":2}"#, "--token-file", file, "--idempotency-key", &key];
    cluster.client(0, &add).with_code(0);
    let again = cluster.client(0, &add).with_code(0).json();
    assert_eq!(again["repeated"], json!(true), "{again}");
    let token = std::fs::read_to_string(file).expect("a token");
    let got = cluster.client(0, &["get", "likes", "post:1", "--token", token.trim(), "-o", "json"]).with_code(0);
    assert_eq!(got.json()["value"], json!(2));
    got.says(&["token: "]);

    let other = ["op", "likes", "post:1", r#"{"add":3}"#, "--idempotency-key", &key];
    cluster.client(0, &other).with_code(1).says(&["idempotency-key-reused"]);
    cluster.client(0, &["get", "likes", "post:1", "--token", "nonsense"]).with_code(1).says(&["bad-token"]);
    std::fs::write(file, "no token at all").expect("writing");
    cluster.client(0, &["get", "likes", "post:1", "--token-file", file]).with_code(1).says(&[file]);
}

#[test]
fn a_flag_overrides_the_environment_and_that_the_file() {
    let mut cluster = Cluster::prepare(&["eu"]);
    let (from_environment, from_flag) = (free_port(), free_port());
    let mut command = program();
    command.args(["serve", "--config"]).arg(&cluster.nodes[0].config);
    command.env("ANABRANCH_HTTP", format!("127.0.0.1:{from_environment}"));
    command.env("ANABRANCH_DATA_DIR", cluster.dir().join("elsewhere"));
    command.args(["--http", &format!("127.0.0.1:{from_flag}")]);
    cluster.nodes[0].process = Some(Process::start_command(command, &cluster.nodes[0].config));
    cluster.nodes[0].http = from_flag;
    cluster.wait_until_up(0);
    assert!(cluster.dir().join("elsewhere").is_dir() && !cluster.nodes[0].data.exists());
    cluster.stop(0);
}

#[test]
fn without_a_node_commands_say_so() {
    let port = free_port();
    let url = format!("http://127.0.0.1:{port}");
    run(&["get", "likes", "x", "--url", &url]).with_code(1).says(&[&url, "nothing was sent", "anabranch serve"]);
    run(&["get", "likes", "x", "--url", "https://127.0.0.1"]).with_code(2).says(&["plain HTTP"]);
    let mut from_environment = program();
    from_environment.args(["status"]).env("ANABRANCH_URL", &url);
    finish(from_environment).with_code(1).says(&[&url]);
    run(&["frobnicate"]).with_code(2);
    run(&["get", "likes"]).with_code(2);
}
