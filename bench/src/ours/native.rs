//! Native clients: a connection each, with several calls under way on each.

use super::server::Credentials;
use crate::setting::Until;
use anabranch_client::{Ack, Client, Options, Session};
use anyhow::Context as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const COLLECTION: &str = "counters";
const CONNECT: Duration = Duration::from_secs(10);

/// Connected clients, with a runtime of their own.
pub struct Clients {
    runtime: Runtime,
    clients: Vec<Client>,
}

impl Clients {
    /// That many, each with a connection of its own to the node at that address.
    pub fn connect(count: usize, node: SocketAddr, credentials: &Credentials) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let clients = runtime.block_on(async {
            let bind = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let connect = |number| {
                let identity = credentials.client(&format!("client-{number}"))?;
                Ok(Client::builder(identity).bind(bind).replica(None, &node.to_string()).connect()?)
            };
            let clients = (0..count).map(connect).collect::<anyhow::Result<Vec<Client>>>()?;
            for client in &clients {
                client.connected(1, CONNECT).await.context("a client that connects")?;
            }
            anyhow::Ok(clients)
        })?;
        Ok(Self { runtime, clients })
    }

    /// Increments counters, each connection with a session of its own and `in_flight` calls under way;
    /// acknowledged ones per second. A count is of each call. `key` names the counter of the call with that number.
    pub fn increment(&self, in_flight: usize, until: Until, key: fn(u64) -> String, how: How) -> anyhow::Result<f64> {
        let step = self.clients.len() * in_flight;
        self.runtime.block_on(async {
            let start = Instant::now();
            let mut callers = JoinSet::new();
            for (at, client) in self.clients.iter().enumerate() {
                let session = Arc::new(client.session());
                for call in 0..in_flight {
                    let numbers = ((at * in_flight + call) as u64..).step_by(step).map(key);
                    callers.spawn(caller(session.clone(), numbers, start, until, how));
                }
            }
            let mut done = 0;
            while let Some(ended) = callers.join_next().await {
                done += ended??;
            }
            Ok(done as f64 / start.elapsed().as_secs_f64())
        })
    }
}

/// What an increment waits for, and what it returns.
#[derive(Clone, Copy)]
pub struct How {
    /// Where it must be on disk.
    pub ack: Ack,
    /// Whether it returns the sum.
    pub show: bool,
}

async fn caller(
    session: Arc<Session>,
    mut keys: impl Iterator<Item = String>,
    start: Instant,
    until: Until,
    how: How,
) -> anyhow::Result<u64> {
    let options = Options { ack: Some(how.ack), show: how.show, ..Options::default() };
    let mut done = 0;
    while until.goes_on(start.elapsed(), done) {
        let key = keys.next().context("there is always another key")?;
        let (_, written) = session.with(options.clone()).write(|tx| tx.g_counter(COLLECTION).add(&key, 1)).await?;
        anyhow::ensure!(!how.show || written.value.is_some(), "the sum was asked for");
        done += 1;
    }
    Ok(done)
}
