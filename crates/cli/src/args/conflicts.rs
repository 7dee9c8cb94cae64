//! Commands on conflicts.

use super::{Connection, Durability, Output};
use clap::{Args, Subcommand};

/// `conflicts`
#[derive(Debug, Args)]
pub(crate) struct ConflictsArgs {
    /// What to do with conflicts.
    #[command(subcommand)]
    pub(crate) command: ConflictsCommand,
}

/// `conflicts …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConflictsCommand {
    /// List what waits for a person
    List(ConflictListArgs),
    /// Show one conflict, its options side by side
    Show(ShowArgs),
    /// Decide: keep some of the options, or give another value
    Resolve(ResolveArgs),
    /// Show who decided what, when and why
    History(HistoryArgs),
}

/// `conflicts list`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch conflicts list
  anabranch conflicts list --collection docs -o json")]
pub(crate) struct ConflictListArgs {
    /// Only of this collection
    #[arg(long, value_name = "COLLECTION")]
    pub(crate) collection: Option<String>,
    /// Go on where the page before ended: its `next`, or the id of an open conflict
    #[arg(long, value_name = "PLACE")]
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `conflicts show`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch conflicts show 14f481d75efc2df6b2e97383166a8fae
  anabranch conflicts show 14f481d75efc2df6b2e97383166a8fae -o json

`*` marks the lines in which the options differ.")]
pub(crate) struct ShowArgs {
    /// The conflict's id, as `conflicts list` shows it
    pub(crate) id: String,
    /// How wide to show the options, in characters [default: the terminal's width, or 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(20..=1000))]
    pub(crate) width: Option<u16>,
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `conflicts resolve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch conflicts resolve 14f481d75efc2df6b2e97383166a8fae --keep 7a1c09d2e4b85f36 --by ann
  anabranch conflicts resolve 14f481d75efc2df6b2e97383166a8fae --value '\"both\"' --by ann --note 'asked the authors'

It ends exactly the conflict that the id names. When its options have changed since, nothing is done, and the
refusal names the conflict as it is now.")]
pub(crate) struct ResolveArgs {
    /// The conflict's id, as `conflicts list` shows it
    pub(crate) id: String,
    /// The options to keep; several stay a conflict where the resolver makes one
    #[arg(long, value_name = "OPTION", num_args = 1.., required_unless_present = "value")]
    pub(crate) keep: Vec<String>,
    /// Another value as JSON, or `-` for standard input: registers and fields of maps
    #[arg(long, value_name = "JSON", allow_hyphen_values = true, conflicts_with = "keep")]
    pub(crate) value: Option<String>,
    /// Who decides: kept in the history
    #[arg(long, value_name = "NAME")]
    pub(crate) by: Option<String>,
    /// Why: kept in the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// How it is made sure of.
    #[command(flatten)]
    pub(crate) durability: Durability,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `conflicts history`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch conflicts history
  anabranch conflicts history --collection docs --key readme")]
pub(crate) struct HistoryArgs {
    /// Only of this collection
    #[arg(long, value_name = "COLLECTION")]
    pub(crate) collection: Option<String>,
    /// Only of this key
    #[arg(long, value_name = "KEY", requires = "collection")]
    pub(crate) key: Option<String>,
    /// Go on where the page before ended: its `next`
    #[arg(long, value_name = "PLACE")]
    pub(crate) after: Option<String>,
    /// At most so many, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) limit: u16,
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}
