//! The body of `POST /v1/transactions`: operations on keys of collections, all or nothing.

use crate::meter::{self, Bound};
use anabranch_causality::{Kind, names};
use anabranch_resolvers::{Change, Write};
use anabranch_server::fuzzing;
use serde_json::{Value, json};

/// As for any body: an object of one field takes seven bytes, and a node of a tree in memory. See [`crate::json`].
pub const BOUND: Bound = Bound { times: 256, plus: 4_096 };
/// An answer's words; names that are repeated in it are cut before.
const MOST_WORDS: usize = 1_024;

/// What is accepted has one meaning: written again from what was understood, it is understood in the same way. What is refused
/// is refused in few words, which say where.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    match meter::within(BOUND, bytes.len(), || fuzzing::transaction(bytes, kind_of)) {
        Ok(changes) => {
            assert!((1..=Write::MAX_CHANGES).contains(&changes.len()), "{} changes", changes.len());
            let operations: Vec<Value> = changes.iter().map(spelled).collect();
            let again = json!({ "operations": operations }).to_string();
            assert_eq!(fuzzing::transaction(again.as_bytes(), kind_of), Ok(changes), "it does not come back: {again}");
        }
        Err((detail, more)) => {
            assert!(detail.len() <= MOST_WORDS, "a stranger's text floods the error: {} bytes", detail.len());
            let more: Value = if more.is_empty() { json!({}) } else { serde_json::from_str(&more).expect("an object") };
            if let Some(index) = more.get("operation") {
                let index = index.as_u64().expect("an index") as usize;
                assert!(index < Write::MAX_CHANGES.min(bytes.len()), "operation {index}");
            }
        }
    }
}

/// The collection as a path has it, so that it is of that kind again.
fn spelled(change: &Change) -> Value {
    let Change::Operate { collection, kind, key, operation, context: None } = change else {
        panic!("a transaction asks for {change:?}");
    };
    assert!(names::check_collection(collection).is_ok() && names::check_key(key).is_ok(), "{collection}/{key}");
    json!({ "collection": format!("{collection}~{kind}"), "key": key, "op": operation.to_json() })
}

/// Of what kind a collection is: as its path says, else registers.
fn kind_of(path: &str) -> Kind {
    let (_, kind) = path.split_once('~').unwrap_or((path, ""));
    Kind::from_name(kind).unwrap_or(Kind::REGISTER)
}
