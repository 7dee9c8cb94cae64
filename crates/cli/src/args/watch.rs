//! `watch`.

use super::{Connection, Output};
use clap::Args;

/// `watch`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch watch                                    every change from now on
  anabranch watch profiles --prefix user:            of some keys
  anabranch watch -o json | jq -c 'select(.event == \"change\")'
  anabranch watch --since TOKEN                      all since then: a cut's token, or any answer's

Each key is told with its value as it is then; what is between two cuts belongs together. When the connection is lost, it is
made again, and goes on at the last cut: nothing is missing, and what was told after that cut may be told again.
Ends with ctrl-C.")]
pub(crate) struct WatchArgs {
    /// Only of this collection
    pub(crate) collection: Option<String>,
    /// Only keys that begin with this
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// All that changed since this token's state [default: from now on]
    #[arg(long, value_name = "TOKEN")]
    pub(crate) since: Option<String>,
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}
