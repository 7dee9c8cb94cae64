//! Texts that clients hold and hand back: tokens, contexts, saved sessions, ids, moments.
//!
//! Most of them end in a checksum, behind which no mutation comes; so half of the forms take the bytes as content and seal
//! it.

use crate::meter::{self, Bound};
use anabranch_causality::{Context, Origin, Reader, SessionId, Token, Writer, hash64, names};
use anabranch_resolvers::{ConflictId, Moment};
use anabranch_session::SessionState;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// An entry of a vector may begin a node of a tree; a saved session is also written again, to be compared.
pub const BOUND: Bound = Bound { times: 48, plus: 4_096 };

/// The cluster, collection and key that texts are about.
pub(crate) const ABOUT: (&str, &str, &str) = ("shop", "c", "k");
/// How many forms there are; the first byte says which.
pub(crate) const FORMS: u8 = 7;

/// What is accepted is written as it was read.
///
/// # Panics
/// On a violation.
pub fn body(bytes: &[u8]) {
    let Some((form, rest)) = bytes.split_first() else { return };
    let text = std::str::from_utf8(rest);
    match (form % FORMS, text) {
        (0, Ok(text)) => token(text),
        (1, Ok(text)) => context(text),
        (2, Ok(text)) => session(text),
        (3, Ok(text)) => small(text),
        (4, _) => {
            token(&sealed("anabranch token checksum 1", rest));
            bare_token(rest);
        }
        (5, _) => context(&sealed("anabranch context checksum 1", rest)),
        (6, Ok(text)) => session(&format!("{text}.{:016x}", hash64("anabranch saved session 1", &[rest]))),
        _ => {}
    }
}

/// A body with its checksum: four bytes of a hash over the purpose, the body's length and the body.
pub(crate) fn sealed(purpose: &str, body: &[u8]) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(purpose.as_bytes()).update(&(body.len() as u64).to_le_bytes()).update(body);
    URL_SAFE_NO_PAD.encode([body, &hasher.finalize().as_bytes()[..4]].concat())
}

fn token(text: &str) {
    let (cluster, ..) = ABOUT;
    if let Ok(token) = meter::within(BOUND, text.len(), || Token::decode(text, cluster)) {
        assert_eq!(token.encode(cluster), text, "one form only");
    }
}

fn bare_token(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    let Ok(token) = meter::within(BOUND, bytes.len(), || Token::read(&mut reader)) else { return };
    let mut writer = Writer::new();
    token.write(&mut writer);
    assert_eq!(writer.as_bytes(), &bytes[..bytes.len() - reader.rest().len()], "one form only");
    let text = token.encode("any");
    if text.len() <= Token::MAX_TEXT {
        assert_eq!(Token::decode(&text, "any"), Ok(token));
    }
}

fn context(text: &str) {
    let (_, collection, key) = ABOUT;
    if let Ok(context) = meter::within(BOUND, text.len(), || Context::decode(text, collection, key)) {
        assert_eq!(context.encode(collection, key), text, "one form only");
        assert!(Context::decode(text, collection, "another").is_err(), "it is bound to its key");
    }
}

fn session(text: &str) {
    let (cluster, ..) = ABOUT;
    if let Ok(session) = meter::within(BOUND, text.len(), || SessionState::restore(text, cluster)) {
        assert_eq!(session.save(cluster), text, "one form only");
    }
}

fn small(text: &str) {
    if let Ok(origin) = text.parse::<Origin>() {
        assert_eq!(origin.to_string(), text);
    }
    if let Ok(session) = text.parse::<SessionId>() {
        assert_eq!(session.to_string(), text.to_ascii_lowercase());
    }
    if let Ok(conflict) = text.parse::<ConflictId>() {
        assert_eq!(conflict.to_string(), text);
    }
    // Moments have many forms, of which one is written.
    if let Ok(moment) = text.parse::<Moment>() {
        assert_eq!(moment.to_string().parse(), Ok(moment));
    }
    if names::check_collection(text).is_ok() {
        assert!(names::is_collection(text) && !text.contains(['/', '~', '%']));
    }
    if names::check_key(text).is_ok() {
        assert!((1..=names::MAX_KEY).contains(&text.len()));
    }
}
