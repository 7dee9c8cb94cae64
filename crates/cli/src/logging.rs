//! Logs: to standard error, as text or JSON.

use crate::args::{LogArgs, LogFormat};
use crate::failure::Failure;
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Starts logging for this process. A node tells what it does; a client only what goes wrong.
pub(crate) fn start(args: &LogArgs, is_node: bool) -> anyhow::Result<()> {
    let from_environment = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    // The store tells of every file it opens: of interest to those who ask for it.
    let default = if is_node { "info,lsm_tree=warn" } else { "warn" };
    let wanted = args.log.clone().or(from_environment).unwrap_or_else(|| default.to_owned());
    let filter = EnvFilter::try_new(&wanted).map_err(|error| {
        Failure::usage(format!("{wanted:?} is not a log filter: {error}"))
            .next("try --log info, or --log anabranch=debug")
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match args.log_format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("cannot start logging: {error}"))
}
