//! Idempotency keys.

use crate::support::{Server, session};
use serde_json::json;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn add(server: &Server, key: &str, n: i64) -> crate::support::Answer {
    server.send("POST", "/v1/data/likes/p", &[("idempotency-key", key)], &json!({ "add": n }).to_string())
}

#[test]
fn sent_again_a_write_takes_effect_once() {
    let server = Server::start();
    server.declare("likes", "g-counter");
    let id = session(Duration::ZERO);
    let first = add(&server, &format!("{id}/1"), 5).ok();
    assert_eq!((&first["value"], first.get("repeated")), (&json!(5), None));
    for form in [format!("{id}/1"), id.clone(), format!("\"{id}\""), id.to_uppercase()] {
        let again = add(&server, &form, 5).ok();
        assert_eq!((&again["repeated"], &again["dot"], &again["value"]), (&json!(true), &first["dot"], &json!(5)));
    }
    // Any order within the window.
    assert_eq!(add(&server, &format!("{id}/1000"), 1).ok()["value"], json!(6));
    assert_eq!(add(&server, &format!("{id}/2"), 1).ok()["value"], json!(7));
}

#[test]
fn at_the_same_moment_too() {
    let server = Server::start();
    server.declare("likes", "g-counter");
    let key = format!("{}/1", session(Duration::ZERO));
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| add(&server, &key, 5).ok())).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.get("repeated").is_none()).count(), 1);
    assert!(answers.iter().all(|answer| answer["value"] == json!(5) && answer["dot"] == answers[0]["dot"]));
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    let server = Server::start();
    server.declare("likes", "g-counter");
    let id = session(Duration::ZERO);
    assert_eq!(add(&server, &format!("{id}/2000"), 1).status, 200);
    let state = server.state();
    add(&server, &format!("{id}/2000"), 2).problem(409, "idempotency-key-reused");
    add(&server, &format!("{id}/1"), 1).problem(400, "bad-idempotency-key");
    add(&server, &format!("{}/1", session(8 * DAY)), 1).problem(410, "idempotency-key-expired");
    let v4 = uuid::Uuid::new_v4().to_string();
    let bad =
        [String::new(), "x".into(), v4, format!("{id}/0"), format!("{id}/x"), format!("{id}/18446744073709551615")];
    for bad in bad {
        add(&server, &bad, 1).problem(400, "bad-idempotency-key");
    }
    let two = [("idempotency-key", id.as_str()), ("idempotency-key", id.as_str())];
    server.send("POST", "/v1/data/likes/p", &two, r#"{"add":1}"#).problem(400, "bad-idempotency-key");
    assert_eq!(server.state(), state);
    assert_eq!(add(&server, &format!("{}/1", session(6 * DAY)), 1).status, 200);
}

#[test]
fn a_rejection_uses_up_no_counter() {
    let server = Server::start();
    server.declare("likes", "g-counter");
    let key = format!("{}/1", session(Duration::ZERO));
    add(&server, &key, -1).problem(422, "rejected");
    assert_eq!(add(&server, &key, 1).ok()["value"], json!(1));
}
