//! Reading JSON strictly: what could be read in two ways, or would not come back as it was sent, is refused.

mod number;

use serde_json::{Map, Value};

/// Why a text is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the JSON is refused at line {line}, column {column}: {reason}")]
pub(crate) struct JsonError {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in bytes.
    pub(crate) column: usize,
    /// What is wrong there.
    pub(crate) reason: String,
}

/// Reads one JSON value in which lists and objects are nested at most `depth` deep.
///
/// # Errors
/// [`JsonError`]: not JSON in UTF-8, a key twice in one object, nested too deep, or a number that this side cannot keep.
pub(crate) fn parse(bytes: &[u8], depth: usize) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = Parser { text: "", bytes, at: error.valid_up_to() };
        place.error("it is not UTF-8")
    })?;
    let mut parser = Parser { text, bytes, at: 0 };
    let value = parser.value(depth)?;
    parser.space();
    if parser.at < bytes.len() {
        return Err(parser.error("something follows the value"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn error(&self, reason: impl Into<String>) -> JsonError {
        let before = &self.bytes[..self.at.min(self.bytes.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        JsonError { line, column: 1 + before.len() - line_start, reason: reason.into() }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        self.space();
        if self.peek() != Some(byte) {
            return Err(self.error(format!("expected `{}`", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    /// `depth` is how many lists and objects may still be opened: it also bounds the recursion.
    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.space();
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.list(self.deeper(depth)?),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.error("expected a value")),
            None => Err(self.error("it ends where a value is expected")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        depth.checked_sub(1).ok_or_else(|| self.error("lists and objects are nested too deep"))
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("expected a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn list(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(self.error("expected `,` or `]`")),
            }
        }
        self.at += 1;
        Ok(Value::Array(items))
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut fields = Map::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(fields));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in quotes"));
            }
            let start = self.at;
            let key = self.string()?;
            if fields.contains_key(&key) {
                self.at = start;
                return Err(self.error("this key is in the object twice"));
            }
            self.expect(b':')?;
            let value = self.value(depth)?;
            fields.insert(key, value);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(self.error("expected `,` or `}`")),
            }
        }
        self.at += 1;
        Ok(Value::Object(fields))
    }

    /// Finds the end here and leaves escapes, lone surrogates and control characters to `serde_json`.
    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        let mut end = start + 1;
        loop {
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(self.error("this string does not end")),
            }
        }
        // Both ends are quotes, so no character is cut.
        let text = self.text.get(start..=end).unwrap_or_default();
        let string = serde_json::from_str(text).map_err(|error| self.error(reason(&error)))?;
        self.at = end + 1;
        Ok(string)
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let rest = &self.bytes[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let text = self.text.get(self.at..self.at + length).unwrap_or_default();
        let number = number::parse(text).map_err(|reason| self.error(reason))?;
        self.at += length;
        Ok(Value::Number(number))
    }
}

/// What `serde_json` says, without its own idea of the place.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or("malformed").to_owned()
}

#[cfg(test)]
mod tests;
