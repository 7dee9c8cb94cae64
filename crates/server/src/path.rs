//! Paths and queries, decoded by the letter: what is not exactly a name is refused.

use crate::problem::Problem;
use anabranch::{Kind, names};

/// Undoes percent-encoding.
///
/// # Errors
/// A `%` without two hexadecimal digits, or bytes that are not UTF-8.
pub(crate) fn decode(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(0), digit(1)) else {
            return Err(Problem::bad_request("a `%` in the path or query is not followed by two hexadecimal digits"));
        };
        bytes.push((high << 4 | low) as u8);
        rest = &tail[2..];
    }
    String::from_utf8(bytes).map_err(|_| Problem::bad_request("the path or query is not UTF-8 when decoded"))
}

/// A collection as a path names it: `name` or `name~kind`.
pub(crate) fn collection(raw: &str) -> Result<String, Problem> {
    let path = decode(raw)?;
    check_collection(&path)?;
    Ok(path)
}

/// Checks `name` or `name~kind`.
pub(crate) fn check_collection(path: &str) -> Result<(), Problem> {
    let (name, kind) = path.split_once('~').map_or((path, None), |(name, kind)| (name, Some(kind)));
    names::check_collection(name).map_err(|error| Problem::bad_request(error.to_string()))?;
    match kind {
        Some(kind) if Kind::from_name(kind).is_none() => {
            Err(Problem::bad_request("what follows the `~` in a collection's path is not a kind"))
        }
        _ => Ok(()),
    }
}

/// A key, one segment of a path.
pub(crate) fn key(raw: &str) -> Result<String, Problem> {
    let key = decode(raw)?;
    check_key(&key)?;
    Ok(key)
}

/// Checks a key.
pub(crate) fn check_key(key: &str) -> Result<(), Problem> {
    names::check_key(key).map_err(|error| Problem::bad_request(error.to_string()))
}

/// The parameters of a query, as forms encode them: each known, none twice.
#[derive(Debug, Default)]
pub(crate) struct Query {
    values: Vec<(String, String)>,
}

impl Query {
    /// Reads a query that may have the `known` parameters.
    pub(crate) fn parse(text: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut values: Vec<(String, String)> = Vec::new();
        for part in text.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?);
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let detail = format!("the query parameter {name:?} is not known here; known: {known}");
                return Err(Problem::bad_request(detail));
            }
            if values.iter().any(|(other, _)| *other == name) {
                return Err(Problem::bad_request(format!("the query parameter {name} is there twice")));
            }
            values.push((name, value));
        }
        Ok(Self { values })
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_encoding_is_undone_exactly_once() {
        assert_eq!(key("a%2Fb").expect("a key"), "a/b");
        assert_eq!(key("%252F").expect("a key"), "%2F");
        assert_eq!(key("a+b").expect("a key"), "a+b");
        assert_eq!(key("%E6%BC%A2").expect("a key"), "漢");
        for bad in ["%", "%2", "%zz", "%+1", "%ff", "%00", "%7f", "", ".", "..", "%2e%2e", "%2E", "%0a"] {
            assert!(key(bad).is_err(), "{bad}");
        }
        assert!(key(&"k".repeat(513)).is_err());
    }

    #[test]
    fn collections_follow_the_allow_list() {
        for good in ["carts", "carts~cart", "a.b-c_9"] {
            assert!(collection(good).is_ok(), "{good}");
        }
        for bad in ["", "..", "%2e%2e", "_sys", "a%2Fb", "a~nope", "a~", "~cart", "a~cart~cart", "\u{200b}", "a%00"] {
            assert!(collection(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn queries_are_strict() {
        let query = Query::parse(Some("prefix=a%26b&after=x+y&"), &["prefix", "after"]).expect("a query");
        assert_eq!((query.get("prefix"), query.get("after"), query.get("limit")), (Some("a&b"), Some("x y"), None));
        for bad in ["a=1&a=2", "b=1", "a=%f", "%61=1&a=2"] {
            assert!(Query::parse(Some(bad), &["a"]).is_err(), "{bad}");
        }
    }
}
