//! `serve`: a node, until it is told to stop.

use crate::args::ServeArgs;
use crate::failure::{Exit, Failure};
use anabranch_server::{Config, Overrides, ServerError, shutdown_signal};
use std::process::ExitCode;
use std::time::Duration;

/// How long threads that still wait for the disk may hold up the end: what was acknowledged is on it already.
const LINGER: Duration = Duration::from_millis(500);

pub(crate) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = Config::load(&args.config, &overrides(&args)?).map_err(|error| failure(error.into()))?;
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")).state("nothing was touched"))?;
    let ended = runtime.block_on(async {
        // Before the node starts: a signal in the meantime is to end it politely too.
        let told_to_stop = shutdown_signal()?;
        anabranch_server::run(config, told_to_stop).await
    });
    runtime.shutdown_timeout(LINGER);
    ended.map_err(failure)?;
    Ok(ExitCode::SUCCESS)
}

/// What flags and environment say, which goes over the file. (clap has put flags over the environment.)
fn overrides(args: &ServeArgs) -> Result<Overrides, Failure> {
    let mut overrides = Overrides::new();
    let mut set = |name: &str, value: Option<String>| {
        overrides.extend(value.map(|value| (name.to_owned(), value)));
    };
    set("ANABRANCH_HTTP", args.http.map(|addr| addr.to_string()));
    set("ANABRANCH_QUIC", args.quic.map(|addr| addr.to_string()));
    if let Some(dir) = &args.data_dir {
        let text = dir.to_str().ok_or_else(|| Failure::usage(format!("{} is not UTF-8", dir.display())))?;
        set("ANABRANCH_DATA_DIR", Some(text.to_owned()));
    }
    Ok(overrides)
}

fn failure(error: ServerError) -> Failure {
    let text = error.to_string();
    let (exit, state, next) = match error {
        ServerError::Config(_) => (Exit::Usage, "nothing was touched", "change the configuration as it says"),
        ServerError::Credentials(_) => {
            (Exit::Usage, "nothing was touched", "`anabranch cert --help` shows how certificates are made")
        }
        ServerError::WrongCertificate { .. } => {
            (Exit::Usage, "nothing was touched", "use this node's own certificate, or change [node]")
        }
        ServerError::Resolver(_) => (Exit::Usage, "nothing was touched", "give the resolver another name"),
        ServerError::Exposed(_) => (Exit::Usage, "nothing was touched", "change [listen] http, or accept the risk"),
        ServerError::Listen { .. } => {
            (Exit::Failed, "the data was not touched", "end what listens there, or choose another address: --http")
        }
        ServerError::Open(_) => (
            Exit::Failed,
            "the data directory is as it was",
            "if another process uses it, end that one; otherwise see what it says, or choose another: --data-dir",
        ),
        ServerError::Network(_) => {
            (Exit::Failed, "all data is safe", "end what listens there, or choose another address: --quic")
        }
        ServerError::StoreFailed => {
            (Exit::Failed, "all that was acknowledged is on disk", "see the log, then start it again")
        }
        ServerError::System(_) => (Exit::Failed, "all that was acknowledged is on disk", "start it again"),
    };
    Failure::new(exit, text).state(state).next(next)
}
