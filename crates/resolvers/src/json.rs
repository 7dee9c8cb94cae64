//! What JSON costs, without building it.

use serde_json::Value;
use std::fmt::{self, Write};

/// How many bytes the compact text has, or `None` when it has more than `most`. Stops writing there.
pub(crate) fn length(value: &Value, most: usize) -> Option<usize> {
    let mut room = Room { left: most };
    match write!(room, "{value}") {
        Ok(()) => Some(most - room.left),
        Err(_) => None,
    }
}

/// Whether lists and objects are nested at most `most` deep; a plain value has depth 0.
pub(crate) fn is_within_depth(value: &Value, most: usize) -> bool {
    let inner = |value: &Value| most.checked_sub(1).is_some_and(|left| is_within_depth(value, left));
    match value {
        Value::Array(items) => most > 0 && items.iter().all(inner),
        Value::Object(fields) => most > 0 && fields.values().all(inner),
        _ => true,
    }
}

/// The compact text, keys sorted: what registers store and what the request hash is taken over.
pub(crate) fn canonical(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

struct Room {
    left: usize,
}

impl fmt::Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.left = self.left.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lengths_are_those_of_the_text() {
        for value in [json!(null), json!("a\"ü\n"), json!([1, 2.5, {"k": [true]}]), json!({})] {
            let text = value.to_string();
            assert_eq!(length(&value, text.len()), Some(text.len()));
            assert_eq!(length(&value, text.len() - 1), None);
        }
    }

    #[test]
    fn depth_counts_lists_and_objects() {
        assert!(is_within_depth(&json!(1), 0));
        assert!(!is_within_depth(&json!([]), 0));
        assert!(is_within_depth(&json!([{}]), 2));
        assert!(!is_within_depth(&json!({"a": [1, [2]]}), 2));
    }

    #[test]
    fn canonical_text_is_compact_with_sorted_keys() {
        let value: Value = serde_json::from_str(r#"{ "b": 1, "a": [1.5, -0.0, 1e3] }"#).expect("json");
        assert_eq!(canonical(&value), br#"{"a":[1.5,-0.0,1000.0],"b":1}"#);
    }

    #[test]
    fn floats_come_back_to_the_last_bit() {
        for text in ["0.00013651734758652878", "1.7976931348623157e308", "5e-324", "122.416294033786585"] {
            let first: Value = serde_json::from_str(text).expect("json");
            let again: Value = serde_json::from_slice(&canonical(&first)).expect("json");
            assert_eq!(first, again);
            assert_eq!(first.as_f64(), text.parse().ok());
        }
    }
}
