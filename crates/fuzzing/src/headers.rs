//! Paths, queries and headers of HTTP requests.

use crate::meter::{self, Bound};
use anabranch_causality::{Kind, names};
use anabranch_server::fuzzing;
use std::time::Duration;

/// A query's part of a byte is two texts and a pair of them; tokens among the headers are decoded.
pub const BOUND: Bound = Bound { times: 64, plus: 16 << 10 };

/// The first line is a path and query, the others are headers. What is accepted is within its rules, and means what it
/// meant when it is written out plainly.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let target = lines.next().unwrap_or_default();
    if let Ok(target) = std::str::from_utf8(target) {
        path(target);
    }
    let fields: Vec<(&[u8], &[u8])> = lines.take(32).map(split).collect();
    let read = meter::within(BOUND, bytes.len(), || fuzzing::headers(&fields, "shop", "c", "k"));
    assert!(read.wait.is_none_or(|wait| wait <= Duration::from_secs(30)));
    assert!((1..=128).contains(&read.request_id.len()) && read.request_id.is_ascii());
    if let Some(Some((session, counter))) = read.idempotency_key {
        let plain = format!("{session}/{counter}");
        let again = fuzzing::headers(&[(b"idempotency-key", plain.as_bytes())], "shop", "c", "k");
        assert!(session.is_v7() && counter > 0, "{plain}");
        assert_eq!(again.idempotency_key, Some(Some((session, counter))));
    }
    if let Some(token) = read.token {
        assert!(token.encode("shop").len() <= anabranch_causality::Token::MAX_TEXT, "the answer could not carry it");
    }
    assert!(read.bounded || !matches!(read.context, Some(Some(_))), "a context is read that could not be passed on");
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    (&line[..colon], line.get(colon + 1..).unwrap_or_default())
}

fn path(target: &str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    for segment in path.split('/').take(32) {
        if let Some(collection) = meter::within(BOUND, segment.len(), || fuzzing::collection(segment)) {
            let (name, kind) = collection.split_once('~').unwrap_or((&collection, "register"));
            assert!(names::check_collection(name).is_ok() && Kind::from_name(kind).is_some(), "{collection}");
            assert_eq!(fuzzing::collection(&collection).as_ref(), Some(&collection), "decoded twice it is another");
        }
        if let Some(key) = meter::within(BOUND, segment.len(), || fuzzing::key(segment)) {
            assert!(names::check_key(&key).is_ok(), "{key:?}");
            let escaped: String = key.bytes().map(|byte| format!("%{byte:02X}")).collect();
            assert_eq!(fuzzing::key(&escaped), Some(key));
        }
        if let Some(duration) = fuzzing::duration(segment) {
            assert_eq!(fuzzing::duration(&format!("{}ms", duration.as_millis())).unwrap_or(duration), duration);
        }
    }
    let known = ["prefix", "after", "limit", "value"];
    if let Some(values) = meter::within(BOUND, query.len(), || fuzzing::query(query, &known)) {
        let parts = query.split('&').filter(|part| !part.is_empty()).count();
        assert_eq!(values.iter().flatten().count(), parts, "each part is one parameter: {values:?}");
    }
}
