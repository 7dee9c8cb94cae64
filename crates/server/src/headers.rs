//! The API's own headers.

use crate::duration;
use crate::problem::{Code, Problem};
use anabranch::{AckLevel, Context, ContextError, SessionId, Token, TokenError};
use axum::http::HeaderMap;
use hyper::header::HeaderName;
use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::{Builder, Uuid};

pub(crate) const TOKEN: HeaderName = HeaderName::from_static("anabranch-token");
pub(crate) const CONTEXT: HeaderName = HeaderName::from_static("anabranch-context");
pub(crate) const WAIT: HeaderName = HeaderName::from_static("anabranch-wait");
pub(crate) const FALLBACK: HeaderName = HeaderName::from_static("anabranch-fallback");
pub(crate) const SERVED_BY: HeaderName = HeaderName::from_static("anabranch-served-by");
pub(crate) const ACK: HeaderName = HeaderName::from_static("anabranch-ack");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What of a write goes with it when it is passed on to another node, beside its token and its id. Of the rest, bodies
/// are looked at before, and how long that node waits, it is told apart.
pub(crate) static OF_WRITES: [HeaderName; 3] = [CONTEXT, ACK, IDEMPOTENCY_KEY];

const DEFAULT_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(30);
const LONGEST_REQUEST_ID: usize = 128;

/// The one value of a header, if the request has it.
///
/// # Errors
/// Why there is not one value.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, String> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(format!("the header {name} is there twice"));
    }
    let text = value.to_str().map_err(|_| format!("the header {name} is not plain text"))?;
    Ok(Some(text.trim()))
}

/// The join of all tokens that the request carries.
pub(crate) fn token(headers: &HeaderMap, cluster: &str) -> Result<Token, Problem> {
    let mut joined = Token::new();
    let mut count = 0;
    for value in headers.get_all(TOKEN) {
        let text = value.to_str().map_err(|_| Problem::new(Code::BadToken, "the token is not plain text"))?;
        for text in text.split(',') {
            joined.join(&decode(text.trim(), cluster)?);
            count += 1;
        }
    }
    // Each was short enough; together they must be, too, for the answer hands them out as one.
    if count > 1 && joined.encode(cluster).len() > Token::MAX_TEXT {
        return Err(Problem::new(Code::BadToken, "the tokens together name too many origins"));
    }
    Ok(joined)
}

/// One token.
pub(crate) fn decode(text: &str, cluster: &str) -> Result<Token, Problem> {
    Token::decode(text, cluster).map_err(|error| match error {
        TokenError::Bad(_) => Problem::new(Code::BadToken, error.to_string()),
        TokenError::WrongCluster => Problem::new(Code::WrongClusterToken, error.to_string()),
    })
}

/// The last cut that a reader of changes has seen, if it says.
pub(crate) fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let id = one(headers, &LAST_EVENT_ID).map_err(Problem::bad_request)?;
    Ok(id.filter(|id| !id.is_empty()))
}

/// How long to wait for the token.
pub(crate) fn wait(headers: &HeaderMap) -> Result<Duration, Problem> {
    let Some(text) = one(headers, &WAIT).map_err(Problem::bad_request)? else { return Ok(DEFAULT_WAIT) };
    let wait = duration::parse(text);
    let wait = wait.ok_or_else(|| Problem::bad_request(format!("{WAIT} is a duration such as 250ms or 2s")))?;
    if wait > MOST_WAIT {
        return Err(Problem::bad_request(format!("{WAIT} is at most {}s", MOST_WAIT.as_secs())));
    }
    Ok(wait)
}

/// Whether another replica may answer.
pub(crate) fn forward(headers: &HeaderMap) -> Result<bool, Problem> {
    match one(headers, &FALLBACK).map_err(Problem::bad_request)? {
        None | Some("forward") => Ok(true),
        Some("fail") => Ok(false),
        Some(_) => Err(Problem::bad_request(format!("{FALLBACK} is forward or fail"))),
    }
}

/// What an acknowledgement is asked to mean.
pub(crate) fn ack(headers: &HeaderMap) -> Result<AckLevel, Problem> {
    let Some(text) = one(headers, &ACK).map_err(Problem::bad_request)? else { return Ok(AckLevel::Local) };
    let regions = |number: &str| {
        let digits = (1..=4).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse().ok().filter(|_| digits).map(AckLevel::Regions)
    };
    match text {
        "local" => Ok(AckLevel::Local),
        "follower" => Ok(AckLevel::Follower),
        "all" => Ok(AckLevel::All),
        _ => text
            .strip_prefix("regions:")
            .and_then(regions)
            .ok_or_else(|| Problem::bad_request(format!("{ACK} is local, follower, regions:N or all"))),
    }
}

/// The session and its counter: `<uuid>/<n>`, or a UUID alone, which is the first; quotes do not matter.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<(SessionId, u64)>, Problem> {
    let bad = |detail: &str| Problem::new(Code::BadIdempotencyKey, detail.to_owned());
    const FORM: &str = "an idempotency key is a UUID of version 7 and a counter from 1: <uuid>/<n>, or the UUID alone";
    let text = one(headers, &IDEMPOTENCY_KEY).map_err(|detail| bad(&detail))?;
    let Some(text) = text else { return Ok(None) };
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let (session, counter) = bare.split_once('/').unwrap_or((bare, "1"));
    let session = session.parse::<SessionId>().map_err(|_| bad(FORM))?;
    let plain = !counter.starts_with('0') && counter.bytes().all(|byte| byte.is_ascii_digit());
    match counter.parse::<u64>() {
        Ok(counter) if plain => Ok(Some((session, counter))),
        _ => Err(bad(FORM)),
    }
}

/// What the client saw of that key, if it says.
pub(crate) fn context(headers: &HeaderMap, collection: &str, key: &str) -> Result<Option<Context>, Problem> {
    let bad = |detail: String| Problem::new(Code::BadContext, detail);
    let Some(text) = one(headers, &CONTEXT).map_err(bad)? else {
        return Ok(None);
    };
    let context = Context::decode(text, collection, key);
    context.map(Some).map_err(|error: ContextError| bad(error.to_string()))
}

/// Checks what else would keep a write from being passed on: the other [`OF_WRITES`] are short once they have been read.
pub(crate) fn check_bounds(headers: &HeaderMap) -> Result<(), Problem> {
    let context = one(headers, &CONTEXT).map_err(|detail| Problem::new(Code::BadContext, detail))?;
    match context {
        Some(context) if context.len() > Context::MAX_TEXT => {
            Err(Problem::new(Code::BadContext, format!("{CONTEXT} has at most {} characters", Context::MAX_TEXT)))
        }
        _ => Ok(()),
    }
}

/// The client's own id of the request if it can be repeated safely anywhere, else a new one.
pub(crate) fn request_id(headers: &HeaderMap) -> String {
    let is_sane = |text: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        (1..=LONGEST_REQUEST_ID).contains(&text.len()) && text.bytes().all(allowed)
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(is_sane);
    given.map_or_else(new_id, str::to_owned)
}

/// A UUID of version 7 that no other request has: its random bits are drawn once in each thread, and counted up from there, for
/// asking the system for some each time takes longer than all the rest of it.
fn new_id() -> String {
    thread_local! {
        static LAST: Cell<u128> = Cell::new(Uuid::new_v4().as_u128());
    }
    let count = LAST.replace(LAST.get().wrapping_add(1));
    let [_, _, _, _, _, _, random @ ..] = count.to_be_bytes();
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = Builder::from_unix_timestamp_millis(since_1970.as_millis() as u64, &random).into_uuid();
    id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).to_owned()
}

#[cfg(test)]
mod tests;
