//! The HTTP API of the regions, for `--keep`.

use super::world::World;
use anabranch_server::{HttpConfig, HttpServer, serve_http};
use anyhow::Context;
use std::net::Ipv4Addr;
use tokio::net::TcpListener;

/// The servers of all regions, in their order.
pub(super) struct Servers {
    running: Vec<HttpServer>,
}

impl Servers {
    /// Serves each region at a free port on loopback.
    ///
    /// # Errors
    /// When one cannot listen.
    pub(super) async fn start(world: &World) -> anyhow::Result<Self> {
        let mut running = Vec::with_capacity(world.regions.len());
        for region in &world.regions {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
            let listener = listener.with_context(|| format!("cannot listen for the API of {}", region.name))?;
            let (database, network) = (region.open_database()?, region.network());
            running.push(serve_http(database, network, listener, HttpConfig::default())?);
        }
        Ok(Self { running })
    }

    /// Where each region's API is.
    pub(super) fn urls(&self) -> Vec<String> {
        self.running.iter().map(|server| format!("http://{}", server.addr())).collect()
    }

    /// Ends them; requests under way may finish.
    pub(super) async fn stop(self) {
        for server in self.running {
            server.stop().await;
        }
    }
}
