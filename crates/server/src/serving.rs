//! Running one node until it is told to stop.

use crate::config::Config;
use crate::error::ServerError;
use crate::node::Node;
use anabranch::resolvers::Resolver;
use std::sync::Arc;

/// A node in the making, with resolvers of one's own beside those that are built in.
///
/// ```no_run
/// use anabranch::resolvers::custom::{Custom, Merged, Surviving};
/// use anabranch_server::{Config, Overrides, Serve, shutdown_signal};
/// use std::{path::Path, sync::Arc};
///
/// // Of prices that were set at the same time, the lower counts.
/// let lowest = Custom::new("lowest-price", |versions: &[Surviving]| {
///     let lowest = versions.iter().filter_map(|version| version.value.as_i64()).min();
///     lowest.map_or(Merged::Escalate, |price| Merged::Value(price.into()))
/// });
/// # async fn example(lowest: Custom) -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::load(Path::new("eu.toml"), &Overrides::new())?;
/// Serve::new(config).resolver(Arc::new(lowest)).run(shutdown_signal()?).await?;
/// # Ok(())
/// # }
/// ```
///
/// Every node of a cluster should have the same: one that lacks a resolver keeps, applies and passes on the data of its
/// collections, but answers reads and writes of them with `503 parked` until it runs with it.
#[derive(Clone)]
pub struct Serve {
    pub(crate) config: Config,
    pub(crate) resolvers: Vec<Arc<dyn Resolver>>,
}

impl Serve {
    /// A node with that configuration. Nothing is touched yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config, resolvers: Vec::new() }
    }

    /// Adds a resolver, which collections name by its name. One that is taken is found out when the node starts.
    #[must_use]
    pub fn resolver(mut self, resolver: Arc<dyn Resolver>) -> Self {
        self.resolvers.push(resolver);
        self
    }

    /// Starts the node. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ServerError`]. What can be checked without touching the data is checked first.
    pub async fn start(self) -> Result<Node, ServerError> {
        Node::begin(self).await
    }

    /// Runs the node until `shutdown` is done, then stops it, which takes less than five seconds.
    ///
    /// # Errors
    /// [`ServerError`] when it does not start, or its store fails.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let node = self.start().await?;
        let failed = tokio::select! {
            () = shutdown => false,
            () = node.failed() => true,
        };
        tracing::info!("the node stops");
        node.stop().await;
        if failed { Err(ServerError::StoreFailed) } else { Ok(()) }
    }
}
