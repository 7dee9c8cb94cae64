//! What texts are asked: limits of edits and updates.

use super::fields::Fields;
use super::{Operation, OperationError, fields, malformed};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::Value;

/// The most bytes that one edit inserts.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// The largest Yjs update, in bytes.
pub const MAX_UPDATE_BYTES: usize = 1 << 20;

pub(super) fn check_text(text: &str) -> Result<(), OperationError> {
    match text.len() {
        1..=MAX_TEXT_BYTES => Ok(()),
        length => malformed(format!("insert takes 1 to {MAX_TEXT_BYTES} bytes of text, not {length}")),
    }
}

pub(super) fn check_length(length: u64) -> Result<(), OperationError> {
    if length > 0 { Ok(()) } else { malformed("delete takes a length of at least 1") }
}

pub(super) fn check_update(update: &[u8]) -> Result<(), OperationError> {
    match update.len() {
        1..=MAX_UPDATE_BYTES => Ok(()),
        length => malformed(format!("yjs takes an update of 1 to {MAX_UPDATE_BYTES} bytes, not {length}")),
    }
}

pub(super) fn insert_from_json(content: Value) -> Result<Operation, OperationError> {
    let mut fields = Fields::new("insert", r#"{"at":n,"text":string}"#, content)?;
    let (at, text) = (fields.natural("at")?, fields.text("text")?);
    fields.end()?;
    Ok(Operation::InsertText { at, text })
}

pub(super) fn delete_from_json(content: Value) -> Result<Operation, OperationError> {
    let mut fields = Fields::new("delete", r#"{"at":n,"length":n}"#, content)?;
    let (at, length) = (fields.natural("at")?, fields.natural("length")?);
    fields.end()?;
    Ok(Operation::DeleteText { at, length })
}

pub(super) fn yjs_from_json(content: Value) -> Result<Operation, OperationError> {
    let text = fields::text("yjs", content)?;
    if text.len() > MAX_UPDATE_BYTES.div_ceil(3) * 4 {
        return malformed(format!("yjs takes an update of at most {MAX_UPDATE_BYTES} bytes"));
    }
    match STANDARD.decode(text) {
        Ok(update) => Ok(Operation::Yjs(update)),
        Err(_) => malformed("yjs expects a Yjs update as base64"),
    }
}

/// Bytes as JSON and queries carry them.
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from base64 of at most so many characters, in either alphabet, with or without padding.
#[must_use]
pub fn from_base64(text: &str, most: usize) -> Option<Vec<u8>> {
    if text.len() > most {
        return None;
    }
    let text = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    STANDARD_NO_PAD.decode(text).ok()
}
