//! Who may ask: while there are no credentials, no web page but those that were named.

use crate::app::App;
use crate::problem::{Code, Problem};
use axum::http::HeaderMap;
use axum::http::uri::{Authority, Uri};
use hyper::header::{HOST, ORIGIN};
use std::net::IpAddr;

/// Refuses requests that a foreign web page made a browser send: by its `Origin`, and on loopback, where a foreign name
/// can be made to point, by the `Host`.
pub(crate) fn check(app: &App, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let refused = |detail| Err(Problem::new(Code::ForeignOrigin, detail));
    let allowed = &app.config.allowed_origins;
    let known = |origin: &str| allowed.iter().any(|allowed| allowed == origin);
    if !headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(known)) {
        return refused("the request's Origin is not in [http] allowed_origins");
    }
    let Some(own) = app.loopback else { return Ok(()) };
    let local = |text: &str| text.parse::<Authority>().is_ok_and(|authority| is_local(authority.host(), own));
    let by_header = headers.get_all(HOST).iter().all(|host| host.to_str().is_ok_and(local));
    let by_uri = uri.authority().is_none_or(|authority| is_local(authority.host(), own));
    if by_header && by_uri { Ok(()) } else { refused("the request's Host is not this machine's loopback") }
}

fn is_local(host: &str, own: IpAddr) -> bool {
    host.eq_ignore_ascii_case("localhost") || host == "127.0.0.1" || host == "[::1]" || host == own.to_string()
}
