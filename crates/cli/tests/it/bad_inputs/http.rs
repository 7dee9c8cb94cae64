//! HTTP requests that are none, say two things at once, or ask for what cannot be (rows 13 to 15, 17, 18, 23).

use super::Target;
use super::request::{Heard, head, raw, send};
use serde_json::json;

const KEY: &str = "/v1/data/c/k";
const MIB: usize = 1 << 20;

impl Target {
    fn put(&self, path: &str, body: impl AsRef<[u8]>) -> Heard {
        send(self.http(), "PUT", path, &[], body.as_ref())
    }

    fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Heard {
        send(self.http(), "POST", path, &[], body.as_ref())
    }
}

#[test]
fn json_that_could_be_read_in_two_ways_is_refused() {
    let mut target = Target::start(&[]);
    target.put(KEY, "0");
    target.settle();
    let deep = "[".repeat(100_000);
    let deep_objects = "{\"a\":".repeat(100_000);
    let just_too_deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    for bad in [
        "".as_bytes(),
        b"{",
        b"NaN",
        b"Infinity",
        b"1e400",
        b"-1e400",
        b"12345678901234567890123",
        b"0.1000000000000000055511151231257827",
        br#"{"a":1,"a":2}"#,
        br#"{"a":{"b":1,"b":1}}"#,
        br#"{"a":1,"\u0061":2}"#,
        br#""\ud800""#,
        br#""\udc00\ud800""#,
        b"\"\0\"",
        b"1 2",
        b"'a'",
        b"\"\xff\xfe\"",
        b"\"\xc0\x80\"",
        b"\xef\xbb\xbf1",
        deep.as_bytes(),
        deep_objects.as_bytes(),
        just_too_deep.as_bytes(),
    ] {
        let shown = String::from_utf8_lossy(bad);
        let refused = target.put(KEY, bad);
        refused.is(400, "bad-request", &shown);
        let problem = refused.problem();
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("line 1, column ")), "{problem}");
        target.post(KEY, bad).is(400, "bad-request", &shown);
        target.put("/v1/collections/new", bad).is(400, "bad-request", &shown);
        target.post("/v1/transactions", bad).is(400, "bad-request", &shown);
        target.is_unharmed(&shown[..shown.len().min(99)]);
    }
    let deepest = format!("{}{}", "[".repeat(64), "]".repeat(64));
    // Keys that a JSON library keeps for itself are keys like others.
    let private = [r#"{"$serde_json::private::RawValue":{"b":1}}"#, r#"{"$serde_json::private::RawValue":"[1]"}"#];
    for good in ["0.1", "1.0", "18446744073709551615", r#""\u0000""#, &deepest, private[0], private[1]] {
        assert_eq!(target.put(KEY, good).status, 200, "{good}");
        assert_eq!(target.post(KEY, format!("{{\"put\":{good}}}")).status, 200, "{good}");
        let got = send(target.http(), "GET", KEY, &[], b"").text;
        assert!(got.contains(&format!("\"value\":{good}")), "{got}");
    }
    target.serves_on();
}

#[test]
fn names_follow_the_allow_list() {
    let mut target = Target::start(&[]);
    let (long, long_key, endless) = ("x".repeat(129), "k".repeat(513), "x".repeat(10 * MIB));
    let right_to_left = "%E2%80%AE";
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
        "a%0Ab",
        right_to_left,
        long.as_str(),
    ] {
        target.put(&format!("/v1/collections/{name}"), r#"{"resolver":"lww"}"#).is(400, "bad-request", name);
        target.put(&format!("/v1/data/{name}/k"), "1").is(400, "bad-request", name);
        send(target.http(), "GET", &format!("/v1/data/{name}"), &[], b"").is(400, "bad-request", name);
    }
    for key in ["..", ".", "%2e%2e", "%00", "a%0Ab", "%7F", "%C2%85", "%ff", "%", "%4", long_key.as_str()] {
        let path = format!("/v1/data/c/{key}");
        target.put(&path, "1").is(400, "bad-request", key);
        send(target.http(), "GET", &path, &[], b"").is(400, "bad-request", key);
        send(target.http(), "DELETE", &path, &[], b"").is(400, "bad-request", key);
        send(target.http(), "GET", &format!("/v1/explain/c/{key}"), &[], b"").is(400, "bad-request", key);
    }
    for path in ["/v1/data//k", "/v1/data/c/", "/v1/data/", "/v1/collections/", "/v1/explain/c/"] {
        target.put(path, "1").is(400, "bad-request", path);
    }
    target.put("/v1/data/c/a/b", "1").is(404, "not-found", "two keys");
    target.put("/v1/data/none/k", "1").is(404, "no-such-collection", "none");
    target.post("/v1/data/none/k", r#"{"add":1}"#).is(404, "no-such-collection", "none");
    send(target.http(), "DELETE", "/v1/data/none/k", &[], b"").is(404, "no-such-collection", "none");
    // Ten MiB are no name in a path, and no request in a body.
    assert!(matches!(target.put(&format!("/v1/data/c/{endless}"), "1").status, 414 | 431));
    let one = json!({"operations": [{"collection": "c", "key": endless, "op": {"put": 1}}]});
    target.post("/v1/transactions", one.to_string()).is(413, "too-large", "a key of 10 MiB");
    target.is_unharmed("names");
    // Nothing that a name says gets into a line of its own.
    target.put("/v1/data/c/x%0A2026-01-01T00:00:00Z%20ERROR%20forged", "1").is(400, "bad-request", "a line");
    let forged = [("x-request-id", &b"1\tERROR forged"[..]), ("host", b"ERROR forged"), ("origin", b"ERROR forged")];
    for (header, value) in forged {
        send(target.http(), "GET", "/health", &[(header, value)], b"");
    }
    assert!(!target.log().contains("forged"), "{}", target.log());
    target.serves_on();
}

#[test]
fn bodies_are_json_of_bounded_size() {
    let mut target = Target::start(&[]);
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        let headers = [("content-type", media.as_bytes())];
        send(target.http(), "PUT", KEY, &headers, b"1").is(415, "unsupported-media-type", media);
    }
    target.put(KEY, format!("\"{}\"", "x".repeat(MIB))).is(413, "too-large", "one byte too long");
    // It says that it is huge, and sends nothing.
    let huge = [&head("PUT", KEY, &[])[..], b"content-length: 9223372036854775807\r\n\r\n"].concat();
    raw(target.http(), &huge).is(413, "too-large", "2^63-1");
    // It never says how long it is, and goes on.
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000)).into_bytes();
    let chunked = [&head("PUT", KEY, &[])[..], b"transfer-encoding: chunked\r\n\r\n", &chunk.repeat(40)].concat();
    raw(target.http(), &chunked).is(413, "too-large", "chunks without end");
    // It leaves in the middle.
    let cut = [&head("PUT", KEY, &[])[..], b"content-length: 5\r\n\r\n1"].concat();
    drop(std::io::Write::write_all(&mut super::request::connect(target.http()), &cut));
    for (garbage, status) in [
        (&b"\x16\x03\x01 nonsense\r\n\r\n"[..], 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
        (b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil.example.com\r\nconnection: close\r\n\r\n", 403),
        (b"PUT /v1/data/c/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n1", 400),
        (b"PUT /v1/data/c/k HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n1", 400),
        (b"PUT /v1/data/c/k HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", 400),
    ] {
        assert_eq!(raw(target.http(), garbage).status, status, "{:?}", String::from_utf8_lossy(garbage));
    }
    let long = "a".repeat(200_000);
    assert_eq!(send(target.http(), "GET", "/health", &[("x", long.as_bytes())], b"").status, 431);
    target.is_unharmed("bodies");
    for media in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
        let written = send(target.http(), "PUT", KEY, &[("content-type", media.as_bytes())], b"1");
        assert_eq!(written.status, 200, "{media}");
    }
    let most = format!("\"{}\"", "x".repeat(MIB - 2));
    assert_eq!(target.put(KEY, most).status, 200);
    target.serves_on();
}

#[test]
fn what_cannot_be_asked_of_a_value_changes_nothing() {
    let mut target = Target::start(&[]);
    let add = |n: &str| format!("{{\"add\":{n}}}");
    let (likes, stock) = ("/v1/data/likes/p", "/v1/data/stock/p");
    target.post(likes, add("5"));
    target.post(stock, add("-9223372036854775807"));
    let session = uuid::Uuid::now_v7().to_string();
    let keyed = |key: &str, n: &str| {
        send(target.http(), "POST", likes, &[("idempotency-key", key.as_bytes())], add(n).as_bytes())
    };
    let first = keyed(&format!("{session}/2000"), "1");
    assert_eq!(first.status, 200, "{first:?}");
    target.before = target.state();

    for delta in ["-1", "-9223372036854775808"] {
        target.post(likes, add(delta)).is(422, "rejected", delta);
    }
    target.post(likes, add("9223372036854775807")).is(422, "overflow", "a sum above the limit");
    for delta in ["-2", "-9223372036854775808"] {
        target.post(stock, add(delta)).is(422, "overflow", delta);
    }
    for delta in ["1.5", "1e3", "\"1\"", "null", "9223372036854775808", "-9223372036854775809", "1,\"x\":2"] {
        target.post(likes, add(delta)).is(400, "bad-request", delta);
        target.post(stock, add(delta)).is(400, "bad-request", delta);
    }
    for unsupported in [r#"{"put":1}"#, r#"{"delete":true}"#, r#"{"remove":["x"]}"#, r#"{"nope":1}"#] {
        target.post(likes, unsupported).is(422, "not-supported", unsupported);
    }
    // One bad operation, and none of the request is done.
    let many = json!({"operations": [{"collection": "stock", "key": "p", "op": {"add": 1}},
        {"collection": "likes", "key": "p", "op": {"add": -1}}]});
    target.post("/v1/transactions", many.to_string()).is(422, "rejected", "the second of two");

    let keyed = |key: &str, n: &str| {
        send(target.http(), "POST", likes, &[("idempotency-key", key.as_bytes())], add(n).as_bytes())
    };
    keyed(&format!("{session}/2000"), "2").is(409, "idempotency-key-reused", "another body");
    keyed(&format!("{session}/1"), "1").is(400, "bad-idempotency-key", "outside the window");
    keyed("0190d7a0-0000-7000-8000-000000000000/1", "1").is(410, "idempotency-key-expired", "of 2024");
    let random = uuid::Uuid::new_v4().to_string();
    for key in [
        "",
        "x",
        &random,
        &format!("{session}/0"),
        &format!("{session}/-1"),
        &format!("{session}/18446744073709551615"),
    ] {
        keyed(key, "1").is(400, "bad-idempotency-key", key);
    }
    let again = keyed(&format!("{session}/2000"), "1");
    assert_eq!((again.status, &again.problem()["repeated"]), (200, &json!(true)), "{again:?}");
    target.is_unharmed("counters and keys");
    assert_eq!(target.cluster.api.value(target.http(), "likes", "p"), Some(json!(6)));
    target.serves_on();
}

#[test]
fn foreign_pages_are_refused() {
    let mut target = Target::start(&[]);
    let own = format!("http://127.0.0.1:{}", target.http());
    for (name, bad) in [
        ("origin", "https://evil.example.com"),
        ("origin", "null"),
        ("origin", own.as_str()),
        ("host", "evil.example.com"),
        ("host", "127.0.0.1.evil.example.com:80"),
        ("host", "localhost@evil.example.com"),
        ("host", ""),
    ] {
        let header = [(name, bad.as_bytes())];
        send(target.http(), "PUT", KEY, &header, b"1").is(403, "foreign-origin", bad);
        send(target.http(), "GET", "/health", &header, b"").is(403, "foreign-origin", bad);
    }
    let absolute = b"GET http://evil.example.com/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    raw(target.http(), absolute).is(403, "foreign-origin", "an absolute target");
    target.is_unharmed("foreign pages");
    target.serves_on();
}
