//! The command line: names, flags, help.

use clap::{Args, Parser, Subcommand, ValueEnum};

mod client;
mod conflicts;
mod data;
mod node;
mod watch;

pub(crate) use client::{Connection, Durability, Format, Idempotency, Output};
pub(crate) use conflicts::{ConflictListArgs, ConflictsArgs, ConflictsCommand, HistoryArgs, ResolveArgs, ShowArgs};
pub(crate) use data::{
    CollectionArgs, CollectionCommand, CreateArgs, DelArgs, ExplainArgs, GetArgs, ListArgs, OpArgs, PutArgs, ScanArgs,
};
pub(crate) use node::{CertArgs, CertCommand, InitArgs, IssueArgs, ServeArgs, Span, StatusArgs, VerifyArgs};
pub(crate) use watch::WatchArgs;

const EXAMPLES: &str = "\
Examples:
  anabranch demo                                     three regions on this machine, a partition, a heal
  anabranch cert init --dir certs --cluster shop     a certificate authority for a new cluster
  anabranch cert issue --dir certs --region eu-west  a certificate for a node
  anabranch serve --config eu.toml                   run a node
  anabranch put profiles user:101 '{\"name\":\"Ada\"}'   write
  anabranch get profiles user:101                    read
  anabranch verify --url http://127.0.0.1:7501 --url http://127.0.0.1:7502

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not ready: try again later.";

/// A multi-leader CRDT sync engine: local writes everywhere, one truth in the end.
#[derive(Debug, Parser)]
#[command(name = "anabranch", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    /// What to log.
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to log. Logs go to standard error.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// What to log, such as `info` or `warn,anabranch=debug` [default: $RUST_LOG, else info for serve, warn otherwise]
    #[arg(
        long,
        global = true,
        value_name = "FILTER",
        env = "ANABRANCH_LOG",
        hide_env_values = true,
        help_heading = "Logging"
    )]
    pub(crate) log: Option<String>,
    /// The form of a log line: text or json
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "text",
        value_name = "FORM",
        hide_possible_values = true,
        env = "ANABRANCH_LOG_FORMAT",
        hide_env_values = true,
        help_heading = "Logging"
    )]
    pub(crate) log_format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Three regions in one process: simulated WAN, writes everywhere, a partition, a heal
    Demo(crate::demo::DemoArgs),
    /// Run a node
    Serve(ServeArgs),
    /// Make certificates: nodes know each other by them
    Cert(CertArgs),
    /// Make and list collections
    Collection(CollectionArgs),
    /// Read one key
    Get(GetArgs),
    /// Write the value of a register
    Put(PutArgs),
    /// Remove what is seen of a key
    Del(DelArgs),
    /// Apply one operation: add to a counter, a set, a cart
    Op(OpArgs),
    /// List keys and values in key order
    Scan(ScanArgs),
    /// Show changes as they come
    Watch(WatchArgs),
    /// Show what waits for a person, decide, and see who decided what
    Conflicts(ConflictsArgs),
    /// Show a node: what it has, and how far its peers are
    Status(StatusArgs),
    /// Show every surviving version of a key, and why its value is what it is
    Explain(ExplainArgs),
    /// Check that nodes hold the same data
    Verify(VerifyArgs),
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn check(command: &clap::Command, path: &str) {
            for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
                let path = format!("{path} {}", sub.get_name());
                if sub.has_subcommands() {
                    check(sub, &path);
                    continue;
                }
                let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains(&path), "{path} has no example of itself: {help:?}");
            }
        }
        check(&Cli::command(), "anabranch");
    }
}
