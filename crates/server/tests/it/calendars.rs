//! Calendars over HTTP.

use crate::support::Server;
use crate::support::cluster::{Cluster, peer, until};
use crate::support::session;
use serde_json::{Value, json};
use std::time::Duration;

const ROOM: &str = "/v1/data/rooms/room-7";

fn book(id: &str, start: &str, end: &str, by: &str) -> String {
    let (start, end) = (format!("2026-03-02T{start}:00Z"), format!("2026-03-02T{end}:00Z"));
    json!({"book": {"booking": id, "start": start, "end": end, "title": "Standup", "by": by}}).to_string()
}

fn statuses(value: &Value) -> Vec<(String, String)> {
    let text = |entry: &Value, name: &str| entry[name].as_str().expect("a text").to_owned();
    let bookings = value["bookings"].as_array().expect("bookings");
    bookings.iter().map(|entry| (text(entry, "booking"), text(entry, "status"))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, status)| ((*id).to_owned(), (*status).to_owned())).collect()
}

#[test]
fn a_calendar_takes_all_its_forms() {
    let server = Server::start();
    server.declare("rooms", "calendar");
    let written = server.post(ROOM, &book("a", "09:00", "10:00", "Ann")).ok();
    let expected = json!({"bookings": [{"booking": "a", "start": "2026-03-02T09:00:00Z", "end": "2026-03-02T10:00:00Z",
        "title": "Standup", "by": "Ann", "status": "confirmed"}], "conflicts": []});
    assert_eq!(written["value"], expected);
    let got = server.get(ROOM).ok();
    assert_eq!(
        got,
        json!({"collection": "rooms", "key": "room-7", "resolver": "calendar", "value": expected, "conflicts": 0})
    );
    let moved =
        r#"{"move":{"booking":"a","start":"2026-03-02T11:00:00+01:00","end":"2026-03-02T12:00:00+01:00","by":"Bob"}}"#;
    let moved = server.post(ROOM, moved).ok();
    assert_eq!(moved["value"]["bookings"][0]["start"], "2026-03-02T10:00:00Z");
    let cancelled = server.post(ROOM, r#"{"cancel":{"booking":"a","by":"Bob"}}"#).ok();
    assert_eq!(statuses(&cancelled["value"]), pairs(&[("a", "cancelled")]));
    assert_eq!(server.post(ROOM, r#"{"cancel":{"booking":"a","by":"Bob"}}"#).status, 200);
    server.get("/v1/data/rooms/none").problem(404, "no-such-key");
    let versions = server.get("/v1/explain/rooms/room-7").ok()["versions"].as_array().map(Vec::len);
    assert_eq!(versions, Some(5), "where it is, who booked it, and what was changed");
}

#[test]
fn what_a_calendar_refuses() {
    let server = Server::start();
    server.declare("rooms", "calendar");
    server.post(ROOM, &book("a", "09:00", "10:00", "Ann")).ok();
    let taken = server.post(ROOM, &book("b", "09:30", "10:30", "Bob")).problem(409, "slot-taken");
    assert_eq!(taken["bookings"], json!(["a"]));
    let detail = taken["detail"].as_str().expect("a detail");
    assert!(detail.contains("booking a has 2026-03-02T09:00:00Z to 2026-03-02T10:00:00Z"), "{detail}");
    let delete = server.delete(ROOM).problem(422, "not-supported");
    assert!(delete["detail"].as_str().is_some_and(|detail| detail.contains(r#"{"cancel""#)), "{delete}");
    server.put(ROOM, "1").problem(422, "not-supported");
    server.post(ROOM, &book("a", "11:00", "12:00", "Ann")).problem(422, "rejected");
    server.post(ROOM, r#"{"cancel":{"booking":"none","by":"Ann"}}"#).problem(422, "rejected");
    server.post(ROOM, &book("c", "12:00", "12:00", "Ann")).problem(400, "bad-request");
    server.post(ROOM, &book("c@", "12:00", "13:00", "Ann")).problem(400, "bad-request");
    server.post(ROOM, r#"{"book":{"start":"2026-03-02","end":"x","title":"","by":"a"}}"#).problem(400, "bad-request");
    let resolve = json!({"resolve": {"conflict": "0".repeat(32), "keep": ["a"], "by": "Dee", "note": "so"}});
    server.post(ROOM, &resolve.to_string()).problem(404, "no-such-conflict");
    assert_eq!(statuses(&server.get(ROOM).ok()["value"]), pairs(&[("a", "confirmed")]), "nothing of it took effect");
    let both = format!(
        r#"{{"operations":[{{"collection":"rooms","key":"room-7","op":{}}},{{"collection":"rooms","key":"room-7","op":{}}}]}}"#,
        r#"{"cancel":{"booking":"a","by":"Ann"}}"#,
        book("b", "09:30", "10:30", "Bob"),
    );
    server.post("/v1/transactions", &both).ok();
    assert_eq!(statuses(&server.get(ROOM).ok()["value"]), pairs(&[("a", "cancelled"), ("b", "confirmed")]));
}

#[test]
fn two_regions_book_one_time_and_a_person_decides() {
    let cluster = Cluster::new();
    let eu = cluster.leader("eu", &[peer("ap", "ap", None)]);
    let link = cluster.link(&eu);
    let ap = cluster.leader("ap", &[peer("eu", "eu", Some(link.addr()))]);
    eu.declare("rooms", "calendar");
    eu.until_equal(&ap);
    link.cut();
    let key = format!("{}/1", session(Duration::ZERO));
    let unnamed = r#"{"book":{"start":"2026-03-02T09:00:00Z","end":"2026-03-02T10:00:00Z","title":"t","by":"Ann"}}"#;
    let written = eu.send("POST", ROOM, &[("idempotency-key", &key)], unnamed).ok();
    let id = written["value"]["bookings"][0]["booking"].as_str().expect("an id").to_owned();
    // Its client never heard the answer, and asks in the other region: the same booking.
    let retried = ap.send("POST", ROOM, &[("idempotency-key", &key)], unnamed).ok();
    assert_eq!(retried["value"]["bookings"][0]["booking"], json!(id));
    eu.send("POST", ROOM, &[], &book("b", "10:00", "11:00", "Bob")).ok();
    ap.send("POST", ROOM, &[], &book("c", "10:30", "11:30", "Cem")).ok();
    link.heal();
    eu.until_equal(&ap);
    let value = ap.get(ROOM).ok();
    assert_eq!(value["conflicts"], 1);
    assert_eq!(statuses(&value["value"]), pairs(&[(&id, "confirmed"), ("b", "contested"), ("c", "contested")]));
    assert_eq!(eu.get(ROOM).ok()["value"], value["value"]);
    let conflict = &value["value"]["conflicts"][0];
    assert_eq!(conflict["bookings"], json!(["b", "c"]));
    let resolve = json!({"resolve": {"conflict": conflict["conflict"], "keep": ["c"], "by": "Dee", "note": "so"}});
    let resolved = ap.send("POST", ROOM, &[], &resolve.to_string()).ok();
    assert_eq!(statuses(&resolved["value"]), pairs(&[(&id, "confirmed"), ("b", "bumped"), ("c", "confirmed")]));
    until("the outcome is there", || eu.get(ROOM).ok()["value"] == resolved["value"]);
    eu.send("POST", ROOM, &[], &resolve.to_string()).problem_of(409, "already-resolved");
}
