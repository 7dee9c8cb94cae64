//! Commands on collections and keys.

use super::{Connection, Durability, Idempotency, Output};
use clap::{Args, Subcommand};

/// `collection`
#[derive(Debug, Args)]
pub(crate) struct CollectionArgs {
    /// What to do with collections.
    #[command(subcommand)]
    pub(crate) command: CollectionCommand,
}

/// `collection …`
#[derive(Debug, Subcommand)]
pub(crate) enum CollectionCommand {
    /// Make a collection, or change how a register's concurrent writes are resolved
    Create(CreateArgs),
    /// List the collections
    List(ListArgs),
}

/// `collection create`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch collection create carts --resolver cart
  anabranch collection create profiles --resolver keep-all
  anabranch collection create articles --resolver map --field body=escalate

Made in two regions at once with one resolver, it is one collection. Making it again changes nothing.")]
pub(crate) struct CreateArgs {
    /// Its name: letters, digits, `_`, `.`, `-`
    pub(crate) name: String,
    /// How concurrent writes are combined: lww, keep-all, g-counter, pn-counter, or-set, cart, ...
    #[arg(long, value_name = "RESOLVER")]
    pub(crate) resolver: String,
    /// Maps: how the concurrent writes of one field are combined, such as body=escalate; again for more fields
    #[arg(long = "field", value_name = "FIELD=RESOLVER", value_parser = field)]
    pub(crate) fields: Vec<(String, String)>,
    /// How a repeat is recognised.
    #[command(flatten)]
    pub(crate) idempotency: Idempotency,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `collection list`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  anabranch collection list\n  anabranch collection list -o json")]
pub(crate) struct ListArgs {
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `get`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch get profiles user:101
  anabranch get profiles user:101 -o json | jq .value
  anabranch get likes post:1 --token-file session   read your own writes, whichever node answers")]
pub(crate) struct GetArgs {
    /// The collection
    pub(crate) collection: String,
    /// The key
    pub(crate) key: String,
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `put`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch put profiles user:101 '{\"name\":\"Ada\"}'
  anabranch put profiles user:101 - < ada.json       from standard input
  anabranch put profiles user:101 '\"Ada\"' --context CONTEXT
                          supersede exactly the versions that a `get` showed")]
pub(crate) struct PutArgs {
    /// The collection, of registers
    pub(crate) collection: String,
    /// The key
    pub(crate) key: String,
    /// The value as JSON, or `-` for standard input
    #[arg(allow_hyphen_values = true)]
    pub(crate) json: String,
    /// The context of a `get`: the write supersedes exactly the versions it showed
    #[arg(long, value_name = "CONTEXT", help_heading = "Writing")]
    pub(crate) context: Option<String>,
    /// How it is made sure of.
    #[command(flatten)]
    pub(crate) durability: Durability,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `del`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch del profiles user:101
  anabranch del carts user:101

Removes what the node has seen of the key. What is written elsewhere at the same time survives.")]
pub(crate) struct DelArgs {
    /// The collection
    pub(crate) collection: String,
    /// The key
    pub(crate) key: String,
    /// The context of a `get`: only the versions it showed are removed
    #[arg(long, value_name = "CONTEXT", help_heading = "Writing")]
    pub(crate) context: Option<String>,
    /// How it is made sure of.
    #[command(flatten)]
    pub(crate) durability: Durability,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `op`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch op likes post:1 '{\"add\":1}'                               counters
  anabranch op tags post:1 '{\"add\":[\"red\",\"blue\"]}'                   sets; also {\"remove\":[...]}
  anabranch op carts user:101 '{\"add\":{\"item\":\"sku-42\",\"quantity\":2}}'
                          carts; also {\"remove\":{\"item\":\"sku-42\"}} and {\"clear\":true}")]
pub(crate) struct OpArgs {
    /// The collection
    pub(crate) collection: String,
    /// The key
    pub(crate) key: String,
    /// The operation as JSON, or `-` for standard input
    #[arg(allow_hyphen_values = true)]
    pub(crate) json: String,
    /// How it is made sure of.
    #[command(flatten)]
    pub(crate) durability: Durability,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `scan`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  anabranch scan profiles --prefix user: --limit 20
  anabranch scan profiles --after user:120           the next page")]
pub(crate) struct ScanArgs {
    /// The collection
    pub(crate) collection: String,
    /// Only keys that begin with this
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// Only keys behind this one
    #[arg(long, value_name = "KEY")]
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

/// `explain`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  anabranch explain profiles user:101\n  anabranch explain carts user:101 -o json")]
pub(crate) struct ExplainArgs {
    /// The collection
    pub(crate) collection: String,
    /// The key
    pub(crate) key: String,
    /// How to show it.
    #[command(flatten)]
    pub(crate) output: Output,
    /// Which node to ask.
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// `FIELD=RESOLVER`: no resolver has a `=` in its name.
fn field(text: &str) -> Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((field, resolver)) if !field.is_empty() && !resolver.is_empty() => {
            Ok((field.to_owned(), resolver.to_owned()))
        }
        _ => Err("expected FIELD=RESOLVER, such as body=escalate".to_owned()),
    }
}
