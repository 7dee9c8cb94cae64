//! Flags that commands which talk to a node share.

use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Which node to ask, and within which session.
#[derive(Clone, Debug, Args)]
pub(crate) struct Connection {
    /// The node's HTTP address
    #[arg(
        long,
        env = "ANABRANCH_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:7501",
        value_name = "URL",
        help_heading = "Connection"
    )]
    pub(crate) url: String,
    /// Answer only from a state that has all this token names; may be repeated. The answer's token goes to standard error
    #[arg(long, env = "ANABRANCH_TOKEN", hide_env_values = true, value_name = "TOKEN", help_heading = "Session")]
    pub(crate) token: Vec<String>,
    /// Read the token from this file, and keep the answer's there: the file is a session. It is made if missing
    #[arg(long, env = "ANABRANCH_TOKEN_FILE", hide_env_values = true, value_name = "FILE", help_heading = "Session")]
    pub(crate) token_file: Option<PathBuf>,
    /// Show the answer's token on standard error
    #[arg(long, help_heading = "Session")]
    pub(crate) show_token: bool,
    /// How long the node may wait for the token and for acknowledgements, such as 500ms or 5s, at most 30s
    #[arg(long, value_name = "DURATION", help_heading = "Session")]
    pub(crate) wait: Option<super::Span>,
}

/// How a write is recognised when it is sent again.
#[derive(Clone, Debug, Args)]
pub(crate) struct Idempotency {
    /// UUIDv7/N: sent again with the same key, here or at another leader, the write takes effect once
    #[arg(long, value_name = "KEY", help_heading = "Writing")]
    pub(crate) idempotency_key: Option<String>,
}

/// How a write is made sure of.
#[derive(Clone, Debug, Args)]
pub(crate) struct Durability {
    /// How a repeat is recognised.
    #[command(flatten)]
    pub(crate) idempotency: Idempotency,
    /// Where the write must be on disk before it is acknowledged: local, follower, regions:N or all
    #[arg(long, value_name = "LEVEL", help_heading = "Writing")]
    pub(crate) ack: Option<String>,
}

/// How to show an answer.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// The form of the answer: table or json
    #[arg(short, long, value_enum, default_value = "table", value_name = "FORM", hide_possible_values = true)]
    pub(crate) output: Format,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns, for people.
    Table,
    /// JSON, for programs.
    Json,
}
