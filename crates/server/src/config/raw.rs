//! The file's own form: what it says and on which line, not yet what it means.

use super::ConfigError;
use super::nearest::nearest;
use serde::Deserialize;
use std::path::Path;
use toml::Spanned;

pub(super) type Text = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) node: Node,
    #[serde(default)]
    pub(super) listen: Listen,
    pub(super) tls: Option<Tls>,
    #[serde(default)]
    pub(super) peer: Vec<Peer>,
    #[serde(default)]
    pub(super) http: Http,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) cluster: Text,
    pub(super) region: Text,
    pub(super) data_dir: Text,
    pub(super) name: Option<Text>,
    pub(super) role: Option<Text>,
    pub(super) leader: Option<Text>,
    pub(super) max_clock_skew: Option<Text>,
    pub(super) lag_limit: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listen {
    pub(super) quic: Option<Text>,
    pub(super) http: Option<Text>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) ca: Text,
    pub(super) cert: Text,
    pub(super) key: Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Peer {
    pub(super) region: Text,
    pub(super) name: Option<Text>,
    pub(super) addr: Option<Text>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    #[serde(default)]
    pub(super) insecure: bool,
    #[serde(default)]
    pub(super) allowed_origins: Vec<Text>,
}

/// Reads the text, with a message that says where and what was probably meant.
pub(super) fn parse(text: &str, file: &Path) -> Result<Raw, ConfigError> {
    let fail = |line, problem| Err(ConfigError { file: file.to_owned(), line, field: None, problem });
    if text.trim().is_empty() {
        return fail(None, "is empty: it needs at least [node] with cluster, region and data_dir".to_owned());
    }
    toml::from_str(text).or_else(|error| {
        let line = error.span().map(|span| line_of(text, span.start));
        let problem = match line.and_then(|line| key_on(text, line)) {
            Some(key) if error.message().starts_with("invalid type") => {
                format!("{key}: {}", error.message().trim_end())
            }
            _ => explain(error.message()),
        };
        fail(line, problem)
    })
}

/// The key that is set on a line, if one is: what is wrong with a value is said of the value alone.
fn key_on(text: &str, line: usize) -> Option<&str> {
    Some(text.lines().nth(line - 1)?.split_once('=')?.0.trim())
}

/// The line, from 1, that a byte is on.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Adds the nearest known key to what is said of an unknown one.
fn explain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else { return message.trim_end().to_owned() };
    let mut quoted = rest.split('`').skip(1).step_by(2);
    let unknown = quoted.next().unwrap_or_default();
    let known: Vec<&str> = quoted.collect();
    match nearest(unknown, known.iter().copied()) {
        Some(nearest) => format!("unknown key `{unknown}`: did you mean `{nearest}`?"),
        None => format!("unknown key `{unknown}`: known here are {}", known.join(", ")),
    }
}
