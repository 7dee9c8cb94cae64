//! Running one node until it is told to stop.

use crate::config::Config;
use crate::error::ServerError;
use crate::serving::Serve;

/// Runs a node until `shutdown` is done, then stops it, which takes less than five seconds: [`Serve::run`] without
/// resolvers of its own.
///
/// # Errors
/// [`ServerError`] when it does not start, or its store fails.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
    Serve::new(config).run(shutdown).await
}

/// Begins to listen for SIGTERM and SIGINT (ctrl-C), which from now on do not end the process by themselves; what is
/// returned is done when one has come. Ask before the node starts, so that none is missed. Must be called inside a tokio
/// runtime.
///
/// # Errors
/// [`ServerError::System`] when the system does not let it listen for them.
#[cfg(unix)]
pub fn shutdown_signal() -> Result<impl Future<Output = ()>, ServerError> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error: std::io::Error| ServerError::System(format!("cannot listen for signals: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// As on Unix, for ctrl-C alone.
///
/// # Errors
/// None here.
#[cfg(not(unix))]
pub fn shutdown_signal() -> Result<impl Future<Output = ()>, ServerError> {
    Ok(async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Then the default holds, and ends the process.
            std::future::pending::<()>().await;
        }
    })
}
