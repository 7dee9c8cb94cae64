//! Running one node until it is told to stop.

use crate::config::Config;
use crate::error::ServerError;
use crate::node::Node;

/// Runs a node until `shutdown` is done, then stops it, which takes less than five seconds.
///
/// # Errors
/// [`ServerError`] when it does not start, or its store fails.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
    let node = Node::start(config).await?;
    let failed = tokio::select! {
        () = shutdown => false,
        () = node.failed() => true,
    };
    tracing::info!("the node stops");
    node.stop().await;
    if failed { Err(ServerError::StoreFailed) } else { Ok(()) }
}

/// Done when the process is asked to end: by SIGTERM or SIGINT (ctrl-C).
///
/// # Errors
/// [`ServerError::System`] when the system does not let it listen for them.
pub async fn shutdown_signal() -> Result<(), ServerError> {
    let failed = |error: std::io::Error| ServerError::System(format!("cannot listen for signals: {error}"));
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok(())
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.map_err(failed)
}
