//! Bodies of HTTP requests: JSON read strictly, and operations of every kind.

use crate::meter::{self, Bound};
use anabranch_causality::{Kind, Reader, Writer};
use anabranch_resolvers::{Operation, read_json};
use anabranch_server::fuzzing;
use serde_json::Value;

/// An object of one field takes seven bytes, and a node of a tree in memory: 600 and more.
pub const BOUND: Bound = Bound { times: 256, plus: 4_096 };
/// How deep values may be.
const DEPTH: usize = 32;
/// Every kind of collection.
const KINDS: [Kind; 8] = [
    Kind::REGISTER,
    Kind::G_COUNTER,
    Kind::PN_COUNTER,
    Kind::OR_SET,
    Kind::MAP,
    Kind::CART,
    Kind::CALENDAR,
    Kind::TEXT,
];

/// What is accepted is JSON to others, too, and means the same; an operation comes back from its JSON and from its bytes.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let parsed = meter::within(BOUND, bytes.len(), || fuzzing::json(bytes, DEPTH));
    let value = match parsed {
        Ok(value) => value,
        Err((line, column, text)) => {
            let lines = bytes.split(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&line) && (1..=bytes.len() + 1).contains(&column), "{text} for {lines} lines");
            assert!(text.len() < 1_024, "a stranger's text floods the error");
            return;
        }
    };
    let plain: Value = read_json(bytes).expect("strict JSON is JSON");
    assert!(same(&plain, &value), "read as {value}; others read {plain}");
    let written = value.to_string();
    let again = fuzzing::json(written.as_bytes(), DEPTH);
    assert_eq!(again.as_ref(), Ok(&value), "it does not come back: {written}");
    for kind in KINDS {
        operation(kind, bytes.len(), &value);
    }
}

/// Equal but for how floats are rounded: the default parser of `serde_json` may be off by the last bit.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, one)| other.get(key).is_some_and(|other| same(one, other)))
        }
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= one.abs() * 1e-15,
            _ => one == other,
        },
        _ => one == other,
    }
}

fn operation(kind: Kind, length: usize, value: &Value) {
    let copy = value.clone();
    let read = meter::within(BOUND, length, || Operation::from_json(kind, copy));
    let Ok(operation) = read else { return };
    let json = operation.to_json();
    assert_eq!(Operation::from_json(kind, json).as_ref(), Ok(&operation), "it does not come back from its JSON");
    let mut writer = Writer::new();
    operation.encode(&mut writer);
    let mut reader = Reader::new(writer.as_bytes());
    assert_eq!(Operation::decode(&mut reader).as_ref(), Ok(&operation), "it does not come back from its bytes");
    assert_eq!(reader.finish("operation"), Ok(()));
}
