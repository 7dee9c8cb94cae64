//! Reading JSON, and what it costs without building it.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt::{self, Write};

/// Reads a JSON value. In `serde_json` itself, an object that begins with one of its private keys is something else as soon as any crate
/// of the program has its feature `raw_value`: replicas would read one text in two ways. Here it is an object like others.
///
/// # Errors
/// It is not JSON, or nested more than 128 deep.
pub fn read_json(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    serde_json::from_slice(bytes).map(|Plain(value)| value)
}

struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor).map(Plain)
    }
}

struct PlainVisitor;

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Plain(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Plain(value))) = entries.next_entry::<String, Plain>()? {
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// Whether the bytes are a JSON value; as a value, not merely as tokens: a number out of range would fail every read.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    text.and_then(|text| std::str::from_utf8(text).ok()).is_some_and(is_plain) || read_json(bytes).is_ok()
}

/// How many bytes the compact text has, or `None` when it has more than `most`. Stops writing there.
pub(crate) fn length(value: &Value, most: usize) -> Option<usize> {
    if let Value::String(text) = value
        && is_plain(text)
    {
        return Some(text.len() + 2).filter(|length| *length <= most);
    }
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
    match value {
        Value::String(text) if is_plain(text) => [b"\"", text.as_bytes(), b"\""].concat(),
        _ => value.to_string().into_bytes(),
    }
}

/// Whether nothing of a text is escaped: then it needs not be looked at character by character. No early end, so that many
/// bytes are looked at together.
fn is_plain(text: &str) -> bool {
    !text.bytes().fold(false, |escaped, byte| escaped | (byte < b' ') | (byte == b'"') | (byte == b'\\'))
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
    fn texts_in_one_piece_are_as_the_library_writes_them() {
        for character in (0..0x180).filter_map(char::from_u32) {
            let value = json!(format!("a{character}b"));
            let text = value.to_string();
            assert_eq!((canonical(&value), length(&value, 99)), (text.clone().into_bytes(), Some(text.len())));
            assert!(is_value(text.as_bytes()));
            let bare = format!("\"{character}\"");
            assert_eq!(is_value(bare.as_bytes()), read_json(bare.as_bytes()).is_ok(), "{bare}");
        }
    }

    #[test]
    fn what_only_looks_like_a_text_is_no_value() {
        for bytes in [&b"\""[..], b"", b"\"\xff\"", b"\"a", b"a\"", b"\"a\" ,\"b\"", b"1e999"] {
            assert!(!is_value(bytes) && read_json(bytes).is_err(), "{bytes:?}");
        }
        for bytes in [&b"\"\""[..], b"{\"a\":[1]}", b" 1 "] {
            assert!(is_value(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn private_keys_of_the_library_are_keys() {
        for key in ["$serde_json::private::RawValue", "$serde_json::private::Number"] {
            for inner in ["{\"b\":{}}", "\"[1]\"", "\"no json\"", "1"] {
                let text = format!("{{\"{key}\":{inner}}}");
                assert_eq!(read_json(text.as_bytes()).expect("JSON").to_string(), text);
            }
        }
    }

    #[test]
    fn what_is_read_is_what_the_library_reads() {
        for text in
            ["null", "[true,-1,18446744073709551615,1.5,-0.0,1e300,\"\\u00e9\"]", "{\"a\":{\"b\":[]},\"a\":2}", " 7 "]
        {
            assert_eq!(read_json(text.as_bytes()).expect("JSON"), serde_json::from_str::<Value>(text).expect("JSON"));
        }
        for text in ["", "[1", "1e999", "[1]x", "\"\\ud800\"", &"[".repeat(200)] {
            assert!(read_json(text.as_bytes()).is_err(), "{text}");
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
