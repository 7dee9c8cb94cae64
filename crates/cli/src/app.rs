//! From parsed arguments to an exit code.

use crate::args::{Cli, Command};
use crate::{commands, demo, failure, logging};
use std::process::ExitCode;

/// Runs one command; what went wrong is shown on standard error.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let done = logging::start(&cli.log, matches!(cli.command, Command::Serve(_))).and_then(|()| dispatch(cli.command));
    done.unwrap_or_else(|error| failure::show(&error))
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(args) => demo::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Cert(args) => commands::cert::run(args),
        Command::Collection(args) => commands::collection::run(args),
        Command::Get(args) => commands::read::get(&args),
        Command::Scan(args) => commands::read::scan(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Put(args) => commands::write::put(args),
        Command::Del(args) => commands::write::del(args),
        Command::Op(args) => commands::write::op(args),
        Command::Watch(args) => commands::watch::run(args),
        Command::Conflicts(args) => commands::conflicts::run(args),
        Command::Status(args) => commands::status::run(&args),
        Command::Verify(args) => commands::verify::run(args),
    }
}
