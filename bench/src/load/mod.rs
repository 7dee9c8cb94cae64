//! Generators of load: small, so that little of what is measured is theirs, and the same for all subjects of a workload.

pub mod http;
#[cfg(feature = "peers")]
pub mod resp;

use std::future::Future;
use std::time::Instant;
use tokio::task::JoinSet;

/// Runs that many clients on the calling thread until all have ended, and returns how many answers they got in a second, all
/// together. Each is given its number and when they began, and returns how many it got.
pub fn rate<F>(connections: usize, client: impl Fn(usize, Instant) -> F) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<u64>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let mut clients: JoinSet<_> = (0..connections).map(|number| client(number, start)).collect();
        let mut answers = 0;
        while let Some(ended) = clients.join_next().await {
            answers += ended??;
        }
        Ok(answers as f64 / start.elapsed().as_secs_f64())
    })
}
