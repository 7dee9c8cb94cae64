//! `anabranch conflicts`: a person decides at the terminal.

use crate::support::cluster::Cluster;
use serde_json::json;

#[test]
fn a_person_finds_compares_and_decides() {
    let cluster = Cluster::start(&["eu"]);
    let client = |arguments: &[&str]| cluster.client(0, arguments);
    client(&["collection", "create", "docs", "--resolver", "escalate"]).with_code(0);
    client(&["put", "docs", "readme", r#""first""#]).with_code(0);
    let seen = client(&["get", "docs", "readme", "-o", "json"]).with_code(0).json();
    let context = seen["context"].as_str().expect("a context").to_owned();
    // Both saw the first alone.
    for text in [r#""fn f() {\n    one();\n}""#, r#""fn f() {\n    two();\n}""#] {
        client(&["put", "docs", "readme", text, "--context", &context]).with_code(0);
    }
    let listed = client(&["conflicts", "list", "-o", "json"]).with_code(0).json();
    let conflict = listed["conflicts"][0].clone();
    let id = conflict["conflict"].as_str().expect("an id").to_owned();
    let table = client(&["conflicts", "list", "--collection", "docs"]).with_code(0).stdout;
    assert!(table.starts_with("CONFLICT") && table.contains(&id) && table.contains("eu, eu"), "{table}");

    assert_eq!(client(&["conflicts", "show", &id, "-o", "json"]).with_code(0).json(), conflict);
    let shown = client(&["conflicts", "show", &id, "--width", "60"]).with_code(0).stdout;
    assert!(shown.lines().any(|line| line.starts_with("  fn f() {") && line.ends_with("|   fn f() {")), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("*     one();") && line.ends_with("| *     two();")), "{shown}");
    assert!(shown.lines().filter(|line| line.contains(" | * ")).all(|line| line.len() <= 60), "{shown}");

    client(&["conflicts", "resolve", &id]).with_code(2);
    client(&["conflicts", "resolve", &id, "--keep", "x", "--value", "1"]).with_code(2);
    client(&["conflicts", "resolve", &id, "--value", "Ada"]).with_code(2).says(&["not JSON"]);
    client(&["conflicts", "resolve", &id, "--keep", "none"]).with_code(1).says(&["rejected", "none"]);
    client(&["put", "docs", "readme", r#""three""#]).with_code(0);
    let changed = client(&["conflicts", "resolve", &id, "--value", "1"]).with_code(1);
    let changed = changed.says(&["conflict-changed", "conflicts show"]);
    let now = client(&["conflicts", "list", "-o", "json"]).with_code(0).json()["conflicts"][0].clone();
    let now_id = now["conflict"].as_str().expect("an id");
    assert!(changed.stderr.contains(now_id), "it says which it is now: {}", changed.stderr);

    let option = now["options"][1]["option"].as_str().expect("an option");
    let resolve = ["conflicts", "resolve", now_id, "--keep", option, "--by", "ann", "--note", "it compiles"];
    let done = client(&resolve).with_code(0).json();
    assert_eq!(done["value"], now["options"][1]["value"]);
    client(&resolve).with_code(1).says(&["already-resolved", "ann", "conflicts history"]);
    client(&["conflicts", "show", now_id]).with_code(1).says(&["no-such-conflict", "404"]);

    let history = client(&["conflicts", "history", "--collection", "docs", "--key", "readme", "-o", "json"]);
    let history = history.with_code(0).json();
    assert_eq!((&history["history"][0]["by"], &history["next"]), (&json!("ann"), &json!(null)));
    let table = client(&["conflicts", "history"]).with_code(0).stdout;
    assert!(table.contains("it compiles") && table.contains("two();") && table.contains("eu"), "{table}");
    client(&["conflicts", "history", "--key", "readme"]).with_code(2);
    let empty = client(&["conflicts", "list", "-o", "json"]).with_code(0).json();
    assert_eq!(empty, json!({"conflicts": [], "next": null}));
}

#[test]
fn a_decision_goes_out_as_it_was_written_and_can_be_sent_again() {
    let cluster = Cluster::start(&["eu"]);
    let client = |arguments: &[&str]| cluster.client(0, arguments);
    client(&["collection", "create", "prices", "--resolver", "keep-all"]).with_code(0);
    client(&["put", "prices", "a", "0"]).with_code(0);
    let seen = client(&["get", "prices", "a", "-o", "json"]).with_code(0).json();
    let context = seen["context"].as_str().expect("a context").to_owned();
    for price in ["1", "2", "3"] {
        client(&["put", "prices", "a", price, "--context", &context]).with_code(0);
    }
    let listed = client(&["conflicts", "list", "-o", "json", "--limit", "1"]).with_code(0).json();
    let id = listed["conflicts"][0]["conflict"].as_str().expect("an id").to_owned();
    let key = format!("{}/1", uuid::Uuid::now_v7());
    let resolve = ["conflicts", "resolve", &id, "--value", r#"{"cents":[110]}"#, "--idempotency-key", &key];
    let first = client(&resolve).with_code(0).json();
    assert_eq!(first["value"], json!([{"cents": [110]}]));
    let again = client(&resolve).with_code(0).json();
    assert_eq!((&again["dot"], &again["repeated"]), (&first["dot"], &json!(true)));
}
